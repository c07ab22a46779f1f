package main

type demoCmd struct{}
type jobsCmd struct{}
type thingsCmd struct{}
type groupsCmd struct{}

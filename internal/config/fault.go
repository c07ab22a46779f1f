package config

import "fmt"

// Fault is one thing that is wrong with a configuration. It is an error, and
// what Load returns joins all of them.
type Fault struct {
	// Key is the name of the setting as it stands in the file.
	Key string
	// Value is the value that is refused, as it was given.
	Value string
	// Source is where the value came from: "default", "file …", "environment …", "flag …".
	Source string
	// Limit is the rule that the value breaks: "must be …".
	Limit string
}

// Error returns one line with all of it.
func (f *Fault) Error() string {
	return fmt.Sprintf("%s = %q (%s): %s", f.Key, f.Value, f.Source, f.Limit)
}

// Command muster is a server that speaks the AWS IoT Jobs protocol, and the
// command line of its operators.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals // somebody is in a hurry
		os.Exit(exitInterrupted)
	}()
	err := run(ctx, os.Args[1:], system{getenv: os.Getenv, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr})
	os.Exit(report(os.Stderr, err))
}

// system is what a command sees of the world around it.
type system struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// exitError is an outcome with an exit code of its own. Its text is empty if
// everything has been said.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

// report tells people about err, in one line, and returns the exit code.
func report(w io.Writer, err error) int {
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(w, "muster:", text)
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	return 1
}

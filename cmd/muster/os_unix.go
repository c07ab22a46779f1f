//go:build !windows

package main

import (
	"os"
	"syscall"
)

// What the system calls the reasons not to listen.
const (
	errAddressInUse   = syscall.EADDRINUSE
	errAddressDenied  = syscall.EACCES
	errAddressUnknown = syscall.EADDRNOTAVAIL
)

// canMoveCursor reports whether a terminal takes ANSI escape sequences.
func canMoveCursor(*os.File) bool { return true }

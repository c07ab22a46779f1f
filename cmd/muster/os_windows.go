package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// What the system calls the reasons not to listen.
const (
	errAddressInUse   = windows.WSAEADDRINUSE
	errAddressDenied  = windows.WSAEACCES
	errAddressUnknown = windows.WSAEADDRNOTAVAIL
)

// canMoveCursor reports whether a console takes ANSI escape sequences, which
// it does on Windows 10 and later, once asked to.
func canMoveCursor(f *os.File) bool {
	var mode uint32
	console := windows.Handle(f.Fd())
	return windows.GetConsoleMode(console, &mode) == nil &&
		windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}

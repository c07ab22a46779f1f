//go:build !unix

package handler

import "os"

// isStrangers is not known here.
func isStrangers(os.FileInfo) bool { return false }

// isOpen is not known here.
func isOpen(os.FileInfo) bool { return false }

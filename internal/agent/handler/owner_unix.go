//go:build unix

package handler

import (
	"os"
	"syscall"
)

// isStrangers reports whether a file belongs to somebody else than root and the
// agent's own user.
func isStrangers(info os.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return !ok || s.Uid != 0 && int(s.Uid) != os.Geteuid()
}

// isOpen reports whether others than its owner may write to a file.
func isOpen(info os.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }

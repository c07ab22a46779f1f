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

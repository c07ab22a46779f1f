//go:build unix

package agent

import (
	"fmt"
	"os"
	"syscall"
)

// openOwn opens a file that is the agent's alone. It fails if somebody else has
// put something there: a link would have the agent write over another file.
func openOwn(name string, flags int) (*os.File, error) {
	f, err := os.OpenFile(name, flags|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		s, ok := info.Sys().(*syscall.Stat_t)
		if !info.Mode().IsRegular() || ok && (s.Nlink > 1 || s.Uid != 0 && int(s.Uid) != os.Geteuid()) {
			err = fmt.Errorf("%s is not a file of the agent's own", name)
		}
	}
	if err != nil {
		_ = f.Close() // the first error is the one to tell
		return nil, err
	}
	return f, nil
}

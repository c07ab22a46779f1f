//go:build unix

package pgtest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// watcher ends the server and removes its folder as soon as its input ends,
// which it does with the process that has started it, even if that is killed.
const watcher = `read -r _
pid=$(head -n 1 "$0/data/postmaster.pid" 2>/dev/null)
[ -z "$pid" ] || kill -CONT "$pid" 2>/dev/null
[ -z "$pid" ] || kill -QUIT "$pid" 2>/dev/null
while [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
rm -rf "$0"`

// watch has the server of a folder ended, and the folder removed, when the
// closer is closed or this process ends.
func watch(dir string) (io.Closer, error) {
	c := exec.Command("sh", "-c", watcher, dir)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt in the terminal is not for it
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	err = c.Start()
	if err != nil {
		return nil, err
	}
	return watched{in, c}, nil
}

type watched struct {
	io.Closer
	c *exec.Cmd
}

func (w watched) Close() error {
	return errors.Join(w.Closer.Close(), w.c.Wait())
}

// command returns a program of PostgreSQL to be run. They refuse to run as root.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.programs, name), args...)
	c.Dir = s.dir
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if uid, gid, err := owner(); err == nil && os.Getuid() == 0 {
		c.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	return c
}

// own gives a folder to the user that the server runs as.
func own(dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	uid, gid, err := owner()
	if err != nil {
		return err
	}
	return os.Chown(dir, int(uid), int(gid))
}

// owner returns whom the server runs as if we are root.
func owner() (uid, gid uint32, err error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return 0, 0, err
	}
	id, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return 0, 0, fmt.Errorf("user %s: %w", u.Username, err)
	}
	group, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return 0, 0, fmt.Errorf("user %s: %w", u.Username, err)
	}
	return uint32(id), uint32(group), nil
}

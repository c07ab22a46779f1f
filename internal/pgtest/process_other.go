//go:build !unix

package pgtest

import (
	"io"
	"os/exec"
)

// Elsewhere there is no way to have a server go with the process that has started it.

func watch(string) (io.Closer, error) { return nil, errMissing }

func (s *Server) command(name string, args ...string) *exec.Cmd { return exec.Command(name, args...) }

func own(string) error { return nil }

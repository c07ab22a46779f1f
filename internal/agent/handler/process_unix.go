//go:build unix

package handler

import (
	"os"
	"os/exec"
	"syscall"
)

// stoppable makes a process the head of a group, which is told to stop as one.
func stoppable(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}

// kill ends what is left of the group of a process that was told to stop.
func kill(p *os.Process) {
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL) // usually nothing is left
}

// wasTerminated reports whether a process has ended because it was told to, or
// is a shell that says so of one that it has run.
func wasTerminated(s *os.ProcessState) bool {
	w, ok := s.Sys().(syscall.WaitStatus)
	return ok && (w.Signaled() && w.Signal() == syscall.SIGTERM || w.ExitStatus() == 128+int(syscall.SIGTERM))
}

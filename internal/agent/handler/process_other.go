//go:build !unix

package handler

import (
	"os"
	"os/exec"
)

// stoppable leaves the process as it is: it can only be killed.
func stoppable(*exec.Cmd) {}

// kill does nothing: the process has been killed.
func kill(*os.Process) {}

// wasTerminated is not known here.
func wasTerminated(*os.ProcessState) bool { return false }

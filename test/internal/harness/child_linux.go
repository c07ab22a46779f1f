package harness

import (
	"os"
	"os/exec"
	"syscall"
)

// confine makes cmd die with us and, if uid is not 0 and we are root, run as
// that user.
func confine(cmd *exec.Cmd, uid uint32) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if uid != 0 && os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: uid, NoSetGroups: true}
	}
}

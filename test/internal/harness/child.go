package harness

import (
	"os"
	"os/exec"
	"runtime"
)

// child is a process that somebody waits for, so that its end is noticed.
type child struct {
	ended chan struct{} // closed when the process has ended
}

// start starts cmd from a thread that lives as long as the process does: on
// Linux the process is told to die with the thread that has started it, so that
// none is left over from a test run that was cut off.
func start(cmd *exec.Cmd) (*child, error) {
	c := &child{make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // ProcessState tells
			close(c.ended)
		}
	}()
	return c, <-started
}

// environ returns the environment of a child: what it needs to run, and nothing
// that could make it another server than the one meant.
func environ(extra []string) []string {
	env := []string{"MUSTER_MQTT_LISTEN=127.0.0.1:0"} // the usual port is somebody else's
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "GORACE", "GOCOVERDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return append(env, extra...)
}

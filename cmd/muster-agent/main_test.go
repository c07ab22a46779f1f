//go:build unix

package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/internal/job"
)

// asProgram makes the test binary the program itself, so that tests can kill it.
const asProgram = "MUSTER_AGENT_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// device is a device with a folder of its own.
type device struct {
	t   *testing.T
	s   *server
	dir string
}

func newDevice(t *testing.T, s *server) *device {
	t.Helper()
	d := &device{t: t, s: s, dir: t.TempDir()}
	s.must(os.Chmod(d.dir, 0o700)) // whatever the umask is: nobody else may put handlers there
	s.must(os.Mkdir(d.file("handlers"), 0o700))
	return d
}

func (d *device) file(name string) string { return filepath.Join(d.dir, name) }

// args are the arguments of its agent.
func (d *device) args(more ...string) []string {
	return append([]string{"--endpoint", d.s.url, "--thing", "t", "--state-dir", d.dir}, more...)
}

// script puts a handler into the device's own folder. No process may be started by
// another test meanwhile: it would have the file open for writing until it runs
// its own program, and nobody could run this one.
func (d *device) script(name, text string) {
	d.t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	d.s.must(os.WriteFile(d.file("handlers/"+name), []byte("#!/bin/sh\n"+text+"\n"), 0o700))
}

// fifo makes a pipe with a name: whoever opens it waits for the other side.
func (d *device) fifo(name string) string {
	d.t.Helper()
	d.s.must(syscall.Mkfifo(d.file(name), 0o600))
	return d.file(name)
}

// read returns what is written to a pipe, which has to come in time.
func (d *device) read(fifo string) string {
	d.t.Helper()
	type result struct {
		text []byte
		err  error
	}
	got := make(chan result, 1)
	go func() {
		text, err := os.ReadFile(fifo)
		got <- result{text, err}
	}()
	select {
	case r := <-got:
		d.s.must(r.err)
		return string(r.text)
	case <-time.After(patience):
		d.t.Fatalf("nothing was written to %s", fifo)
		return ""
	}
}

// once does what is pending.
func (d *device) once(more ...string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	var log bytes.Buffer
	if err := run(ctx, d.args(append(more, "--once")...), os.Getenv, &log, &log); err != nil || ctx.Err() != nil {
		d.t.Fatalf("%v %v, with the log\n%s", err, ctx.Err(), log.String())
	}
}

// start starts its agent as a process.
func (d *device) start() *exec.Cmd {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), os.Args[0], d.args()...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	log := new(bytes.Buffer)
	cmd.Stderr = log
	d.s.must(cmd.Start())
	d.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if d.t.Failed() {
			d.t.Logf("log of the agent:\n%s", log.String())
		}
	})
	return cmd
}

// expect checks the execution of a job, and its details unless nil: those of
// the progress may have been sent or not.
func (d *device) expect(id string, status job.Status, details map[string]string) {
	d.t.Helper()
	x, _, err := d.s.engine.DescribeJobExecution(d.t.Context(), operator, "t", id, 0)
	d.s.must(err)
	if x.Status != status {
		d.t.Errorf("%s: got status %v, want %v", id, x.Status, status)
	}
	if diff := cmp.Diff(details, x.Details); details != nil && diff != "" {
		d.t.Errorf("%s: details (-want +got):\n%s", id, diff)
	}
}

func TestJobsOfAllKinds(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := newDevice(t, s)
	d.script("greet.sh", `echo "hello $2"`)
	s.create("handler", `{"version":"1.0","includeStdOut":"true","steps":[
		{"action":{"name":"Greet","type":"runHandler","input":{"handler":"greet.sh","args":["you"],"path":"default"}}},
		{"action":{"name":"Echo","type":"runCommand","input":{"command":"echo,a\\,b"}}}]}`)
	s.create("old", `{"operation":"greet.sh","args":["old friend"],"path":"default","includeStdOut":true}`)
	s.create("fails", `{"version":"1.0","steps":[{"action":{"name":"Fail","type":"runCommand","input":{"command":"sh,-c,echo sorry >&2; exit 4"}}}]}`)
	s.create("invalid", `{"steps":[]}`)
	d.once()
	d.expect("handler", job.Succeeded, map[string]string{"stdout": "hello you\na,b\n"})
	d.expect("old", job.Succeeded, map[string]string{"stdout": "hello old friend\n"})
	d.expect("fails", job.Failed, map[string]string{"reason": "step 1/1 (Fail): exited with status 4", "stderr": "sorry\n"})
	d.expect("invalid", job.Rejected, map[string]string{
		"reason": "Unable to execute job, invalid job document provided!", "error": "there is neither a version nor an operation",
	})
}

func TestJobThatComesWhileTheAgentRuns(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := newDevice(t, s)
	fifo := d.fifo("ran")
	agent := d.start()
	s.create("j", `{"version":"1.0","steps":[{"action":{"name":"Tell","type":"runCommand","input":{"command":"sh,-c,echo ran >`+fifo+`"}}}]}`)
	if text := d.read(fifo); text != "ran\n" {
		t.Errorf("got %q", text)
	}
	s.must(agent.Process.Signal(syscall.SIGTERM))
	s.must(agent.Wait())
	d.once() // a last status that was on its way arrives now
	x, _, err := s.engine.DescribeJobExecution(t.Context(), operator, "t", "j", 0)
	s.must(err)
	// SIGTERM may have come before the shell had ended.
	if x.Status != job.Succeeded && !strings.Contains(x.Details["reason"], "interrupted") {
		t.Errorf("got %v %v", x.Status, x.Details)
	}
}

func TestAgentThatIsKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := newDevice(t, s)
	begun := d.fifo("begun")
	wait := d.fifo("wait")
	d.script("once.sh", `echo once >>`+d.file("runs")+`; echo $$ >`+begun+`; read x <`+wait)
	d.script("safe.sh", `# muster-agent: idempotent
echo safe >>`+d.file("runs")+`
[ -e `+d.file("again")+` ] && exit 0
echo $$ >`+begun+`; read x <`+wait)
	for _, name := range []string{"once", "safe"} {
		s.create(name, `{"version":"1.0","steps":[{"action":{"name":"`+name+`","type":"runHandler","input":{"handler":"`+name+`.sh"}}}]}`)
	}
	for range 2 {
		agent := d.start()
		pid := d.read(begun)
		s.must(agent.Process.Kill())
		_ = agent.Wait() // it was killed, as it says
		n, err := strconv.Atoi(strings.TrimSpace(pid))
		s.must(err)
		s.must(syscall.Kill(n, syscall.SIGKILL)) // the power takes everything
	}
	s.must(os.WriteFile(d.file("again"), nil, 0o600))
	d.once()
	d.expect("once", job.Failed, map[string]string{
		"reason": "step 1/1 (once): interrupted: the agent or the machine went down while it ran",
	})
	d.expect("safe", job.Succeeded, nil)
	runs, err := os.ReadFile(d.file("runs"))
	s.must(err)
	if got := strings.Fields(string(runs)); len(got) != 3 || strings.Count(string(runs), "once") != 1 {
		t.Errorf("got runs %q", got)
	}
}

func TestCanceledJobIsStopped(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := newDevice(t, s)
	begun, ended := d.fifo("begun"), d.fifo("ended")
	d.script("long.sh", `trap 'echo stopped >`+ended+`; exit 1' TERM
echo begun >`+begun+`
while :; do sleep 0.05; done`)
	d.start()
	s.create("j", `{"operation":"long.sh"}`)
	d.read(begun)
	<-s.notified // of the job: else the server may see nothing to notify of in the end
	s.must(s.engine.CancelJobExecution(t.Context(), operator, "t", "j", job.Cancel{Force: true}))
	if text := d.read(ended); text != "stopped\n" {
		t.Errorf("got %q", text)
	}
}

func TestHandlersOnly(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := newDevice(t, s)
	d.script("greet.sh", `echo hello`)
	d.script("open.sh", `echo hello`)
	s.must(os.Chmod(d.file("handlers/open.sh"), 0o777))
	s.create("own", `{"operation":"greet.sh"}`)
	s.create("open", `{"operation":"open.sh"}`)
	s.create("command", `{"version":"1.0","steps":[{"action":{"name":"Do","type":"runCommand","input":{"command":"touch,`+d.file("hacked")+`"}}}]}`)
	s.create("builtin", `{"operation":"download-file.sh","args":["http://127.0.0.1:1/x","`+d.file("handlers/x")+`"]}`)
	s.create("allowed", `{"operation":"stop-services.sh"}`)
	d.once("--handlers-only", "--allow-builtin", "stop-services.sh")
	d.expect("own", job.Succeeded, nil)
	d.expect("open", job.Failed, map[string]string{
		"reason": "step 1/1 (open.sh): " + d.file("handlers/open.sh") + " is -rwxrwxrwx: only its owner may write to it",
	})
	d.expect("command", job.Failed, map[string]string{"reason": "step 1/1 (Do): this device runs no commands, only its handlers"})
	d.expect("builtin", job.Failed, map[string]string{
		"reason": "step 1/1 (download-file.sh): this device does not allow the built-in handler download-file.sh",
	})
	d.expect("allowed", job.Failed, map[string]string{"reason": "step 1/1 (stop-services.sh): no names are given"})
}

// TestJobThatIsMadeAnew deletes a job while it runs and makes it again under its
// name, at once, with another document.
func TestJobThatIsMadeAnew(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := newDevice(t, s)
	begun, ran := d.fifo("begun"), d.fifo("ran")
	d.script("old.sh", `echo begun >`+begun+`
while :; do sleep 0.05; done`)
	d.script("new.sh", `echo new >`+ran)
	d.start()
	s.create("j", `{"operation":"old.sh"}`)
	d.read(begun)
	s.must(s.engine.DeleteJob(t.Context(), operator, "j", "", true))
	err := s.tryCreate("j", `{"operation":"new.sh"}`)
	for ; err != nil && t.Context().Err() == nil; err = s.tryCreate("j", `{"operation":"new.sh"}`) {
		runtime.Gosched() // it is being deleted
	}
	s.must(err)
	if text := d.read(ran); text != "new\n" {
		t.Errorf("got %q", text)
	}
}

func TestBadFilesAreTold(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--endpoint", "http://x", "--thing", "t"},
		{"--endpoint", "mqtt://x", "--thing", "t", "--ca", "/nothing"},
	} {
		if err := run(t.Context(), append(args, "--state-dir", t.TempDir()), env(), os.Stdout, os.Stderr); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

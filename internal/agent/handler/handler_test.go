//go:build unix

package handler_test

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"muster/internal/agent"
	"muster/internal/agent/handler"
)

// machine is a machine whose programs are scripts of the test.
type machine struct {
	t             *testing.T
	bin, own, any string // folders: the path, the device's own handlers, another
	log           string // a file to which scripts may write
	cfg           handler.Config
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, bin: t.TempDir(), own: t.TempDir(), any: t.TempDir()}
	if err := os.Chmod(m.own, 0o700); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	m.log = filepath.Join(m.any, "log")
	m.cfg = handler.Config{Dir: m.own, Path: m.bin, Grace: 5 * time.Second}
	return m
}

// script puts a program into a folder. No process may be started by another test
// meanwhile: it would have the file open for writing until it runs its own
// program, and nobody could run this one.
func (m *machine) script(dir, name, text string) {
	m.t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		m.t.Fatal(err)
	}
}

// record puts a program into the path that writes down how it was called.
func (m *machine) record(name string) { m.script(m.bin, name, `echo "$(basename "$0") $*" >>`+m.log) }

// recorded returns what was written down.
func (m *machine) recorded() string {
	m.t.Helper()
	text, err := os.ReadFile(m.log)
	if err != nil && !os.IsNotExist(err) {
		m.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// run does an action to its end.
func (m *machine) run(a agent.Action) agent.Outcome {
	m.t.Helper()
	return m.runIn(m.t.Context(), a)
}

func (m *machine) runIn(ctx context.Context, a agent.Action) agent.Outcome {
	m.t.Helper()
	h, err := handler.New(m.cfg).Find(a)
	if err != nil {
		m.t.Fatal(err)
	}
	return h.Run(ctx, agent.Call{Action: a, Report: func(map[string]string) {}})
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestHandlersAreFound(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		action agent.Action
		says   string // where what was run is
		err    string
	}{
		"by default in the device's own folder":    {action: agent.Action{Handler: "both", Path: "default"}, says: "own"},
		"without a path there too":                 {action: agent.Action{Handler: "both"}, says: "own"},
		"own programs replace built-in handlers":   {action: agent.Action{Handler: "reboot.sh"}, says: "own"},
		"without a path on the PATH, too":          {action: agent.Action{Handler: "onpath"}, says: "bin"},
		"but not by default":                       {action: agent.Action{Handler: "onpath", Path: "default"}, err: `no handler "onpath"`},
		"in another folder":                        {action: agent.Action{Handler: "both", Path: "ANY"}, says: "any"},
		"nowhere":                                  {action: agent.Action{Handler: "nothing"}, err: `no handler "nothing"`},
		"not outside of the folder":                {action: agent.Action{Handler: "../x", Path: "default"}, err: "not the name of a handler"},
		"not if others may write to it":            {action: agent.Action{Handler: "open"}, err: "only its owner"},
		"not if it cannot be executed":             {action: agent.Action{Handler: "text"}, err: "must be executable"},
		"not if it is a folder":                    {action: agent.Action{Handler: "folder"}, err: "must be executable"},
		"by its whole name, when no path is given": {action: agent.Action{Handler: "ANY/both"}, says: "any"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.script(m.own, "both", "echo own")
			m.script(m.bin, "both", "echo bin")
			m.script(m.any, "both", "echo any")
			m.script(m.own, "reboot.sh", "echo own")
			m.script(m.bin, "onpath", "echo bin")
			m.script(m.own, "open", "echo own")
			m.script(m.own, "text", "echo own")
			for file, mode := range map[string]os.FileMode{"open": 0o722, "text": 0o600} {
				if err := os.Chmod(filepath.Join(m.own, file), mode); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Mkdir(filepath.Join(m.own, "folder"), 0o700); err != nil {
				t.Fatal(err)
			}
			a := tt.action
			a.Path = strings.Replace(a.Path, "ANY", m.any, 1)
			a.Handler = strings.Replace(a.Handler, "ANY", m.any, 1)
			h, err := handler.New(m.cfg).Find(a)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			same(t, "output", h.Run(t.Context(), agent.Call{Action: a}).Stdout, tt.says+"\n")
		})
	}
}

func TestHandlersOnly(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.script(m.own, "mine", "true")
	m.script(m.own, "stop-services.sh", "true")
	m.script(m.bin, "onpath", "true")
	m.script(m.any, "other", "true")
	for name, tt := range map[string]struct {
		action   agent.Action
		builtins []string
		ok       bool
	}{
		"its own":                            {action: agent.Action{Handler: "mine"}, ok: true},
		"its own in the place of a built-in": {action: agent.Action{Handler: "stop-services.sh"}, ok: true},
		"a built-in one":                     {action: agent.Action{Handler: "download-file.sh"}},
		"one that is allowed":                {action: agent.Action{Handler: "reboot.sh"}, builtins: []string{"reboot.sh"}, ok: true},
		"one beside one that is allowed":     {action: agent.Action{Handler: "download-file.sh"}, builtins: []string{"reboot.sh"}},
		"a program":                          {action: agent.Action{Handler: "onpath"}},
		"one elsewhere":                      {action: agent.Action{Handler: "other", Path: m.any}},
		"one by whole name":                  {action: agent.Action{Handler: m.any + "/other"}},
		"a command":                          {action: agent.Action{Command: []string{"true"}}},
		"one that is hidden":                 {action: agent.Action{Handler: "x/../../" + filepath.Base(m.any) + "/other"}},
		"the folder above":                   {action: agent.Action{Handler: ".."}},
	} {
		m.cfg.HandlersOnly, m.cfg.Builtins = true, tt.builtins
		if _, err := handler.New(m.cfg).Find(tt.action); (err == nil) != tt.ok {
			t.Errorf("%s: got error %v, allowed: %v", name, err, tt.ok)
		}
	}
}

func TestBuiltinsCanBeForbidden(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.script(m.bin, "reboot.sh", "true")
	for _, name := range handler.Builtins() {
		m.cfg.Builtins = nil
		if _, err := handler.New(m.cfg).Find(agent.Action{Handler: name}); err != nil {
			t.Errorf("all: got error %v", err)
		}
		m.cfg.Builtins = []string{}
		if _, err := handler.New(m.cfg).Find(agent.Action{Handler: name}); err == nil || !strings.Contains(err.Error(), "does not allow") {
			t.Errorf("none: got error %v for %s", err, name)
		}
	}
}

// TestOwnHandlersAreTheDevices has ways in which others than root and the
// agent's user could have made a program that seems to be the device's own.
func TestOwnHandlersAreTheDevices(t *testing.T) {
	t.Parallel()
	const somebody = 12345
	chmod := func(mode os.FileMode) func(string) error {
		return func(name string) error { return os.Chmod(name, mode) }
	}
	give := func(name string) error { return os.Lchown(name, somebody, -1) }
	for name, tt := range map[string]struct {
		path   string // what is changed: DIR is a folder, which has the folder own, with the handler it and the link link to ANY/it
		change func(path string) error
		run    string // it unless given
		root   bool   // only root can change that
		err    string
	}{
		"as it should be":                         {},
		"over a link":                             {run: "link"},
		"a program of somebody else's":            {path: "DIR/own/it", change: give, root: true, err: "/it belongs to somebody else"},
		"a folder of somebody else's":             {path: "DIR/own", change: give, root: true, err: "/own belongs to somebody else"},
		"a folder around it of somebody else's":   {path: "DIR", change: give, root: true, err: "belongs to somebody else"},
		"a link of somebody else's":               {path: "DIR/own/link", change: give, run: "link", root: true, err: "/link belongs to somebody else"},
		"a program that the group can write":      {path: "DIR/own/it", change: chmod(0o770), err: "only its owner may write"},
		"a program that all can write":            {path: "DIR/own/it", change: chmod(0o702), err: "only its owner may write"},
		"a folder that the group can write":       {path: "DIR/own", change: chmod(0o770), err: "only its owner may write"},
		"a folder that all can write":             {path: "DIR/own", change: chmod(0o777), err: "only its owner may write"},
		"a folder like /tmp":                      {path: "DIR/own", change: chmod(0o777 | os.ModeSticky), err: "only its owner may write"},
		"a folder around it that all can write":   {path: "DIR", change: chmod(0o777), err: "only its owner may write"},
		"a folder around it like /tmp":            {path: "DIR", change: chmod(0o777 | os.ModeSticky)},
		"a link into a folder that all can write": {path: "ANY", change: chmod(0o777), run: "link", err: "only its owner may write"},
		"a link to a program that all can write":  {path: "ANY/it", change: chmod(0o777), run: "link", err: "only its owner may write"},
		"a link to a program of somebody else's":  {path: "ANY/it", change: give, run: "link", root: true, err: "/it belongs to somebody else"},
		"a program that its owner cannot execute": {path: "DIR/own/it", change: chmod(0o600), err: "must be executable"},
		"a link that leads to itself":             {path: "DIR/own/loop", change: func(p string) error { return os.Symlink("loop", p) }, run: "loop", err: "too many links"},
		"a link that leads nowhere":               {path: "DIR/own/none", change: func(p string) error { return os.Symlink("../x", p) }, run: "none", err: "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.root && os.Geteuid() != 0 {
				t.Skip("only root gives files away")
			}
			m := newMachine(t)
			dir := m.own
			m.cfg.Dir = filepath.Join(dir, "own")
			if err := errors.Join(os.Mkdir(m.cfg.Dir, 0o700), os.Chmod(m.any, 0o700), os.Symlink(m.any+"/it", m.cfg.Dir+"/link")); err != nil {
				t.Fatal(err)
			}
			m.script(m.cfg.Dir, "it", "echo it")
			m.script(m.any, "it", "echo it")
			if tt.path != "" {
				if err := tt.change(strings.NewReplacer("DIR", dir, "ANY", m.any).Replace(tt.path)); err != nil {
					t.Fatal(err)
				}
			}
			action := agent.Action{Handler: cmp.Or(tt.run, "it"), Path: "default"}
			h, err := handler.New(m.cfg).Find(action)
			if tt.err != "" || err != nil {
				if tt.err == "" || err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got error %v, want %q", err, tt.err)
				}
				return
			}
			same(t, "output", h.Run(t.Context(), agent.Call{Action: action}).Stdout, "it\n")
		})
	}
}

// TestProgramKnowsTheNameOfItsLink has one program for many names.
func TestProgramKnowsTheNameOfItsLink(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(shell, filepath.Join(m.own, "it")); err != nil {
		t.Fatal(err)
	}
	h, err := handler.New(m.cfg).Find(agent.Action{Handler: "it"})
	if err != nil {
		t.Skip(err) // the shell of this machine is not the system's
	}
	out := h.Run(t.Context(), agent.Call{Action: agent.Action{User: "-c", Args: []string{`echo "$0"`}}})
	same(t, "output", out.Stdout, filepath.Join(m.own, "it")+"\n")
}

func TestPrograms(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		script string
		action agent.Action
		want   agent.Outcome
	}{
		"the user comes first, then the arguments": {
			script: `echo "$# [$1] [$2] [$3]"`, action: agent.Action{Args: []string{"a b", ""}, User: "u"},
			want: agent.Outcome{Stdout: "3 [u] [a b] []\n"},
		},
		"without a user it is empty": {script: `echo "[$1] [$2]"`, action: agent.Action{Args: []string{"x"}}, want: agent.Outcome{Stdout: "[] [x]\n"}},
		"a status is a failure":      {script: `exit 7`, want: agent.Outcome{Reason: "exited with status 7"}},
		"a signal is a failure":      {script: `kill -9 $$`, want: agent.Outcome{Reason: "signal: killed"}},
		"lines on standard error are counted": {
			script: `printf 'a\nb\nc' >&2`, want: agent.Outcome{Stderr: "a\nb\nc", StderrLines: 3},
		},
		"standard input is empty": {script: `cat; echo done`, want: agent.Outcome{Stdout: "done\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.script(m.own, "it", tt.script)
			tt.action.Handler = "it"
			same(t, "outcome", m.run(tt.action), tt.want)
		})
	}
}

func TestOnlyTheEndOfOutputIsKept(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.script(m.own, "it", `i=0; while [ $i -lt 5000 ]; do echo "line $i"; i=$((i+1)); done; echo "line $i" >&2`)
	out := m.run(agent.Action{Handler: "it"})
	if n := len(out.Stdout); n > 16*agent.MaxDetail || !strings.HasSuffix(out.Stdout, "line 4998\nline 4999\n") {
		t.Errorf("got %d bytes that end in %q", n, out.Stdout[max(0, n-30):])
	}
	same(t, "lines", out.StderrLines, 1)
}

func TestServiceThatKeepsTheOutputOpen(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.cfg.Grace = 50 * time.Millisecond
	pid := filepath.Join(m.any, "pid")
	m.script(m.own, "it", `sleep 300 & echo $! >`+pid+`; echo started`)
	out := m.run(agent.Action{Handler: "it"})
	same(t, "outcome", out, agent.Outcome{Stdout: "started\n"})
	text, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	_ = m.run(agent.Action{Command: []string{"/bin/kill", strings.TrimSpace(string(text))}})
}

func TestProgramIsStoppedWithAllThatItStarted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ trap, says string }{
		"it may clean up":                    {`trap 'echo cleaned; exit 0' TERM`, "cleaned\n"},
		"it is killed if it does not listen": {`trap '' TERM`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.cfg.Grace = 300 * time.Millisecond
			fifo := filepath.Join(m.any, "ready")
			_ = m.run(agent.Action{Command: []string{"/usr/bin/mkfifo", fifo}})
			m.script(m.own, "it", tt.trap+"\necho ready >"+fifo+"\nwhile :; do sleep 0.02; done")
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				_, _ = os.ReadFile(fifo) // until it runs
				cancel()
			}()
			out := m.runIn(ctx, agent.Action{Handler: "it"})
			same(t, "stdout", out.Stdout, tt.says)
		})
	}
}

// TestProgramThatIsStoppedBeforeTheAgent has the end of a program seen before the
// agent is told to stop, as when a service manager tells both.
func TestProgramThatIsStoppedBeforeTheAgent(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{"the program": `kill -TERM $$`, "what it has started": `sh -c 'kill -TERM $$'; exit $?`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.cfg.Grace = time.Hour
			fifo := filepath.Join(m.any, "pid")
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			m.script(m.own, "it", `echo $$ >`+fifo+"\n"+script)
			ctx, cancel := context.WithCancel(t.Context())
			stopped := make(chan bool)
			go func() {
				_ = m.runIn(ctx, agent.Action{Handler: "it"})
				stopped <- ctx.Err() != nil
			}()
			pid, err := strconv.Atoi(strings.TrimSpace(text(t, fifo)))
			if err != nil {
				t.Fatal(err)
			}
			for syscall.Kill(pid, 0) == nil {
				runtime.Gosched() // until its end has been seen
			}
			select {
			case <-stopped:
				t.Fatal("its end was believed at once")
			case <-time.After(20 * time.Millisecond): // else that may be too early to tell
			}
			cancel()
			same(t, "stopped with the agent", <-stopped, true)
		})
	}
}

func TestInterruptedPrograms(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.script(m.own, "plain", "true")
	m.script(m.own, "marked", "# muster-agent: idempotent")
	m.script(m.own, "late", strings.Repeat("# padding\n", 200)+"# muster-agent: idempotent")
	for a, want := range map[string]agent.Verdict{"plain": agent.Lost, "marked": agent.Repeat, "late": agent.Lost} {
		h, err := handler.New(m.cfg).Find(agent.Action{Handler: a})
		if err != nil {
			t.Fatal(err)
		}
		same(t, a, h.Interrupted(agent.Call{}), want)
		if err := os.Remove(filepath.Join(m.own, a)); err != nil {
			t.Fatal(err)
		}
		same(t, a+" that has gone", h.Interrupted(agent.Call{}), agent.Lost)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.record("tool")
	m.record("sudo")
	same(t, "outcome", m.run(agent.Action{Command: []string{"tool", "a b", "$HOME;x"}}), agent.Outcome{})
	same(t, "outcome for a user", m.run(agent.Action{Command: []string{"tool", "x"}, User: "joe"}), agent.Outcome{})
	same(t, "calls", m.recorded(), "tool a b $HOME;x\nsudo -u joe -n -- tool x")
	if out := m.run(agent.Action{Command: []string{"nothing"}}); !strings.Contains(out.Reason, "not found") {
		t.Errorf("a command that is missing: %+v", out)
	}
	m.script(m.any, "tool", "true")
	if out := m.run(agent.Action{Command: []string{"../" + filepath.Base(m.any) + "/tool"}}); out.Reason == "" {
		t.Error("a path was looked for in the folders of programs")
	}
}

func TestRunAsUser(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	h := handler.New(m.cfg)
	if _, err := h.As("joe", []string{"id"}); err == nil || !strings.Contains(err.Error(), "sudo") {
		t.Errorf("without sudo: got error %v", err)
	}
	m.record("sudo")
	got, err := h.As("joe", []string{"id", "-u"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "argv", got, []string{filepath.Join(m.bin, "sudo"), "-u", "joe", "-n", "--", "id", "-u"})
	got, err = h.As("", []string{"id"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "argv without a user", got, []string{"id"})
	if _, err := h.As("-s", []string{"id"}); err == nil {
		t.Error("an option was taken for a user")
	}
}

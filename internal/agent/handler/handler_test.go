//go:build unix

package handler_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	if diff := cmp.Diff(want, got); diff != "" {
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
	m.cfg.HandlersOnly = true
	m.script(m.own, "mine", "true")
	m.script(m.bin, "onpath", "true")
	m.script(m.any, "other", "true")
	for name, tt := range map[string]struct {
		action agent.Action
		ok     bool
	}{
		"its own":            {agent.Action{Handler: "mine"}, true},
		"a built-in one":     {agent.Action{Handler: "download-file.sh"}, true},
		"a program":          {agent.Action{Handler: "onpath"}, false},
		"one elsewhere":      {agent.Action{Handler: "other", Path: m.any}, false},
		"one by whole name":  {agent.Action{Handler: m.any + "/other"}, false},
		"a command":          {agent.Action{Command: []string{"true"}}, false},
		"one that is hidden": {agent.Action{Handler: "x/../../" + filepath.Base(m.any) + "/other"}, false},
	} {
		if _, err := handler.New(m.cfg).Find(tt.action); (err == nil) != tt.ok {
			t.Errorf("%s: got error %v, allowed: %v", name, err, tt.ok)
		}
	}
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

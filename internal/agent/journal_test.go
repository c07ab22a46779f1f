package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/agent"
)

// journalOf returns what is in the journal in a folder.
func journalOf(t *testing.T, dir string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// repeatable are hands of which "safe" may be repeated and "reboot" has
// succeeded when the machine was started anew.
func repeatable() *hands {
	return &hands{verdict: map[string]func(agent.Call) agent.Verdict{
		"safe": func(agent.Call) agent.Verdict { return agent.Repeat },
		"reboot": func(c agent.Call) agent.Verdict {
			if c.Rebooted {
				return agent.Done
			}
			return agent.Repeat
		},
	}}
}

// TestPowerCutAtEveryByte cuts the power at every point of a job: with every
// beginning of the journal that a disk may hold, and everything that the server
// may know at that time.
func TestPowerCutAtEveryByte(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	document := steps("once", "safe", "once2")
	synctest.Test(t, func(t *testing.T) {
		s, h := newServer(), repeatable()
		s.add("j", document)
		stop := device(t, s, h, in(dir))
		wait(10 * time.Second)
		stop()
		want(t, "status", s.status("j"), agent.Succeeded)
	})
	whole := journalOf(t, dir)
	for n := range len(whole) + 1 {
		line := bytes.LastIndexByte(whole[:n], '\n') + 1
		if got := agent.Replay(whole[:n]); got != line {
			t.Fatalf("of %d bytes, %d are good, want %d", n, got, line)
		}
		// Within a line all bytes are the same to the agent: the first and the
		// last of each are tried.
		if n > line+1 && n < len(whole) && whole[n] != '\n' {
			continue
		}
		for _, status := range plausible(whole[:n]) {
			synctest.Test(t, func(t *testing.T) { powerCut(t, document, whole[:n], status) })
			if t.Failed() {
				t.Fatalf("after a cut at byte %d of %d, status %s, with the journal\n%s", n, len(whole), status, whole[:n])
			}
		}
	}
}

// has reports whether a complete line of a journal holds text.
func has(journal []byte, text string) bool {
	end := bytes.LastIndexByte(journal, '\n') + 1
	return bytes.Contains(journal[:end], []byte(text))
}

// plausible returns the statuses of the execution that the server may have
// when the journal ends like that.
func plausible(journal []byte) []string {
	switch {
	case has(journal, `"ended"`):
		return []string{agent.Succeeded}
	case has(journal, `"final"`):
		return []string{agent.InProgress, agent.Succeeded}
	case has(journal, `"start"`):
		return []string{agent.InProgress}
	case has(journal, `"received"`):
		return []string{"QUEUED", agent.InProgress}
	default:
		return []string{"QUEUED"}
	}
}

// powerCut starts an agent with the beginning of a journal and checks that what
// it does is right.
func powerCut(t *testing.T, document string, journal []byte, status string) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "journal"), journal, 0o600); err != nil {
		t.Fatal(err)
	}
	s, h := newServer(), repeatable()
	s.add("j", document).Status = status
	stop := device(t, s, h, in(dir))
	wait(10 * time.Minute)
	stop()
	got, runs := s.status("j"), " "+h.runs()+" "
	wanted := agent.Succeeded
	for i, name := range []string{"once", "safe", "once2"} {
		begun := has(journal, fmt.Sprintf(`"start":{"step":%d`, i))
		ended := has(journal, fmt.Sprintf(`"end":{"step":%d`, i))
		ran := strings.Count(runs, " "+name+" ")
		switch {
		case ended && ran > 0, ran > 1:
			t.Errorf("%s ran %d times, ended before: %v", name, ran, ended)
		case name != "safe" && begun && !ended:
			wanted = agent.Failed // nobody can know what it has done
			if ran > 0 {
				t.Errorf("%s was run twice", name)
			}
		case wanted == agent.Succeeded && !ended && ran == 0:
			t.Errorf("%s was never run", name)
		}
	}
	want(t, "status", got, wanted)
	accepted := 0
	for _, u := range s.updates() {
		if !strings.Contains(u, agent.InProgress) && !strings.HasSuffix(u, "InvalidStateTransition") {
			accepted++
		}
	}
	if accepted > 1 || accepted == 0 && status != got {
		t.Errorf("%d last statuses were accepted", accepted)
	}
}

func TestDamagedJournalIsCutOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.add("j", steps("a"))
		stop := device(t, s, &hands{}, in(dir))
		wait(5 * time.Second)
		stop()
	})
	whole := journalOf(t, dir)
	want(t, "good bytes", agent.Replay(whole), len(whole))
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 0x04
		line := bytes.LastIndexByte(whole[:i], '\n') + 1
		if got := agent.Replay(damaged); got != line {
			t.Errorf("with byte %d damaged, %d bytes are good, want %d", i, got, line)
		}
	}
	// Lines that are whole and do not belong here.
	lines := bytes.SplitAfter(whole, []byte("\n"))
	want(t, "good bytes of a journal whose first line is missing", agent.Replay(bytes.Join(lines[1:], nil)), 0)
	want(t, "good bytes of one that says everything twice", agent.Replay(append(bytes.Clone(lines[0]), lines[0]...)), len(lines[0]))
}

// TestRestartInEveryStep stops the agent twice in every second of a job, and
// starts it again.
func TestRestartInEveryStep(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		document string
		fails    func(second int) bool // when it is stopped in that second
		reason   string
	}{
		"steps that may be repeated are": {
			document: steps("safe", "safe", "safe"), fails: func(int) bool { return false },
		},
		"a step that may not is not": {
			document: steps("safe", "once", "safe"), fails: func(second int) bool { return second == 1 },
			reason: "step 2/3 (do once): interrupted: the agent or the machine went down while it ran",
		},
		"what may fail may be interrupted": {
			document: `{"version":"1.0","steps":[
				{"action":{"name":"x","type":"runHandler","ignoreStepFailure":"true","input":{"handler":"once"}}},
				{"action":{"name":"y","type":"runHandler","input":{"handler":"safe"}}}]}`,
			fails: func(int) bool { return false },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for half := range 8 {
				synctest.Test(t, func(t *testing.T) {
					dir, s, h := t.TempDir(), newServer(), repeatable()
					s.add("j", tt.document)
					stop := device(t, s, h, in(dir))
					wait(time.Duration(half)*500*time.Millisecond + 250*time.Millisecond)
					stop()
					if status := s.status("j"); status == agent.Failed {
						t.Fatal("being stopped was reported as a failure")
					}
					stop = device(t, s, h, in(dir))
					wait(10 * time.Second)
					stop()
					last := "j SUCCEEDED"
					if tt.fails(half / 2) {
						last = fmt.Sprintf("j FAILED reason=%q", tt.reason)
					}
					updates := s.updates()
					want(t, fmt.Sprintf("last update, stopped in half second %d", half), updates[len(updates)-1], last)
					if runs := h.runs(); strings.Count(runs, "once") > 1 {
						t.Errorf("stopped in half second %d, it ran %s", half, runs)
					}
				})
			}
		})
	}
}

func TestStepThatAlwaysTakesTheDeviceDownEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, s, h := t.TempDir(), newServer(), repeatable()
		s.add("j", steps("safe"))
		for range 3 {
			stop := device(t, s, h, in(dir))
			wait(500 * time.Millisecond)
			stop()
		}
		want(t, "runs", h.runs(), "safe safe safe")
		defer device(t, s, h, in(dir))()
		wait(5 * time.Second)
		want(t, "runs", h.runs(), "")
		updates := s.updates()
		want(t, "last", updates[len(updates)-1], `j FAILED reason="step 1/1 (do safe): interrupted 3 times"`)
	})
}

func TestRepeatedStepIsToldSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, s, h := t.TempDir(), newServer(), repeatable()
		var again []bool
		h.do = map[string]func(context.Context, agent.Call) agent.Outcome{"safe": func(ctx context.Context, c agent.Call) agent.Outcome {
			again = append(again, c.Again)
			return second(ctx)
		}}
		s.add("j", steps("safe", "safe"))
		stop := device(t, s, h, in(dir))
		wait(500 * time.Millisecond)
		stop()
		stop = device(t, s, h, in(dir))
		wait(5 * time.Second)
		stop()
		want(t, "again", again, []bool{false, true, false})
	})
}

func TestReboot(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		boot string
		runs string
	}{
		"the machine was started anew: it has succeeded": {"second", "reboot after"},
		"only the agent was: it is done again":           {"first", "reboot reboot after"},
		"nobody knows: it is done again":                 {"", "reboot reboot after"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dir, s, h := t.TempDir(), newServer(), repeatable()
				s.add("j", steps("reboot", "after"))
				stop := device(t, s, h, in(dir), booted("first"))
				wait(500 * time.Millisecond)
				stop()
				defer device(t, s, h, in(dir), booted(tt.boot))()
				wait(5 * time.Second)
				want(t, "runs", h.runs(), tt.runs)
				want(t, "status", s.status("j"), agent.Succeeded)
			})
		})
	}
}

func TestLastStatusSurvivesRestarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, s, h := t.TempDir(), newServer(), &hands{}
		s.add("j", steps("a"))
		s.faults = func(r request) fault { return fault{deaf: strings.Contains(r.body, agent.Succeeded)} }
		for range 3 {
			stop := device(t, s, h, in(dir))
			wait(time.Minute)
			stop()
		}
		s.faults = nil
		defer device(t, s, h, in(dir))()
		wait(time.Second)
		want(t, "status", s.status("j"), agent.Succeeded)
		want(t, "runs", h.runs(), "a")
	})
}

func TestCanceledWhileTheDeviceWasDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, s, h := t.TempDir(), newServer(), repeatable()
		x := s.add("j", steps("safe"))
		stop := device(t, s, h, in(dir))
		wait(500 * time.Millisecond)
		stop()
		h.runs()
		x.Status = "TIMED_OUT"
		s.add("k", steps("b"))
		defer device(t, s, h, in(dir))()
		wait(5 * time.Second)
		want(t, "runs", h.runs(), "b")
	})
}

func TestJournalThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, s, h := t.TempDir(), newServer(), &hands{}
		a, err := agent.New(agent.Config{Thing: "t", Transport: s, Handlers: h.find, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- a.Run(ctx) }()
		synctest.Wait()
		repair, err := agent.JournalOf(a).Break()
		if err != nil {
			t.Fatal(err)
		}
		s.add("j", steps("a"))
		wait(5 * time.Second)
		want(t, "runs of what cannot be written down", h.runs(), "")
		want(t, "status", s.status("j"), agent.Failed)
		repair()
		s.add("k", steps("b"))
		wait(5 * time.Second)
		want(t, "runs when it can be again", h.runs(), "b")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		whole := journalOf(t, dir)
		want(t, "good bytes", agent.Replay(whole), len(whole))
		want(t, "both are known", has(whole, `"job":"j"`) && has(whole, `"job":"k"`), true)
	})
}

// TestJournalThatCannotBeMadeSmaller takes the file away between two jobs, when
// it is about to be replaced: then neither the old nor the new one can be opened.
func TestJournalThatCannotBeMadeSmaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, s, h := t.TempDir(), newServer(), &hands{}
		name := filepath.Join(dir, "journal")
		h.do = map[string]func(context.Context, agent.Call) agent.Outcome{
			"hide": func(context.Context, agent.Call) agent.Outcome {
				if err := errors.Join(os.Rename(name, name+".away"), os.Mkdir(name, 0o700)); err != nil {
					t.Error(err)
				}
				return agent.Outcome{}
			},
		}
		stop := device(t, s, h, in(dir))
		filler := strings.Repeat("x", agent.CompactAt)
		s.add("j", strings.TrimSuffix(steps("hide"), "}")+`,"filler":"`+filler+`"}`)
		wait(5 * time.Second)
		want(t, "runs", h.runs(), "hide")
		s.add("k", steps("a"))
		wait(5 * time.Second)
		want(t, "runs of what cannot be written down", h.runs(), "")
		want(t, "status", s.status("k"), agent.Failed)
		if err := errors.Join(os.Remove(name), os.Rename(name+".away", name)); err != nil {
			t.Fatal(err)
		}
		s.add("l", steps("b"))
		wait(5 * time.Second)
		want(t, "runs when it can be again", h.runs(), "b")
		want(t, "status", s.status("l"), agent.Succeeded)
		stop()
		whole := journalOf(t, dir)
		want(t, "good bytes", agent.Replay(whole), len(whole))
		for _, job := range []string{"j", "k", "l"} {
			want(t, job+" is known", has(whole, `"job":"`+job+`"`), true)
		}
	})
}

// TestDamageInTheMiddle damages each line of a journal that others follow. What
// is missing may be that a step has begun.
func TestDamageInTheMiddle(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.add("j", steps("once", "once2"))
		stop := device(t, s, &hands{}, in(dir))
		wait(1500 * time.Millisecond) // in the second step
		stop()
	})
	lines := bytes.SplitAfter(journalOf(t, dir), []byte("\n"))
	lines = lines[:len(lines)-1]
	want(t, "lines", len(lines), 4) // received, start, end, start
	for i := range len(lines) - 1 {
		synctest.Test(t, func(t *testing.T) {
			dir, s, h := t.TempDir(), newServer(), &hands{}
			damaged := bytes.Join(lines, nil)
			damaged[len(bytes.Join(lines[:i], nil))+20] ^= 0x04
			if err := os.WriteFile(filepath.Join(dir, "journal"), damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			s.add("j", steps("once", "once2")).Status = agent.InProgress
			stop := device(t, s, h, in(dir))
			wait(10 * time.Second)
			stop()
			want(t, fmt.Sprintf("runs with line %d damaged", i+1), h.runs(), "")
			want(t, "status", s.status("j"), agent.Failed)
		})
	}
}

func TestJournalStaysSmall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, s, h := t.TempDir(), newServer(), &hands{}
		stop := device(t, s, h, in(dir))
		filler := strings.Repeat("x", 20_000)
		for i := range 2 * agent.KeepEnded {
			s.add(fmt.Sprintf("j%d", i), strings.TrimSuffix(steps("a"), "}")+`,"filler":"`+filler+`"}`)
			wait(5 * time.Second)
			if size := len(journalOf(t, dir)); size > agent.CompactAt+30_000 {
				t.Fatalf("the journal has %d bytes", size)
			}
		}
		stop()
		h.runs()
		// Those that are remembered are not run again.
		s.change(func() { s.queue[2*agent.KeepEnded-1].Status = "QUEUED" })
		defer device(t, s, h, in(dir))()
		wait(30 * time.Second)
		want(t, "runs", h.runs(), "")
	})
}

// TestJournalOfAnOlderAgent reads keys without the fingerprint of the document.
func TestJournalOfAnOlderAgent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, s, h := t.TempDir(), newServer(), repeatable()
		document, err := json.Marshal(steps("once", "safe"))
		if err != nil {
			t.Fatal(err)
		}
		var journal []byte
		for _, text := range []string{
			`{"past":{"key":{"job":"j","number":1,"queuedAt":1700000000000},"report":{"status":"SUCCEEDED"}}}`,
			`{"received":{"key":{"job":"k","number":1,"queuedAt":1700000000000},"document":` + string(document) + `}}`,
			`{"start":{"step":0}}`,
			`{"end":{"step":0}}`,
		} {
			journal = fmt.Appendf(journal, "%08x %s\n", crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)), text)
		}
		want(t, "good bytes", agent.Replay(journal), len(journal))
		if err := os.WriteFile(filepath.Join(dir, "journal"), journal, 0o600); err != nil {
			t.Fatal(err)
		}
		s.add("k", steps("once", "safe")).Status = agent.InProgress
		s.add("j", steps("a"))
		defer device(t, s, h, in(dir))()
		wait(time.Minute)
		want(t, "runs", h.runs(), "safe")
		want(t, "statuses", s.status("j")+" "+s.status("k"), agent.Succeeded+" "+agent.Succeeded)
	})
}

func TestWhatStepsHaveLeftOutlivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, h := newServer(), repeatable()
		h.do = map[string]func(context.Context, agent.Call) agent.Outcome{"note": func(context.Context, agent.Call) agent.Outcome {
			return agent.Outcome{Stderr: "hm\n", Details: map[string]string{"version": "2"}}
		}}
		s.add("j", steps("note", "safe"))
		stop := device(t, s, h, in(dir))
		wait(500 * time.Millisecond)
		stop()
		defer device(t, s, h, in(dir))()
		wait(20 * time.Second)
		want(t, "runs", h.runs(), "note safe safe")
		updates := s.updates()
		want(t, "last update", updates[len(updates)-1], `j SUCCEEDED stderr="hm\n" version="2"`)
	})
}

package main

import (
	"log"
	"path/filepath"
	"strings"
	"testing"

	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/store/sqlite"
)

// The seeded store is what the rows take it for, and the raw limits work on the
// same rows. Nothing is timed here.
func TestSeedAndRawLimits(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "seed")
	if err := seed(t.Context(), dir, fleet{things: 30, busy: true, finished: 2, grouped: true, probes: 3}); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(t.Context(), func(r store.Reader) error {
		for _, want := range []struct {
			job    string
			status job.Status
			n      int64
		}{{liveJob, job.InProgress, 33}, {liveJob + "-before-1", job.Succeeded, 30}} {
			j, err := r.JobByID(want.job)
			if err != nil {
				return err
			}
			n, err := r.Counts(j.UID)
			if err != nil {
				return err
			}
			if n[want.status] != want.n {
				t.Errorf("%s: got %d executions %s, want %d", want.job, n[want.status], want.status, want.n)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	raw := t.TempDir()
	if err := copyLive(dir, raw); err != nil {
		t.Fatal(err)
	}
	b, err := openCommits(raw)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.rows) != 33 {
		t.Errorf("the raw commits have %d rows, want 33", len(b.rows))
	}
	batch := []*change{{row: b.rows[0]}, {row: b.rows[32], n: 89}, {row: b.rows[0], n: 5}}
	if err := b.commit(batch); err != nil {
		t.Error(err)
	}
	if err := b.close(); err != nil {
		t.Error(err)
	}

	ms, schema, err := membersOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	x, err := bareInserts(t.Context(), filepath.Join(t.TempDir(), "inserts"), ms, schema)
	if err != nil || x.ops != 30 {
		t.Errorf("got %d rows inserted, %v, want 30", x.ops, err)
	}
}

// A rollout of the benchmark reaches everyone, with and without devices.
func TestRollout(t *testing.T) {
	t.Parallel()
	s := &session{temp: t.TempDir(), log: log.New(t.Output(), "", 0)}
	dir := filepath.Join(s.temp, "seed")
	if err := seed(t.Context(), dir, fleet{things: 40, grouped: true, probes: probes}); err != nil {
		t.Fatal(err)
	}
	for _, how := range []manner{plain, served} {
		r, err := s.rollout(t.Context(), dir, 40, how)
		if err != nil {
			t.Fatal(err)
		}
		if r.ops != 40 || how != manner(len(r.alone) > 0) || r.told < r.took {
			t.Errorf("manner %t: got %d executions and %d probes before", how, r.ops, len(r.alone))
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, args, want string
	}{
		{"a row that does not exist", "-rows i,ix", `no row "ix"`},
		{"an argument", "quick", `unexpected argument "quick"`},
		{"too few executions for the hot things", "-executions 10", "10000 executions"},
		{"all of it", "-quick -large -rows iii,start", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(strings.Fields(c.args), t.Output())
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestReportMarksWhatIsMissed(t *testing.T) {
	t.Parallel()
	var r report
	r.add(entry{row: "i", what: "updates", raw: "10.0k/s", muster: "7.0k/s", ratio: "0.70", goal: "≥ 0.60", verdict: judge(true)})
	r.add(entry{row: "iii", what: "rollout", goal: "≥ 0.50", verdict: judge(false)})
	var text, markdown strings.Builder
	if err := r.text(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.markdown(&markdown); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "MISSED") || r.missed() != 1 {
		t.Errorf("got %d missed in\n%s", r.missed(), text.String())
	}
	if want := "| i | updates | 10.0k/s | 7.0k/s | 0.70 | ≥ 0.60 | met |  |  |\n"; !strings.Contains(markdown.String(), want) {
		t.Errorf("got\n%s\nwant a line\n%s", markdown.String(), want)
	}
}

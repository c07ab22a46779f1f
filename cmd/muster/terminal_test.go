package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"muster/internal/wire"
)

// liveTerminal returns a terminal of the given width that writes to b.
func liveTerminal(b *strings.Builder, columns int) *terminal {
	return &terminal{w: b, live: true, size: func() (int, int) { return columns, 24 }}
}

func TestDrawReplacesTheLastPicture(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	s := liveTerminal(&b, 80)
	s.draw([]string{"a", "b"})
	s.draw([]string{"c"})
	s.line("below")
	s.draw([]string{"d"})
	want := "\ra\x1b[K\n\rb\x1b[K\n\x1b[J" + "\x1b[2A\rc\x1b[K\n\x1b[J" + "below\n" + "\rd\x1b[K\n\x1b[J"
	if got := b.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNothingMovesWhereNobodyWatches(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	s := newTerminal(&b, func(string) string { return "" })
	s.draw([]string{"a"})
	counts := tally(wire.JobProcessDetails{NumberOfSucceededThings: 1, NumberOfQueuedThings: 2})
	s.progress("j", counts, time.Now())
	s.progress("j", counts, time.Now())
	if got, want := b.String(), "j  1/3  1 succeeded, 2 queued\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFitIsAlwaysAsWideAsAsked(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, width := rapid.String().Draw(t, "text"), rapid.IntRange(-3, 40).Draw(t, "width")
		got := fit(s, width)
		if n := utf8.RuneCountInString(got); n != max(width, 0) {
			t.Errorf("got %d columns, want %d", n, width)
		}
		if strings.ContainsAny(got, "\x1b\r\n\t\x07") {
			t.Errorf("got %q, want no control characters", got)
		}
	})
}

func TestBarIsFilledInProportion(t *testing.T) {
	t.Parallel()
	s := liveTerminal(&strings.Builder{}, 80)
	for fraction, want := range map[float64]string{-1: "────", 0: "────", 0.5: "━━──", 0.99: "━━━─", 1: "━━━━", 7: "━━━━"} {
		if got := s.bar(fraction, 4, green); got != want {
			t.Errorf("%v: got %s, want %s", fraction, got, want)
		}
	}
	s.color = true
	if got, want := s.bar(0.5, 2, green), "\x1b[32m━\x1b[0m\x1b[90m─\x1b[0m"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestPicturesAreNotWiderThanTheTerminal, or lines would wrap and the next
// picture be drawn in the wrong place.
func TestPicturesAreNotWiderThanTheTerminal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(50, 200).Draw(t, "columns")
		var b strings.Builder
		v := fleetView{out: liveTerminal(&b, columns), each: true, tally: tally{NumberOfFailedThings: 12345, NumberOfQueuedThings: 1 << 40}}
		for range rapid.IntRange(1, 20).Draw(t, "devices") {
			r := deviceRow{thing: rapid.StringMatching(`[a-z]{1,20}`).Draw(t, "thing")}
			r.Status = rapid.SampledFrom([]string{"QUEUED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "TIMED_OUT"}).Draw(t, "status")
			r.StatusDetails.DetailsMap = wire.Details{
				"percent": rapid.SampledFrom([]string{"", "0", "50", "100", "101", "-7", "x"}).Draw(t, "percent"),
				"step":    rapid.String().Draw(t, "step"), "reason": rapid.String().Draw(t, "reason"),
			}
			v.rows = append(v.rows, r)
		}
		v.show()
		v.out.drawn = 0
		v.each = false
		v.show()
		for line := range strings.Lines(b.String()) {
			line = strings.NewReplacer("\r", "", "\n", "", "\x1b[K", "", "\x1b[J", "").Replace(line)
			if n := utf8.RuneCountInString(line); n >= columns {
				t.Errorf("got %d columns in %q, want fewer than %d", n, line, columns)
			}
		}
	})
}

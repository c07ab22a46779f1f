package cluster_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/internal/cluster"
)

// TestChaos lets nodes come, hang, stop in the middle of a transaction, come
// back and leave, on a database that fails, and holds what must be true at every
// moment: no part is worked on by two, no fence is held by two, no slot is had by
// two who are alive. In the end all is even.
func TestChaos(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) { chaos(t, r, false) })
}

// TestChaosOfClocks is TestChaos on a database whose clock is set again and
// again. Two nodes may then work on a part for a while, but never with one fence.
func TestChaosOfClocks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) { chaos(t, r, true) })
}

func chaos(t *testing.T, r *rapid.T, clocks bool) {
	w := newWorldFor(t, r)
	held := make(map[cluster.Part]*member)
	last := make(map[*member]time.Time)
	check := func() {
		if !clocks {
			w.apart()
		}
		for _, m := range w.members {
			for _, p := range m.Parts() {
				if o := held[p]; o != nil && o != m {
					r.Fatalf("%s and %s have both had %v", o.ID(), m.ID(), p)
				}
				held[p] = m
			}
			if m.Now().Before(last[m]) {
				r.Fatalf("time goes back from %v to %v", last[m], m.Now())
			}
			last[m] = m.Now()
		}
	}
	pick := func() *member {
		return w.members[rapid.IntRange(0, len(w.members)-1).Draw(r, "member")]
	}
	pause := func() { w.later(time.Duration(rapid.IntRange(0, 7000).Draw(r, "pause")) * time.Millisecond) }
	w.join(time.Duration(rapid.IntRange(-500, 500).Draw(r, "skew")) * time.Second)
	r.Repeat(map[string]func(*rapid.T){
		"": func(*rapid.T) { check() },
		"join": func(*rapid.T) {
			if len(w.members) < 6 {
				_, _ = w.tryJoin(time.Duration(rapid.IntRange(-500, 500).Draw(r, "skew")) * time.Second)
			}
		},
		"beat": func(*rapid.T) { _ = pick().Beat(t.Context()) },
		"beat meanwhile": func(*rapid.T) {
			m, n := pick(), pick()
			skip := rapid.IntRange(0, 1).Draw(r, "commits before")
			if m == n {
				return
			}
			w.db.set(func(d *database) {
				d.meanwhile = func() {
					if skip--; skip >= 0 {
						return
					}
					d.set(func(d *database) { d.meanwhile = nil })
					pause()
					_ = n.Beat(t.Context())
					check()
				}
			})
			_ = m.Beat(t.Context())
			w.db.set(func(d *database) { d.meanwhile = nil })
		},
		"pause": func(*rapid.T) { pause() },
		"pass": func(*rapid.T) {
			for range rapid.IntRange(1, 8).Draw(r, "beats") {
				w.later(beat)
				for _, m := range w.members {
					if !m.hangs {
						_ = m.Beat(t.Context())
						check()
					}
				}
			}
		},
		"hang": func(*rapid.T) { m := pick(); m.hangs = !m.hangs },
		"down": func(*rapid.T) {
			w.db.set(func(d *database) {
				if d.down != nil {
					d.down = nil
					return
				}
				d.down = errDown
			})
		},
		"silent": func(*rapid.T) { w.db.set(func(d *database) { d.silent = !d.silent }) },
		"leave": func(*rapid.T) {
			if m := pick(); m != w.members[0] {
				m.gone = true
				_ = m.Leave(t.Context()) // it may not get through
			}
		},
		"forget": func(*rapid.T) {
			for _, d := range w.members[0].Dead() {
				_ = w.members[0].Forget(t.Context(), d.ID)
			}
		},
		"set clock": func(*rapid.T) {
			if clocks {
				w.setClock(time.Duration(rapid.IntRange(-100, 100).Draw(r, "clock")) * time.Second)
			}
		},
	})
	w.db.set(func(d *database) { d.down, d.silent = nil, false })
	var alive []*member
	for _, m := range w.members {
		m.hangs = false
		if !m.gone {
			alive = append(alive, m)
		}
	}
	w.pass(timeToLive)
	if clocks {
		w.later(200 * time.Second) // until the clock has caught up
	}
	w.pass(3 * timeToLive)
	w.even(alive...)
	used := make(map[int]bool)
	for _, m := range alive {
		if used[m.Slot()] {
			r.Errorf("slot %d is had by two", m.Slot())
		}
		used[m.Slot()] = true
		if n := len(m.Peers()); n != len(alive)-1 {
			r.Errorf("%s has %d peers, want %d", m.ID(), n, len(alive)-1)
		}
	}
}

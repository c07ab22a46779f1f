package cluster_test

import (
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"muster/internal/cluster"
	"muster/internal/store"
)

const (
	beat       = time.Second
	timeToLive = 5 * time.Second
	parts      = 64
)

// tester is what a test and a property have in common.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// world is some nodes on one database, and the time, which only the test moves.
type world struct {
	tester
	t     *testing.T
	log   *slog.Logger
	db    *database
	store cluster.Updater // db, unless a test has put another in its place

	mu   sync.Mutex
	now  time.Time     // guarded by mu: the true time
	skew time.Duration // guarded by mu: of the database's clock

	members []*member
	seen    []int // by a test
}

// member is a node of a world.
type member struct {
	*cluster.Node
	hangs bool // says nothing
	gone  bool // has left
	told  int  // how often OnChange has called
}

func newWorld(t *testing.T) *world {
	w := newWorldFor(t, t)
	w.log = slog.New(slog.NewTextHandler(t.Output(), nil))
	return w
}

func newWorldFor(t *testing.T, in tester) *world {
	w := &world{tester: in, t: t, log: slog.New(slog.DiscardHandler), now: time.Unix(1_700_000_000, 0)}
	w.db = newDatabase(parts, func() time.Time { return w.time(0) })
	w.store = w.db
	return w
}

// time returns the true time and how much a clock is wrong; that of the database if it is 0.
func (w *world) time(skew time.Duration) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if skew == 0 {
		skew = w.skew
	}
	return w.now.Add(skew)
}

// setClock sets the clock of the database.
func (w *world) setClock(skew time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.skew = skew
}

func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// join lets a node join whose machine's clock is wrong.
func (w *world) join(skew time.Duration) *member {
	w.Helper()
	m, err := w.tryJoin(skew)
	if err != nil {
		w.Fatal(err)
	}
	return m
}

func (w *world) tryJoin(skew time.Duration) (*member, error) {
	const nearly = time.Nanosecond // not 0, which is the database's
	n, err := cluster.Join(w.t.Context(), cluster.Config{
		Store: w.store, Address: "address", Beat: beat, TTL: timeToLive,
		Log: w.log,
		Now: func() time.Time { return w.time(skew + nearly) },
	})
	if err != nil {
		return nil, err
	}
	m := &member{Node: n}
	n.OnChange(func() { m.told++ })
	w.members = append(w.members, m)
	return m, nil
}

// three returns three nodes that have settled.
func (w *world) three() (a, b, c *member) {
	w.Helper()
	a, b, c = w.join(-7*time.Minute), w.join(3*time.Minute), w.join(time.Second)
	w.pass(4 * time.Second)
	w.even(a, b, c)
	return a, b, c
}

// beat lets a node beat, which must succeed.
func (w *world) beat(ms ...*member) {
	w.Helper()
	for _, m := range ms {
		if err := m.Beat(w.t.Context()); err != nil {
			w.Fatal(err)
		}
	}
}

// pass lets time go by, in which all beat that do not hang.
func (w *world) pass(d time.Duration) {
	w.Helper()
	for range d / beat {
		w.later(beat)
		for _, m := range w.members {
			if !m.hangs {
				_ = m.Beat(w.t.Context()) // the database may be down
			}
		}
		w.apart()
	}
}

// apart checks that no part is worked on by two.
func (w *world) apart() {
	w.Helper()
	var owners [parts]*member
	for _, m := range w.members {
		for _, p := range m.Parts() {
			if o := owners[p.Part]; o != nil {
				w.Fatalf("part %d is worked on by %s and by %s", p.Part, o.ID(), m.ID())
			}
			owners[p.Part] = m
		}
	}
}

// even checks that the nodes have all parts among them and as many each.
func (w *world) even(ms ...*member) {
	w.Helper()
	w.apart()
	total := 0
	for _, m := range ms {
		n := len(m.Parts())
		total += n
		if n != parts/len(ms) && n != (parts+len(ms)-1)/len(ms) {
			w.Errorf("%s has %d parts of %d among %d", m.ID(), n, parts, len(ms))
		}
	}
	if total != parts {
		w.Errorf("%d parts are worked on, want %d", total, parts)
	}
}

// ids returns the ids of members, in order.
func ids(ms ...*member) []string {
	var all []string
	for _, m := range ms {
		all = append(all, m.ID())
	}
	slices.Sort(all)
	return all
}

func idsOf(ns []store.Node) []string {
	var all []string
	for _, n := range ns {
		all = append(all, n.ID)
	}
	return all
}

// peers checks whom a node takes to live and to be dead.
func (w *world) peers(m *member, live, dead []string) {
	w.Helper()
	if got := idsOf(m.Peers()); !slices.Equal(got, live) {
		w.Errorf("peers %v, want %v", got, live)
	}
	if got := idsOf(m.Dead()); !slices.Equal(got, dead) {
		w.Errorf("dead %v, want %v", got, dead)
	}
}

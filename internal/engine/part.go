package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"muster/internal/store"
)

// Part is a part that the loops of an engine work on.
type Part struct {
	Part int
	// Fence is shown to the store, which refuses one that is out of date; 0 is
	// not checked.
	Fence int64
}

// Tasks is a set of the kinds of work that loops find in parts.
type Tasks uint8

// The tasks.
const (
	// Membership is to follow changes of the registry.
	Membership Tasks = 1 << iota
	// Progress is to roll out and to sweep.
	Progress
	// Outbox is to tell devices.
	Outbox
	// Completion is to complete jobs. It is nobody's but that of the owner of part 0.
	Completion

	inParts = Membership | Progress | Outbox
)

// leading is the part whose owner does what one engine does for all.
const leading = 0

// everything returns all parts, for an engine that is alone.
func everything(parts int) []Part {
	all := make([]Part, parts)
	for p := range all {
		all[p].Part = p
	}
	return all
}

// owned returns a part with its fence, if the loops work on it.
func (e *Engine) owned(part int) (Part, bool) {
	parts := e.parts()
	i := slices.IndexFunc(parts, func(p Part) bool { return p.Part == part })
	if i < 0 {
		return Part{}, false
	}
	return parts[i], true
}

// rouse makes the loops look at parts, also those of other engines.
func (e *Engine) rouse(tasks Tasks, parts ...int) {
	e.flags.raise(tasks, parts...)
	e.nudge()
	if e.peers == nil {
		return
	}
	for _, part := range parts {
		if _, mine := e.owned(part); !mine {
			e.peers.Wake(Wake{Part: part, Tasks: tasks})
		}
	}
}

// rouseAll is rouse for every part.
func (e *Engine) rouseAll(tasks Tasks) {
	for part := range e.store.Parts() {
		e.rouse(tasks, part)
	}
}

// expect makes the timers look at a part at a time, in milliseconds.
func (e *Engine) expect(part int, due int64) {
	if e.timers.earlier(part, due) {
		e.nudge()
	}
	if e.peers == nil {
		return
	}
	if _, mine := e.owned(part); !mine {
		e.peers.Wake(Wake{Part: part, Due: due})
	}
}

// lookEvery is how often an engine that shares its parts with others looks at
// what there is to do, in case that nobody could wake it.
const lookEvery = time.Second

func (e *Engine) lookNext(context.Context) (time.Time, error) {
	if e.alone {
		return time.Time{}, nil
	}
	return time.UnixMilli(e.lookAt.Load()), nil
}

// lookOnce looks at what there is to do in the parts that are the engine's now.
func (e *Engine) lookOnce(ctx context.Context, now time.Time) (int, error) {
	e.lookAt.Store(now.Add(lookEvery).UnixMilli())
	own := e.parts()
	parts := make([]int, 0, len(own))
	for _, p := range own {
		parts = append(parts, p.Part)
	}
	if len(parts) == 0 {
		return 0, nil
	}
	var busy []store.Busy
	err := e.store.View(ctx, func(r store.Reader) error {
		var err error
		busy, err = r.Busy(parts)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, b := range busy {
		e.flags.raise(tasksOf(b), b.Part)
		if b.Due != 0 {
			e.timers.earlier(b.Part, b.Due)
		}
	}
	for _, p := range own {
		if !slices.ContainsFunc(busy, func(b store.Busy) bool { return b.Part == p.Part && b.Dirty }) {
			e.outbox.empty(p)
		}
	}
	if slices.Contains(parts, leading) {
		e.flags.raise(Completion, leading)
	}
	e.nudge() // the outbox, which runs beside this
	return 0, nil
}

func tasksOf(b store.Busy) Tasks {
	var t Tasks
	if b.Changes {
		t |= Membership
	}
	if b.Work {
		t |= Progress
	}
	if b.Dirty {
		t |= Outbox
	}
	return t
}

// Look makes the engine look at what there is to do. Call it when the parts that
// its loops work on have changed.
func (e *Engine) Look() {
	e.lookAt.Store(1)
	e.nudge()
}

// flags say what loops may have to do, by part.
type flags struct {
	mu    sync.Mutex
	parts []Tasks // guarded by mu
}

func (f *flags) raise(tasks Tasks, parts ...int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range parts {
		if p >= 0 && p < len(f.parts) {
			f.parts[p] |= tasks
		}
	}
}

// take lowers the flags of a task and returns those of the parts given that had one.
func (f *flags) take(task Tasks, of []Part) []Part {
	f.mu.Lock()
	defer f.mu.Unlock()
	var up []Part
	for _, p := range of {
		if f.parts[p.Part]&task != 0 {
			up = append(up, p)
		}
	}
	for p := range f.parts {
		f.parts[p] &^= task
	}
	return up
}

// up reports whether any part has a task.
func (f *flags) up(task Tasks) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.parts, func(t Tasks) bool { return t&task != 0 })
}

// alarms hold for each part a lower bound of when it has to be looked at, in
// milliseconds; 0 is never.
type alarms struct {
	mu sync.Mutex
	at []int64 // guarded by mu
}

// earlier moves the alarm of a part to at if that is sooner, and reports whether it did.
func (a *alarms) earlier(part int, at int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if part < 0 || part >= len(a.at) || a.at[part] != 0 && a.at[part] <= at {
		return false
	}
	a.at[part] = at
	return true
}

// next returns the first alarm of some parts, or 0.
func (a *alarms) next(of []Part) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	var first int64
	for _, p := range of {
		if at := a.at[p.Part]; at != 0 && (first == 0 || at < first) {
			first = at
		}
	}
	return first
}

// take turns off the alarms of some parts that have come at now, and returns those parts.
func (a *alarms) take(of []Part, now int64) []Part {
	a.mu.Lock()
	defer a.mu.Unlock()
	var due []Part
	for _, p := range of {
		if at := a.at[p.Part]; at != 0 && at <= now {
			a.at[p.Part] = 0
			due = append(due, p)
		}
	}
	return due
}

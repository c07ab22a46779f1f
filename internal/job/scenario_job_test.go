package job_test

import (
	"cmp"
	"maps"
	"slices"

	"muster/internal/apierr"
	"muster/internal/job"
)

// job returns the job with the id, or NotFound.
func (w *world) job(id string) (*job.Job, error) {
	for _, j := range w.jobs {
		if j.ID == id {
			return j, nil
		}
	}
	return nil, apierr.New(apierr.NotFound, "Job %s not found.", id)
}

// allJobs returns the jobs, oldest first.
func (w *world) allJobs() []*job.Job {
	return slices.SortedFunc(maps.Values(w.jobs), func(a, b *job.Job) int { return cmp.Compare(a.UID, b.UID) })
}

// following returns the continuous jobs in progress that have the group as a target.
func (w *world) following(group string) []*job.Job {
	var js []*job.Job
	for _, j := range w.allJobs() {
		follows := slices.ContainsFunc(j.Targets, func(t job.Target) bool { return t.Kind == job.GroupTarget && t.Name == group })
		if j.Selection == job.Continuous && j.State == job.Active && follows {
			js = append(js, j)
		}
	}
	return js
}

// target returns the thing or group of that name as a target.
func (w *world) target(name string) job.Target {
	if w.groups[name] != nil {
		return job.Target{Kind: job.GroupTarget, Name: name}
	}
	return job.Target{Kind: job.ThingTarget, Name: name, UID: w.things[name]}
}

// createJob is create-job ID TARGET... [continuous] [timeout=MINUTES]
// [namespace=NS] [held]: held waits with the rollout for that command.
func (w *world) createJob(l line) error {
	s := job.Spec{
		ID: l.word(0), Namespace: l.options["namespace"], Selection: job.Snapshot, TimeoutMinutes: l.number("timeout"),
	}
	for _, name := range l.words[1:] {
		switch name {
		case "held":
		case "continuous":
			s.Selection = job.Continuous
		default:
			s.Targets = append(s.Targets, w.target(name))
		}
	}
	if _, err := w.job(s.ID); err == nil {
		return apierr.New(apierr.AlreadyExists, "Job %s already exists.", s.ID)
	}
	j := job.New(s, w.uids.Next(w.now), w.now)
	w.jobs[j.UID] = &j
	w.rolling[j.UID] = true
	if l.has("held") {
		return nil
	}
	return w.rollout(&j, j.Targets, j.UID)
}

// rolloutAgain is rollout ID: the loop, for the first time or as after a crash.
func (w *world) rolloutAgain(l line) error {
	j, err := w.job(l.word(0))
	if err != nil {
		return err
	}
	return w.rollout(j, j.Targets, j.UID)
}

// rollout queues the job on its targets. seq is the change that started it: a
// snapshot takes who was a member by then.
func (w *world) rollout(j *job.Job, targets []job.Target, seq int64) error {
	for _, t := range targets {
		members := map[string]int64{t.Name: 0}
		if t.Kind == job.GroupTarget {
			members = w.groups[t.Name]
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if j.Selection == job.Snapshot && members[name] > seq {
				continue
			}
			if err := w.enqueue(name, j, seq); err != nil {
				return err
			}
		}
	}
	delete(w.rolling, j.UID)
	return nil
}

func (w *world) enqueue(thing string, j *job.Job, seq int64) error {
	return w.change(job.Ref{Thing: thing, JobUID: j.UID, History: true}, func(q *job.Queue) error {
		q.Enqueue(seq, w.now)
		return nil
	})
}

// associate is associate ID TARGET...
func (w *world) associate(l line) error {
	var more []job.Target
	for _, name := range l.words[1:] {
		more = append(more, w.target(name))
	}
	err := w.changeJob(l, func(j job.Job) (job.Job, error) { return j.Associate(more, "", w.now) })
	if err != nil {
		return err
	}
	j, err := w.job(l.word(0))
	if err != nil {
		return err
	}
	return w.rollout(j, more, w.uids.Next(w.now))
}

// updateJob is update-job ID timeout=MINUTES.
func (w *world) updateJob(l line) error {
	minutes := l.number("timeout")
	return w.changeJob(l, func(j job.Job) (job.Job, error) { return j.Update(job.Patch{TimeoutMinutes: &minutes}, w.now) })
}

// cancelJob is cancel-job ID [force] [held]: held waits with the sweep.
func (w *world) cancelJob(l line) error {
	return w.changeJob(l, func(j job.Job) (job.Job, error) { return j.Cancel(job.CancelJob{Force: l.has("force")}, w.now) })
}

// deleteJob is delete-job ID [force] [held].
func (w *world) deleteJob(l line) error {
	return w.changeJob(l, func(j job.Job) (job.Job, error) { return j.Delete(l.has("force"), w.now) })
}

// changeJob changes the job row, says so, and sweeps unless that is held.
func (w *world) changeJob(l line, fn func(job.Job) (job.Job, error)) error {
	j, err := w.job(l.word(0))
	if err != nil {
		return err
	}
	next, err := fn(*j)
	if err != nil {
		return err
	}
	w.jobs[next.UID] = &next
	if next.State != j.State {
		w.printf("%s %s", next.ID, next.State)
		delete(w.rolling, next.UID)
	}
	if l.has("held") {
		w.rolling[next.UID] = true
		return nil
	}
	return w.sweepJob(l)
}

// sweepJob is sweep ID: the loop settles the things that have the job.
func (w *world) sweepJob(l line) error {
	j, err := w.job(l.word(0))
	if err != nil {
		return err
	}
	delete(w.rolling, j.UID)
	for _, ref := range w.holders(j.UID) {
		if err := w.change(ref, func(q *job.Queue) error { q.Settle(w.now); return nil }); err != nil {
			return err
		}
	}
	return nil
}

// timers is the loop that watches deadlines.
func (w *world) timers(line) error {
	for _, ref := range w.due(w.now) {
		if err := w.change(ref, func(q *job.Queue) error { q.Settle(w.now); return nil }); err != nil {
			return err
		}
	}
	return nil
}

// endJobs is the loop that decides completion and lets deleted jobs disappear.
func (w *world) endJobs() {
	for _, j := range w.allJobs() {
		live := w.counts[j.UID].Live()
		if next, ok := j.Complete(w.rolling[j.UID], live, w.now); ok {
			w.jobs[j.UID] = &next
			w.printf("%s %s", next.ID, next.State)
		}
		if j.State == job.Deleting && !w.rolling[j.UID] && live == 0 {
			w.forget(j.UID)
			w.printf("%s deleted", j.ID)
		}
	}
}

package job_test

import (
	"testing"

	"muster/internal/apierr"
	"muster/internal/job"
)

func TestExpectedVersion(t *testing.T) {
	t.Parallel()
	version := func(n int64) *int64 { return &n }
	queued := execution(active("job1", 1), job.Queued)
	ended := execution(active("job1", 1), job.Succeeded)
	ended.Details = map[string]string{"s": "1"}
	for _, c := range []struct {
		name     string
		x        job.Execution
		expected *int64
		kind     apierr.Kind // 0 is no error
		message  string
	}{
		{"none", queued, nil, 0, ""},
		{"the current one", queued, version(1), 0, ""},
		{"one from the future", queued, version(99), apierr.VersionMismatch, "Expected version 99 but found version 1"},
		{"zero", queued, version(0), apierr.VersionMismatch, "Expected version 0 but found version 1"},
		{"a negative one", queued, version(-1), apierr.VersionMismatch, "Expected version -1 but found version 1"},
		{"a stale one of a finished execution: version before transition", ended, version(2), apierr.VersionMismatch, "Expected version 2 but found version 3"},
		{"the current one of a finished execution", ended, version(3), apierr.InvalidTransition, "Job execution cannot go from SUCCEEDED to CANCELED."},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			// A cancel checks like an update; only what it goes to differs.
			q := queueFor(c.x)
			got, err := q.Cancel(job.Cancel{ExpectedVersion: c.expected}, t0+minute)
			checkVersioned(t, q, c.x, got, err, c.kind, c.message)
			if c.kind == apierr.InvalidTransition {
				return
			}
			q = queueFor(c.x)
			got, err = q.Update(job.Update{Status: job.Failed, ExpectedVersion: c.expected}, t0+minute)
			checkVersioned(t, q, c.x, got, err, c.kind, c.message)
		})
	}
}

func checkVersioned(t *testing.T, q *job.Queue, before, got job.Execution, err error, k apierr.Kind, message string) {
	t.Helper()
	if k == 0 {
		if err != nil || got.Version != before.Version+1 {
			t.Errorf("got version %d, error %v, want version %d", got.Version, err, before.Version+1)
		}
		return
	}
	refused(t, err, k, message, before)
	same(t, "execution after the refusal", asked(t, q), before)
	same(t, "returned execution", got, before)
	same(t, "changes after the refusal", len(q.Changes()), 0)
}

func TestVersionGrowsWithEveryReport(t *testing.T) {
	t.Parallel()
	q := queueFor(execution(active("job1", 1), job.Queued))
	for want := int64(2); want < 6; want++ { // the same report again is a change, too
		same(t, "version", progress(t, q, t0+want*second, 0).Version, want)
	}
	same(t, "time of the last change", asked(t, q).UpdatedAt, t0+5*second)
	same(t, "start", asked(t, q).StartedAt, t0+2*second)
}

func TestStatusDetails(t *testing.T) {
	t.Parallel()
	stored := map[string]string{"step": "1", "of": "3"}
	for _, c := range []struct {
		name       string
		sent, want map[string]string
	}{
		{"absent leaves them alone", nil, stored},
		{"empty leaves them alone", map[string]string{}, stored},
		{"a map replaces them all", map[string]string{"step": "2"}, map[string]string{"step": "2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := execution(active("job1", 1), job.InProgress)
			x.Details = stored
			got, err := queueFor(x).Update(job.Update{Status: job.Succeeded, Details: c.sent}, t0)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "details after an update", got.Details, c.want)
			got, err = queueFor(x).Cancel(job.Cancel{Force: true, Details: c.sent}, t0)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "details after a cancel", got.Details, c.want)
		})
	}
}

func TestStartNext(t *testing.T) {
	t.Parallel()
	q := queueFor(
		execution(active("job1", 1), job.Queued),
		execution(active("job2", 2), job.Queued))
	x, ok, err := q.StartNext("", job.Start{Details: map[string]string{"k": "v"}}, t0+minute)
	if err != nil || !ok {
		t.Fatalf("got %v, %v, want an execution", ok, err)
	}
	want := execution(active("job1", 1), job.InProgress)
	want.StartedAt, want.UpdatedAt = t0+minute, t0+minute
	want.Details = map[string]string{"k": "v"}
	same(t, "started", x, want)

	x, ok, err = q.StartNext("", job.Start{Details: map[string]string{"other": "v"}}, t0+2*minute)
	if err != nil || !ok {
		t.Fatalf("got %v, %v, want an execution", ok, err)
	}
	same(t, "what runs is returned as it is", x, want)
}

func TestStartNextOfAnEmptyQueue(t *testing.T) {
	t.Parallel()
	x, ok, err := queueFor(execution(active("job1", 1), job.Succeeded)).StartNext("", job.Start{}, t0)
	if ok || err != nil {
		t.Errorf("got %v, %v, %v, want nothing and no error", x, ok, err)
	}
	for name, thing := range map[string]job.Thing{
		"no such thing": {Name: "thing1"}, "a thing that is gone": {Name: "thing1", UID: 7, Gone: true},
	} {
		_, _, err := job.NewQueue(thing, nil).StartNext("", job.Start{}, t0)
		if !apierr.Is(err, apierr.NotFound) {
			t.Errorf("%s: got %v, want not found", name, err)
		}
	}
}

func TestCancelMarksWhatItForced(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s            job.Status
		force, marks bool
	}{
		{job.Queued, false, false}, {job.Queued, true, false}, {job.InProgress, true, true},
	} {
		x, err := queueFor(execution(active("job1", 1), c.s)).Cancel(job.Cancel{Force: c.force}, t0)
		if err != nil || x.Status != job.Canceled || x.ForceCanceled != c.marks {
			t.Errorf("%s with force %v: got %s, forced %v, error %v, want CANCELED, forced %v", c.s, c.force, x.Status, x.ForceCanceled, err, c.marks)
		}
	}
}

func TestDeleteOfWhatRunsNeedsForce(t *testing.T) {
	t.Parallel()
	x := execution(active("job1", 1), job.InProgress)
	q := queueFor(x)
	refused(t, q.Delete(false, t0), apierr.InvalidTransition, "Job execution in status IN_PROGRESS can only be deleted with force.", x)
	same(t, "execution", asked(t, q), x)
	same(t, "heads", len(q.Heads()), 0)
}

// TestSettle shows what a job's own state does to the executions that no loop
// has reached yet.
func TestSettle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		state  job.State
		forced bool
		from   job.Status
		want   string
	}{
		{"a job in progress leaves them alone", job.Active, false, job.InProgress, "unchanged"},
		{"a canceled job ends what is queued", job.Stopped, false, job.Queued, "CANCELED"},
		{"a canceled job leaves what runs", job.Stopped, false, job.InProgress, "unchanged"},
		{"a force-canceled job ends what is queued", job.Stopped, true, job.Queued, "CANCELED"},
		{"a force-canceled job ends what runs", job.Stopped, true, job.InProgress, "CANCELED"},
		{"a deleted job takes what is queued", job.Deleting, false, job.Queued, "gone"},
		{"a deleted job takes what runs", job.Deleting, false, job.InProgress, "gone"},
		{"a scheduled job leaves what waits", job.Scheduled, false, job.Queued, "unchanged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := with(active("job1", 1), func(b *job.Brief) { b.State, b.Forced = c.state, c.forced })
			q := queueFor(execution(b, c.from))
			q.Settle(t0 + minute)
			got := "unchanged"
			for _, ch := range q.Changes() {
				got = ch.After.Status.String()
				if ch.After.Status == job.None {
					got = "gone"
				}
				if forced := c.from == job.InProgress && got == "CANCELED"; ch.After.ForceCanceled != forced {
					t.Errorf("forced: got %v, want %v", ch.After.ForceCanceled, forced)
				}
			}
			same(t, "outcome", got, c.want)
			again := len(q.Changes())
			q.Settle(t0 + minute)
			same(t, "changes after settling again", len(q.Changes()), again)
		})
	}
}

// TestEverythingStandsOnSettle shows that nobody acts on what a canceled job
// has queued, although the loop has not reached it.
func TestEverythingStandsOnSettle(t *testing.T) {
	t.Parallel()
	b := with(active("job1", 1), func(b *job.Brief) { b.State = job.Stopped })
	canceled := execution(b, job.Canceled)
	canceled.Version, canceled.StartedAt, canceled.UpdatedAt = 2, 0, t0+minute
	for name, do := range map[string]func(*job.Queue){
		"update":     func(q *job.Queue) { _, _ = q.Update(job.Update{Status: job.InProgress}, t0+minute) },
		"start-next": func(q *job.Queue) { _, _, _ = q.StartNext("", job.Start{}, t0+minute) },
		"cancel":     func(q *job.Queue) { _, _ = q.Cancel(job.Cancel{}, t0+minute) },
		"enqueue":    func(q *job.Queue) { q.Enqueue(100, t0+minute) },
		"leave":      func(q *job.Queue) { q.Leave(100, t0+minute) },
		"remove all": func(q *job.Queue) { q.RemoveAll(t0 + minute) },
	} {
		q := queueFor(execution(b, job.Queued))
		do(q)
		same(t, "execution after "+name, asked(t, q), canceled)
	}
}

func TestEnqueue(t *testing.T) {
	t.Parallel()
	q := queueFor()
	q.Job, q.Ref = active("job1", 5), job.Ref{JobID: "job1", History: true}
	if !q.Enqueue(5, t0+minute) {
		t.Fatal("not queued")
	}
	want := execution(q.Job, job.Queued)
	want.QueuedAt, want.UpdatedAt = t0+minute, t0+minute
	same(t, "queued", asked(t, q), want)
	same(t, "heads", len(q.Heads()), 0) // the execution itself holds the number
}

func TestEnqueueOnlyForAThingAndAnActiveJob(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		q    *job.Queue
		b    *job.Brief
	}{
		{"no such thing", job.NewQueue(job.Thing{Name: "thing1"}, nil), active("job1", 1)},
		{"a thing that is gone", job.NewQueue(job.Thing{Name: "thing1", UID: 7, Gone: true}, nil), active("job1", 1)},
		{"no such job", queueFor(), nil},
		{"a canceled job", queueFor(), &job.Brief{UID: 1, State: job.Stopped}},
		{"a completed job", queueFor(), &job.Brief{UID: 1, State: job.Completed}},
		{"a job being deleted", queueFor(), &job.Brief{UID: 1, State: job.Deleting}},
		{"a job that waits for its schedule", queueFor(), &job.Brief{UID: 1, State: job.Scheduled}},
	} {
		c.q.Job, c.q.Ref = c.b, job.Ref{History: true}
		if c.q.Enqueue(1, t0) || len(c.q.Changes()) > 0 {
			t.Errorf("%s: queued, want nothing", c.name)
		}
	}
}

// TestTargets walks through joins, leaves and reruns of one thing and one job.
// Numbers tell the changes apart. They say nothing about the order: that is the
// one in which the steps come, whatever clocks have made the numbers.
func TestTargets(t *testing.T) {
	t.Parallel()
	type step struct {
		do   string
		seq  int64
		want bool
	}
	for _, c := range []struct {
		name  string
		steps []step
		want  []int64 // the numbers of the executions there are
	}{
		{"the first change queues", []step{{"enqueue", 1, true}}, []int64{1}},
		{"a rerun queues nothing twice", []step{{"enqueue", 1, true}, {"enqueue", 1, false}}, []int64{1}},
		{"nor after the end", []step{{"enqueue", 1, true}, {"finish", 0, true}, {"enqueue", 1, false}}, []int64{1}},
		{"a second group queues nothing twice", []step{{"enqueue", 1, true}, {"enqueue", 2, false}}, []int64{1}},
		{"a join after a leave queues anew", []step{{"enqueue", 1, true}, {"leave", 2, true}, {"enqueue", 3, true}}, []int64{1, 2}},
		{"also one that had finished", []step{{"enqueue", 1, true}, {"finish", 0, true}, {"leave", 2, true}, {"enqueue", 3, true}}, []int64{1, 2}},
		{"and again", []step{{"enqueue", 1, true}, {"leave", 2, true}, {"enqueue", 3, true}, {"leave", 4, true}, {"enqueue", 5, true}}, []int64{1, 2, 3}},
		{"also by a lower number, from a clock that is behind", []step{{"enqueue", 5, true}, {"leave", 6, true}, {"enqueue", 3, true}}, []int64{1, 2}},
		{"a leave by a lower number ends it, too", []step{{"enqueue", 5, true}, {"leave", 3, true}}, []int64{1}},
		{"a leave does not end what a younger membership has queued", []step{{"enqueue", 3, true}, {"leave before 3", 2, false}}, []int64{1}},
		{"nor what it had queued and has finished", []step{{"enqueue", 3, true}, {"finish", 0, true}, {"leave before 3", 2, false}, {"enqueue", 4, false}}, []int64{1}},
		{"but what another has", []step{{"enqueue", 1, true}, {"leave before 3", 2, true}, {"enqueue", 3, true}}, []int64{1, 2}},
		{"a leave runs once", []step{{"enqueue", 1, true}, {"leave", 2, true}, {"leave", 2, false}}, []int64{1}},
		{"who was no target cannot leave", []step{{"leave", 1, false}, {"enqueue", 2, true}}, []int64{1}},
		{"a deleted number is not used again", []step{{"enqueue", 1, true}, {"delete", 0, true}, {"leave", 2, true}, {"enqueue", 3, true}}, []int64{2}},
		{"and the deletion is no reason to queue", []step{{"enqueue", 1, true}, {"delete", 0, true}, {"enqueue", 1, false}}, nil},
		{"the highest number counts, not the last deleted", []step{
			{"enqueue", 1, true}, {"leave", 2, true}, {"enqueue", 3, true}, {"delete", 0, true},
			{"delete", 0, true}, {"leave", 4, true}, {"enqueue", 5, true},
		}, []int64{3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMemory()
			m.things["thing1"] = 7
			b := job.New(job.Spec{ID: "job1"}, 1, t0)
			m.jobs[1] = &b
			for i, s := range c.steps {
				got := false
				err := m.serve(call{job.Ref{Thing: "thing1", JobUID: 1, History: true}, func(q *job.Queue) error {
					got = take(q, s.do, s.seq, t0+int64(i)*second)
					return nil
				}})
				if got != s.want || err[0] != nil {
					t.Fatalf("step %d, %s %d: got %v, %v, want %v", i, s.do, s.seq, got, err, s.want)
				}
			}
			var numbers []int64
			for _, x := range m.executions() {
				numbers = append(numbers, x.Number)
			}
			same(t, "numbers", numbers, c.want)
		})
	}
}

func take(q *job.Queue, do string, seq, now int64) bool {
	switch do {
	case "enqueue":
		return q.Enqueue(seq, now)
	case "leave":
		return q.Leave(seq, now)
	case "leave before 3":
		return q.Leave(seq, now, 3, 4)
	case "delete":
		return q.Delete(false, now) == nil
	case "finish":
		_, err := q.Update(job.Update{Status: job.Succeeded}, now)
		return err == nil
	}
	return false
}

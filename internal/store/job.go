package store

import "muster/internal/job"

// JobKey orders jobs in lists: by state, then newest first, then uid.
type JobKey struct {
	State     job.State
	CreatedAt int64
	UID       int64
}

// JobFilter selects jobs. Zero members select everything.
type JobFilter struct {
	State     job.State
	Selection job.Selection
	// Namespace selects jobs of one namespace.
	Namespace string
	// GroupUID selects jobs that have the group among their targets.
	GroupUID int64
}

// JobReader reads jobs.
type JobReader interface {
	// JobByID returns the job with the given id, or apierr.NotFound naming it.
	JobByID(id string) (job.Job, error)
	// JobByUID returns the job with the given uid, or apierr.NotFound.
	JobByUID(uid int64) (job.Job, error)
	// Document returns the job's document as it was given, or apierr.NotFound.
	Document(uid int64) (string, error)
	// Counts returns how many executions of the job have each status. A job
	// without executions has zeros.
	Counts(uid int64) (job.Counts, error)
	// Jobs returns a page of the jobs that match, in JobKey order, and whether
	// more may follow. It may look at a bounded number of rows, so that a page
	// can be short, even empty, with more to follow; next is where to go on.
	Jobs(f JobFilter, p Page[JobKey]) (jobs []job.Job, next JobKey, more bool, err error)
	// ContinuousJobs returns the uids of active continuous jobs that have any
	// of the groups among their targets, in uid order.
	ContinuousJobs(groups []int64) ([]int64, error)
	// CountJobs returns how many jobs are in a state, counting no further than limit.
	CountJobs(s job.State, limit int) (int, error)
	// MarkedJobs returns up to limit marks, oldest first: jobs whose completion
	// must be looked at because the last live execution of a part, or the last
	// work, has gone. A job may have several, one a part.
	MarkedJobs(limit int) ([]JobMark, error)
}

// JobMark says that a job's completion must be looked at.
type JobMark struct {
	// Part is where the mark was left; 0 in a store that leaves one for all parts.
	Part   int
	JobUID int64
	// Seq grows each time the mark is left again.
	Seq int64
}

// JobWriter writes jobs.
type JobWriter interface {
	// InsertJob stores a new job and its document. It returns
	// apierr.AlreadyExists if the id is taken.
	InsertJob(j job.Job, document string) error
	// UpdateJob stores everything of j that may change: state, words, timeout,
	// targets and times. It returns apierr.NotFound if the uid is gone.
	UpdateJob(j job.Job) error
	// DeleteJob removes the job, its document, counts, heads, targets and all marks.
	// The caller has removed its executions and work.
	DeleteJob(uid int64) error
	// MarkJob leaves a mark for the loop that decides completion.
	MarkJob(uid int64) error
	// UnmarkJob removes the mark if it has not been marked again since.
	UnmarkJob(m JobMark) error
}

package job

import (
	"fmt"
	"slices"

	"muster/internal/apierr"
)

// Quotas of jobs [job-limits].
const (
	// MaxTargets is how many targets a job may have.
	MaxTargets = 100
	// MaxDocument is the size of a job document in bytes.
	MaxDocument = 32768
	// MaxDeleting is how many jobs may be in DELETION_IN_PROGRESS at once.
	MaxDeleting = 10
	// MaxListed is how many pending executions are listed to a device.
	MaxListed = 10
)

// TargetKind says what a target names.
type TargetKind uint8

// The kinds. The numbers are stored, so they must never change.
const (
	ThingTarget TargetKind = iota + 1
	GroupTarget
)

// Target is a thing or a thing group that a job is for.
type Target struct {
	Kind TargetKind
	// Name is the thing's or the group's name.
	Name string
	// UID is the identity that had the name when it was made a target.
	UID int64
}

// Spec is what an operator asks for [CreateJob].
type Spec struct {
	ID          string
	Namespace   string
	Description string
	// Document is JSON text, kept byte for byte.
	Document string
	// Targets holds at least one; duplicates collapse.
	Targets   []Target
	Selection Selection
	// TimeoutMinutes is the in-progress timeout; 0 is none.
	TimeoutMinutes int64
}

// Job is an update for a set of things. It is a value: methods return a changed copy.
type Job struct {
	// Brief is what executions know of it.
	Brief
	Description string
	Targets     []Target
	Selection   Selection
	// ReasonCode and Comment are the last operator's words.
	ReasonCode, Comment string
	// UpdatedAt and CompletedAt are in milliseconds since the epoch; CompletedAt is 0 unless COMPLETED.
	UpdatedAt, CompletedAt int64
}

// New returns the job that spec asks for, with the given uid, at time now. The
// document is not part of it.
func New(s Spec, uid, now int64) Job {
	return Job{
		Brief:       Brief{UID: uid, ID: s.ID, Namespace: s.Namespace, CreatedAt: now, State: Active, TimeoutMinutes: s.TimeoutMinutes},
		Description: s.Description,
		Targets:     Unique(s.Targets),
		Selection:   s.Selection,
		UpdatedAt:   now,
	}
}

// Unique returns the targets without repeats, in their order.
func Unique(targets []Target) []Target {
	var out []Target
	for _, t := range targets {
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// CancelJob is what an operator says when canceling a job [CancelJob].
type CancelJob struct {
	ReasonCode, Comment string
	Force               bool
}

// Cancel returns the job canceled. Only a job in progress or scheduled can be,
// else Invalid [divergences, U13].
func (j Job) Cancel(c CancelJob, now int64) (Job, error) {
	if j.State != Active && j.State != Scheduled {
		return j, apierr.New(apierr.Invalid, "Job %s is %s and cannot be canceled.", j.ID, j.State)
	}
	j.State, j.Forced = Stopped, c.Force
	j.ReasonCode, j.Comment = c.ReasonCode, c.Comment
	j.UpdatedAt = now
	return j, nil
}

// Delete returns the job in deletion. One that is neither completed nor
// canceled needs force, else InvalidTransition [DeleteJob].
func (j Job) Delete(force bool, now int64) (Job, error) {
	switch {
	case j.State == Deleting:
		return j, apierr.New(apierr.InvalidTransition, "Job %s is already being deleted.", j.ID)
	case !force && j.State != Completed && j.State != Stopped:
		return j, apierr.New(apierr.InvalidTransition, "Job %s is %s and can only be deleted with force.", j.ID, j.State)
	}
	j.State = Deleting
	j.UpdatedAt = now
	return j, nil
}

// Patch is a partial update; nil members are left alone [UpdateJob].
type Patch struct {
	Description *string
	// TimeoutMinutes applies to executions that start later; 0 is none.
	TimeoutMinutes *int64
}

// Update returns the job with the patch applied. A finished job cannot be
// updated, else Invalid [divergences, UpdateJob on finished jobs].
func (j Job) Update(p Patch, now int64) (Job, error) {
	if j.State != Active && j.State != Scheduled {
		return j, apierr.New(apierr.Invalid, "Job %s is %s and cannot be updated.", j.ID, j.State)
	}
	if p.Description != nil {
		j.Description = *p.Description
	}
	if p.TimeoutMinutes != nil {
		j.TimeoutMinutes = *p.TimeoutMinutes
	}
	j.UpdatedAt = now
	return j, nil
}

// Associate returns the job with more targets. Only a continuous job in
// progress takes them, else Invalid; LimitExceeded past MaxTargets [AssociateTargetsWithJob].
func (j Job) Associate(targets []Target, comment string, now int64) (Job, error) {
	if j.Selection != Continuous || j.State != Active {
		return j, apierr.New(apierr.Invalid, "Job %s is %s and %s: targets can only be added to a CONTINUOUS job that is IN_PROGRESS.", j.ID, j.Selection, j.State)
	}
	all := Unique(append(slices.Clone(j.Targets), targets...))
	if len(all) > MaxTargets {
		return j, apierr.New(apierr.LimitExceeded, "Job %s would have %d targets: at most %d are allowed.", j.ID, len(all), MaxTargets)
	}
	j.Targets = all
	if comment != "" {
		j.Comment = comment
	}
	j.UpdatedAt = now
	return j, nil
}

// Complete returns the job completed and true, if nothing is left to do:
// a snapshot job in progress whose rollout is over and which has no live
// execution. A continuous job never completes by itself [jobs-lifecycle].
func (j Job) Complete(rolling bool, live, now int64) (Job, bool) {
	if j.State != Active || j.Selection != Snapshot || rolling || live > 0 {
		return j, false
	}
	j.State = Completed
	j.UpdatedAt, j.CompletedAt = now, now
	return j, true
}

// Deleted reports whether the job can disappear: it is being deleted and the
// work of that is done.
func (j Job) Deleted(working bool) bool { return j.State == Deleting && !working }

// InNamespace returns NotFound unless namespace is empty or the job's own
// [divergences, namespaceId on job operations].
func (j Job) InNamespace(namespace string) error {
	if namespace == "" || namespace == j.Namespace {
		return nil
	}
	return apierr.New(apierr.NotFound, "Job %s not found in namespace %s.", j.ID, namespace)
}

// String returns the job's id and state, for logs.
func (j Job) String() string { return fmt.Sprintf("job %s (%s)", j.ID, j.State) }

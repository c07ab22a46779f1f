package engine

import (
	"context"

	"muster/internal/auth"
	"muster/internal/job"
	"muster/internal/store"
)

// MaxPage is the largest page of a list, and the default [divergences, U20].
const MaxPage = 250

// JobFilter selects jobs. Zero members select everything.
type JobFilter struct {
	State     job.State
	Selection job.Selection
	Namespace string
	// GroupName and GroupID select jobs that have the group among their targets.
	GroupName, GroupID string
}

// ListJobs returns a page of jobs, by state and newest first, and the position
// to go on from, empty at the end [ListJobs]. NotFound if a group is named that
// does not exist; Invalid if after is not a position.
func (e *Engine) ListJobs(ctx context.Context, p auth.Principal, f JobFilter, after string, limit int) ([]job.Job, string, error) {
	err := e.allow(ctx, p, "iot:ListJobs", onJob, "*")
	if err != nil {
		return nil, "", err
	}
	at, err := parsePosition(after, 3)
	if err != nil {
		return nil, "", err
	}
	var jobs []job.Job
	var rest string
	err = e.store.View(ctx, func(r store.Reader) error {
		filter := store.JobFilter{State: f.State, Selection: f.Selection, Namespace: f.Namespace}
		ok, err := groupFilter(r, f, &filter)
		if err != nil || !ok {
			return err
		}
		key := store.JobKey{State: job.State(at[0]), CreatedAt: at[1], UID: at[2]}
		var more bool
		jobs, key, more, err = r.Jobs(filter, store.Page[store.JobKey]{After: key, Limit: pageLimit(limit)})
		rest = position(more, int64(key.State), key.CreatedAt, key.UID)
		return err
	})
	return jobs, rest, err
}

// groupFilter fills in the group's uid, and reports whether name and id agree.
func groupFilter(r store.GroupReader, f JobFilter, filter *store.JobFilter) (bool, error) {
	if f.GroupName == "" && f.GroupID == "" {
		return true, nil
	}
	if f.GroupName == "" {
		g, err := r.GroupByID(f.GroupID)
		filter.GroupUID = g.UID
		return true, err
	}
	g, err := r.GroupByName(f.GroupName)
	filter.GroupUID = g.UID
	return f.GroupID == "" || f.GroupID == g.ID, err
}

func pageLimit(limit int) int {
	if limit < 1 || limit > MaxPage {
		return MaxPage
	}
	return limit
}

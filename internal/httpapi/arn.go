package httpapi

import (
	"strconv"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/thing"
)

// arn returns the full name of a resource of the caller's account, in the region
// that the request is for.
func (c *call) arn(k thing.Kind, name string) string {
	return thing.ARN{Region: c.principal.Region, Account: c.principal.Account, Kind: k, Name: name}.String()
}

// targets returns what the ARNs of a request name. It fails with Invalid, naming
// the entry, unless all of them are things and thing groups of the caller's
// account and region [jobs-api, CreateJob].
func (c *call) targets(arns []string) ([]job.Target, error) {
	targets := make([]job.Target, len(arns))
	for i, s := range arns {
		t, ok := c.target(s)
		if !ok {
			return nil, apierr.New(apierr.Invalid,
				"1 validation error detected: Value '%.200s' at 'targets.%s.member' failed to satisfy constraint: Member must be the ARN of a thing or a thing group in region %s and account %s",
				s, strconv.Itoa(i+1), c.principal.Region, c.principal.Account)
		}
		targets[i] = t
	}
	return targets, nil
}

func (c *call) target(s string) (job.Target, bool) {
	a, ok := thing.ParseARN(s)
	if !ok || a.Region != c.principal.Region || a.Account != c.principal.Account || !thing.IsName(a.Name) {
		return job.Target{}, false
	}
	switch a.Kind {
	case thing.ThingKind:
		return job.Target{Kind: job.ThingTarget, Name: a.Name}, true
	case thing.GroupKind:
		return job.Target{Kind: job.GroupTarget, Name: a.Name}, true
	}
	return job.Target{}, false
}

// targetARNs is the inverse of targets.
func (c *call) targetARNs(targets []job.Target) []string {
	arns := make([]string, len(targets))
	for i, t := range targets {
		kind := thing.ThingKind
		if t.Kind == job.GroupTarget {
			kind = thing.GroupKind
		}
		arns[i] = c.arn(kind, t.Name)
	}
	return arns
}

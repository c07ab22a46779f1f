package sqlite_test

import (
	"slices"
	"strings"
	"testing"

	"muster/internal/store/sqlite"
)

// small lists the tables that do not grow with the fleet or with its history.
var small = []string{"meta", "fences", "nodes", "access_keys", "k", "sqlite_master"}

// checkPlans asks SQLite how it runs each statement that the conformance suite
// has brought about. None may read a growing table from end to end or sort it,
// and none may bind a bare LIMIT, which SQLite compiles again on every run.
func checkPlans(t *testing.T, queries []string) {
	s := open(t, sqlite.Config{})
	n := 0
	for _, query := range queries {
		verb, _, _ := strings.Cut(query, " ")
		if !slices.Contains([]string{"SELECT", "INSERT", "UPDATE", "DELETE"}, verb) {
			continue
		}
		n++
		if strings.HasSuffix(query, "LIMIT ?") {
			t.Errorf("binds a bare LIMIT: %s", query)
		}
		plan, err := s.Plan(t.Context(), query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
		}
		if !cheap(plan) || !byJob(query, plan) {
			t.Errorf("%s\n\t%s", query, strings.Join(plan, "\n\t"))
		}
	}
	if n < 80 {
		t.Errorf("%d statements seen, want all", n)
	}
}

// cheap reports whether a plan reads no growing table from end to end and sorts
// none. "k" is a list that the statement is given, "(" a query inside it.
func cheap(plan []string) bool {
	for _, step := range plan {
		words := strings.Fields(step)
		if words[0] != "SCAN" || strings.HasPrefix(words[1], "(") || strings.HasSuffix(step, "VALUES CLAUSE") || step == "SCAN CONSTANT ROW" {
			continue
		}
		if !slices.Contains(small, words[1]) {
			return false
		}
		if words[1] != "k" {
			return true // all it reads is small: it may sort
		}
	}
	return !slices.ContainsFunc(plan, func(step string) bool { return strings.HasPrefix(step, "USE TEMP B-TREE") })
}

// byJob reports whether a statement about one job finds executions by it: a
// thing's history, or a part's live executions, may be long.
func byJob(query string, plan []string) bool {
	if !strings.Contains(query, "job_uid = ?") {
		return true
	}
	return !slices.ContainsFunc(plan, func(step string) bool {
		return (strings.HasPrefix(step, "SEARCH live ") || strings.HasPrefix(step, "SEARCH finished ")) && !strings.Contains(step, "job_uid=?")
	})
}

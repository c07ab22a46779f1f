package postgres_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// withParts are the tables that are keyed, and may be distributed, by part.
var withParts = []string{"parts", "live", "finished", "heads", "deadlines", "dirty", "work", "things", "members", "changes", "counts", "marks"}

// forbidden are words that keep a statement from running where it should: on
// Citus, YugabyteDB and CockroachDB, behind a pooler, or after a failover.
var forbidden = []struct{ pattern, why string }{
	{`\bOFFSET\b`, "pages go by key"},
	{`\b(LISTEN|NOTIFY)\b`, "not everywhere, and not behind a pooler"},
	{`\bpg_(try_)?advisory`, "not everywhere, and not behind a pooler"},
	{`\b(nextval|currval|serial|bigserial|IDENTITY)\b`, "identities come from here"},
	{`\bMERGE\b`, "not everywhere"},
	{`\bLOCK TABLE\b`, "not everywhere"},
	{`\b(TRIGGER|REFERENCES|FOREIGN KEY)\b`, "not across nodes"},
	{`\b(SET|PREPARE|DECLARE|CREATE TEMP)\s`, "state of a session, which a pooler gives to others"},
	{`\bSAVEPOINT\b`, "costs a round trip; what fails is run again"},
	{`\b(random|gen_random_uuid)\s*\(`, "nothing is left to chance in a statement"},
}

// clocks are functions that a statement that writes must not call: times come
// from the engine.
var clocks = regexp.MustCompile(`(?i)\b(now|clock_timestamp|statement_timestamp|current_timestamp|localtimestamp)\b`)

var (
	writes   = regexp.MustCompile(`(?i)\b(INSERT INTO|UPDATE|DELETE FROM)\s+(\w+)`)
	locks    = regexp.MustCompile(`(?i)\bFOR (NO KEY )?(UPDATE|SHARE|KEY SHARE)\b`)
	sources  = regexp.MustCompile(`(?i)\b(FROM|JOIN|USING)\s+(\w+)`)
	comments = regexp.MustCompile(`--.*`)
	part     = regexp.MustCompile(`(?i)\bpart\b`)
)

// discipline says what a statement breaks.
func discipline(sql string) []string {
	sql = comments.ReplaceAllString(sql, "")
	var broken []string
	for _, f := range forbidden {
		if regexp.MustCompile(`(?i)` + f.pattern).MatchString(withoutUpdates(sql)) {
			broken = append(broken, f.pattern+": "+f.why)
		}
	}
	wrote := writes.FindAllStringSubmatch(strings.ReplaceAll(sql, "DO UPDATE SET", "DO CHANGE"), -1)
	var touched []string
	for _, m := range wrote {
		if !strings.EqualFold(m[2], "SET") && !strings.EqualFold(m[2], "OF") {
			touched = append(touched, strings.ToLower(m[2]))
		}
	}
	if len(touched) > 0 && clocks.MatchString(sql) {
		broken = append(broken, "a write must not read a clock")
	}
	if locks.MatchString(sql) {
		for _, m := range sources.FindAllStringSubmatch(sql, -1) {
			touched = append(touched, strings.ToLower(m[2]))
		}
	}
	for _, table := range touched {
		if slices.Contains(withParts, table) && !part.MatchString(sql) {
			broken = append(broken, "a write or lock of "+table+" must name the part")
		}
	}
	return broken
}

// withoutUpdates takes the SET of an UPDATE away, which is not that of a session.
func withoutUpdates(sql string) string {
	return regexp.MustCompile(`(?i)(UPDATE( \w+){0,3}|DO UPDATE) SET\b`).ReplaceAllString(sql, "UPDATE")
}

// checkDiscipline holds every statement that the suite has brought about to it.
func checkDiscipline(t *testing.T, statements []string) {
	for _, sql := range statements {
		for _, b := range discipline(sql) {
			t.Errorf("%s\n\t%s", b, sql)
		}
	}
	if len(statements) < 90 {
		t.Errorf("%d statements seen, want all", len(statements))
	}
}

// TestDiscipline holds the checker to what it promises, since a checker that sees
// nothing passes everything.
func TestDiscipline(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sql    string
		breaks string // part of what it breaks; empty for nothing
	}{
		{`SELECT uid FROM jobs ORDER BY uid LIMIT 5`, ""},
		{`SELECT uid FROM jobs ORDER BY uid LIMIT 5 OFFSET 10`, "OFFSET"},
		{`UPDATE live x SET turn = 1 WHERE part = $1`, ""},
		{`UPDATE live x SET turn = 1 WHERE job_uid = $1`, "name the part"},
		{`DELETE FROM marks WHERE job_uid = $1`, "name the part"},
		{`DELETE FROM jobs WHERE uid = $1`, ""},
		{`SELECT fence FROM parts FOR SHARE`, "name the part"},
		{`SELECT fence FROM parts WHERE part = $1 FOR SHARE`, ""},
		{`SELECT uid FROM jobs WHERE uid = $1 FOR SHARE`, ""},
		{`INSERT INTO things (name) VALUES ($1)`, "name the part"},
		{`INSERT INTO jobs (uid, created_at) VALUES ($1, now())`, "clock"},
		{`SELECT clock_timestamp()`, ""},
		{`INSERT INTO jobs (uid) VALUES (nextval('x'))`, "identities"},
		{`SET statement_timeout = 5`, "session"},
		{`INSERT INTO jobs (uid) VALUES ($1) ON CONFLICT (uid) DO UPDATE SET id = 'x'`, ""},
		{`NOTIFY x`, "pooler"},
		{`SELECT pg_advisory_xact_lock(1)`, "pooler"},
	} {
		got := discipline(c.sql)
		if c.breaks == "" && len(got) > 0 || c.breaks != "" && (len(got) != 1 || !strings.Contains(got[0], c.breaks)) {
			t.Errorf("%s: got %q, want %q", c.sql, got, c.breaks)
		}
	}
}

package postgres_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"muster/internal/job"
	"muster/internal/pgtest"
	"muster/internal/store"
	"muster/internal/store/postgres"
	"muster/internal/thing"
)

// with adds parameters to the address of a database, as they are spelled.
func with(t *testing.T, address string, parameters ...string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.RawQuery = strings.Join(append([]string{u.RawQuery}, parameters...), "&")
	return u.String()
}

// answers stores something of each kind, with all that is not plain, and returns
// what the store makes of it.
func answers(t *testing.T, s *postgres.Store) string {
	t.Helper()
	const name = `wärme\'"`
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	err := s.Update(t.Context(), func(tx store.Tx) error {
		errs := []error{
			tx.InsertJob(job.New(job.Spec{ID: "job", Selection: job.Snapshot, Description: `\n 世`}, 1, t0), `{"do":"\\ 'é'"}`),
			tx.InsertKey(store.AccessKey{ID: "key", Sealed: binary, Name: name, CreatedAt: t0}),
			tx.PutRetained(store.Retained{Topic: "a/" + name, Stamp: 1, Expires: t0, Packet: binary}),
			tx.PutTags("job/1", []store.Tag{{Key: "é", Value: `\'`}}),
		}
		for i, n := range []string{name, "a", "B", "é", "Z", `\`} {
			errs = append(errs, tx.InsertThing(thing.Thing{UID: int64(i + 100), Name: n, ID: n, Version: 1, Attributes: map[string]string{"x": `\'é`}}))
		}
		return errors.Join(append(errs, tx.Queues([]job.Ref{{Thing: name, JobUID: 1, History: true}}, func(q *job.Queue) error {
			q.Enqueue(1, t0)
			return nil
		}))...)
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []any
	for _, status := range []job.Status{job.InProgress, job.Succeeded} {
		err = s.UpdateQueues(t.Context(), []job.Ref{{Thing: name, JobID: "job"}}, func(q *job.Queue) error {
			x, err := q.Update(job.Update{Status: status, Details: map[string]string{"é": `\'`}}, t0+1)
			got = append(got, q.Thing, x, err)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	err = s.View(t.Context(), func(r store.Reader) error {
		document, err1 := r.Document(1)
		stored, err2 := r.JobByID("job")
		counts, err3 := r.Counts(1)
		key, err4 := r.Key("key")
		retained, _, err5 := r.Retained(store.Page[string]{Limit: 10})
		tags, err6 := r.Tags("job/1")
		things, _, _, err7 := r.Things(store.ThingFilter{}, store.Page[string]{Limit: 10})
		got = append(got, document, stored, counts, key, retained, tags, things)
		return errors.Join(err1, err2, err3, err4, err5, err6, err7)
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSettingsDoNotChangeAnswers gives the store a connection with settings that
// change how values are spelled, by the address and as the defaults of a database.
func TestSettingsDoNotChangeAnswers(t *testing.T) {
	t.Parallel()
	want := answers(t, open(t, postgres.Config{}))
	if !strings.Contains(want, `"Thing": "wärme\\'\""`) || !strings.Contains(want, `"UID": 100`) {
		t.Fatalf("it is not what was stored: %s", want)
	}
	settings := []string{
		"standard_conforming_strings=off", "bytea_output=escape", "DateStyle=German", "TimeZone=Asia/Kolkata", "IntervalStyle=sql_standard",
		"extra_float_digits=-15", "default_transaction_isolation=serializable", "default_transaction_deferrable=on", "client_encoding=LATIN1",
		"transform_null_equals=on", "array_nulls=off", "backslash_quote=on", "plan_cache_mode=force_custom_plan", "enable_seqscan=on",
		"xmloption=document", "lc_messages=C", "synchronous_commit=off", "row_security=off",
	}
	for _, c := range append([]string{
		"default_query_exec_mode=cache_describe", "default_query_exec_mode=describe_exec", "default_query_exec_mode=cache_statement", "statement_cache_capacity=1",
		"description_cache_capacity=1&default_query_exec_mode=cache_describe", "target_session_attrs=prefer-standby",
	}, settings...) {
		t.Run(c, func(t *testing.T) {
			t.Parallel()
			got := answers(t, open(t, postgres.Config{URL: with(t, pgtest.URL(t), c)}))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("defaults of the database", func(t *testing.T) {
		t.Parallel()
		own := pgtest.Start(t).URL(t)
		for _, c := range settings {
			name, value, _ := strings.Cut(c, "=")
			run(t, own, `ALTER DATABASE postgres SET `+name+` = '`+value+`'`)
		}
		if diff := cmp.Diff(want, answers(t, open(t, postgres.Config{URL: own}))); diff != "" {
			t.Error(diff)
		}
	})
}

// TestAddressesThatCannotWork are refused with what to use instead, and without
// the password that may be anywhere in them.
func TestAddressesThatCannotWork(t *testing.T) {
	t.Parallel()
	const spelling = "the address cannot be read"
	for _, c := range []struct{ address, want string }{
		{"", "no address given"},
		{"postgres://u:hunter2@h/db?default_query_exec_mode=simple_protocol", "default_query_exec_mode=simple_protocol in the address would make wrong answers: leave it out, or use default_query_exec_mode=cache_describe"},
		{"postgres://u:hunter2@h/db?default_query_exec_mode=exec", "default_query_exec_mode=exec in the address would make wrong answers"},
		{"postgres://u:hunter2@h/db?default_query_exec_mode=fast", "default_query_exec_mode"},
		{"postgres://u:hunter2@h/db?statement_cache_capacity=0", "statement_cache_capacity=0 in the address would keep any statement from running"},
		{"postgres://u:hunter2@h/db?default_query_exec_mode=cache_describe&description_cache_capacity=0", "description_cache_capacity=0"},
		{"postgres://u:hunter2@h:port/db", spelling},
		{"postgres://u:hun/ter2@h/db", spelling},
		{"postgres://u:hunter2/5@h/db", spelling},
		{"postgres://u:hun@ter2@h/db", spelling},
		{"postgres://u:hun?ter2@h/db", spelling},
		{"postgres://u:hun#ter2@h/db", spelling},
		{"postgres://u:hun%zzter2@h/db", spelling},
		{"user=u password='hunter2 host=h", spelling},
		{"user=u hunter2 host=h", spelling},
		{"postgres://u:hunter2@h/db?sslmode=verify-full&sslrootcert=/none/ca.pem", "/none/ca.pem"},
		{"postgres://u@h/db?sslmode=often&password=hunter2", "sslmode"},
		{"postgres://u@h/db?target_session_attrs=any&sslpassword=hunter2&connect_timeout=soon", "connect_timeout"},
	} {
		text := refusal(t, c.address)
		if !strings.HasPrefix(text, "postgres: ") || !strings.Contains(text, c.want) {
			t.Errorf("%s: got %q, want it to say %q", c.address, text, c.want)
		}
	}
}

// TestServersThatCannotWork are refused by what they say of themselves.
func TestServersThatCannotWork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		version                           int
		release, encoding, schema, wanted string
	}{
		{120000, "12.0", "UTF8", "public", ""},
		{150006, "15.6", "UTF8", "public", ""},
		{110022, "11.22", "UTF8", "public", "the server is version 11.22: Muster needs PostgreSQL 12 or newer"},
		{90624, "9.6.24", "UTF8", "public", "needs PostgreSQL 12"},
		{150006, "15.6", "SQL_ASCII", "public", "encoding SQL_ASCII"},
		{150006, "15.6", "UTF8", "", "names no schema"},
	} {
		err := postgres.ServerFault(c.version, c.release, c.encoding, c.schema)
		if (err == nil) != (c.wanted == "") || err != nil && !strings.Contains(err.Error(), c.wanted) {
			t.Errorf("%s, %s, schema %q: got %v, want %q", c.release, c.encoding, c.schema, err, c.wanted)
		}
	}
	// Older ones do not know a setting of ours, and say so before they say what they are.
	if got := postgres.Remedy(&pgconn.PgError{Code: "42704", Message: `unrecognized configuration parameter "plan_cache_mode"`}); !strings.Contains(got, "PostgreSQL 12") {
		t.Errorf("got %q", got)
	}
}

// TestInstallationsAreNotHidden by a schema that is made later and stands first in
// search_path, as one with the name of the role does by default.
func TestInstallationsAreNotHidden(t *testing.T) {
	t.Parallel()
	first, second := pgtest.URL(t), pgtest.URL(t)
	open(t, postgres.Config{URL: second})
	schema := func(address string) string {
		_, name, _ := strings.Cut(address, "search_path=")
		return name
	}
	both := strings.Replace(first, "search_path="+schema(first), "search_path="+schema(first)+","+schema(second), 1)
	if text := refusal(t, both); !strings.Contains(text, "there is an installation in schema "+schema(second)) {
		t.Errorf("got %q", text)
	}
	if _, _, err := postgres.Status(t.Context(), both); err == nil {
		t.Error("its status is that of an empty schema")
	}
	open(t, postgres.Config{URL: first})
	open(t, postgres.Config{URL: both})
}

// TestRowsThatCannotBeRead are no answers: they would else be missing from them.
func TestRowsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, row := range [][][]byte{{[]byte("1"), []byte("100")}, {{0, 0, 0, 9}}, {nil}} {
		if err := postgres.Take(row); err == nil || !strings.Contains(err.Error(), "kind") {
			t.Errorf("%q: got %v, want an error", row, err)
		}
	}
}

// TestRefusedCommits are known in any language.
func TestRefusedCommits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  pgconn.PgError
		want bool
	}{
		{pgconn.PgError{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "40001"}, true},
		{pgconn.PgError{Severity: "FEHLER", SeverityUnlocalized: "ERROR", Code: "40001"}, true},
		{pgconn.PgError{Severity: "ERROR", Code: "40001"}, true}, // of a pooler
		{pgconn.PgError{Severity: "SCHWERWIEGEND", SeverityUnlocalized: "FATAL", Code: "57P01"}, false},
		{pgconn.PgError{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "40003"}, false},
	} {
		if got := postgres.Refused(&c.err); got != c.want {
			t.Errorf("%+v: got %t", c.err, got)
		}
	}
}

package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"muster/internal/job"
	"muster/internal/pgtest"
	"muster/internal/store"
	"muster/internal/store/postgres"
)

// The benchmarks compare the store with the bare database: the same server,
// rows and batches, by one set-based statement that is handed what to write,
// without queues, rules and bookkeeping.
//
//	go test -run '^$' -bench . ./internal/store/postgres

// benchRows is how many executions the benchmarks' database holds; -short takes 10 %.
const benchRows = 1_000_000

const (
	benchJob   = 1 << 40 // uid
	benchT0    = 1_770_000_000_000
	benchParts = 64
	callers    = 256
)

func benchUID(i int) int64   { return 1<<50 + int64(i) }
func benchName(i int) string { return fmt.Sprintf("thing-%07d", i) }
func benchPart(i int) int    { return postgres.PartOf(benchName(i), benchParts) }

func rows() int {
	if testing.Short() {
		return benchRows / 10
	}
	return benchRows
}

// arena is a server with two equal databases, in each of which every thing has
// an execution of one job: one for the store and one for the bare statements.
type arena struct {
	server *pgtest.Server
	url    string
	bare   *pgxpool.Pool
}

func newArena(b *testing.B) arena {
	b.Helper()
	server := pgtest.Start(b, "shared_buffers=1GB", "max_wal_size=8GB", "checkpoint_timeout=30min", "autovacuum=on")
	a := arena{server: server, url: server.URL(b)}
	bare := server.URL(b)
	s := open(b, postgres.Config{URL: a.url, Parts: benchParts})
	open(b, postgres.Config{URL: bare, Parts: benchParts})
	err := s.Update(b.Context(), func(tx store.Tx) error { return tx.InsertJob(job.New(benchSpec("first"), benchJob, benchT0), "{}") })
	if err != nil {
		b.Fatal(err)
	}
	// As the store does: for 10,000 rows the planner would rather read them all, in
	// an order in which batches deadlock.
	pool, err := pgxpool.New(b.Context(), bare+"&plan_cache_mode=force_generic_plan")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	a.bare = pool
	fill(b, pool, rows())
	from, to := schema(b, a.url), schema(b, bare)
	for _, sql := range []string{
		`INSERT INTO ` + from + `.things SELECT * FROM ` + to + `.things`,
		`INSERT INTO ` + from + `.live SELECT * FROM ` + to + `.live ORDER BY part, thing_uid`,
		`INSERT INTO ` + from + `.counts SELECT * FROM ` + to + `.counts`,
	} {
		must(b, pool, sql)
	}
	for _, s := range []string{from, to} {
		for _, table := range []string{"things", "live", "counts", "jobs"} {
			must(b, pool, `VACUUM (FREEZE, ANALYZE) `+s+`.`+table)
		}
	}
	must(b, pool, `CHECKPOINT`)
	return a
}

func must(b testing.TB, pool *pgxpool.Pool, sql string, args ...any) {
	b.Helper()
	if _, err := pool.Exec(b.Context(), sql, args...); err != nil {
		b.Fatal(err)
	}
}

func schema(b testing.TB, address string) string {
	b.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.Fatal(err)
	}
	return u.Query().Get("search_path")
}

func benchSpec(id string) job.Spec {
	return job.Spec{ID: id, Selection: job.Snapshot, Targets: []job.Target{{Kind: job.GroupTarget, Name: "all", UID: 1}}}
}

// fill copies n things and their executions into a database.
func fill(b testing.TB, pool *pgxpool.Pool, n int) {
	b.Helper()
	order := make([]int, n)
	counts := make([]int64, benchParts)
	for i := range order {
		order[i] = i
		counts[benchPart(i)]++
	}
	slices.SortFunc(order, func(i, j int) int { return (benchPart(i)-benchPart(j))*benchRows*2 + i - j })
	load := func(table string, columns []string, row func(i int) []any) {
		b.Helper()
		_, err := pool.CopyFrom(b.Context(), pgx.Identifier{table}, columns, pgx.CopyFromSlice(n, func(i int) ([]any, error) { return row(order[i]), nil }))
		if err != nil {
			b.Fatal(err)
		}
	}
	load("things", []string{"part", "name", "uid", "id", "type", "version", "created_at"}, func(i int) []any {
		return []any{benchPart(i), benchName(i), benchUID(i), fmt.Sprint(i), "", 1, benchT0}
	})
	load("live", []string{"part", "thing_uid", "queued_at", "job_uid", "number", "status", "forced", "version", "started_at", "updated_at", "deadline", "step", "cause", "armed", "turn", "thing"}, func(i int) []any {
		return []any{benchPart(i), benchUID(i), benchT0, benchJob, 1, 1, false, 1, 0, benchT0, 0, 0, benchJob, 0, 1, benchName(i)}
	})
	for p, c := range counts {
		must(b, pool, `INSERT INTO counts VALUES ($1, $2, $3, 0, 0, 0, 0, 0, 0, 0)`, benchJob, p, c)
	}
}

func benchRefs(things []int, jobUID int64) []job.Ref {
	refs := make([]job.Ref, len(things))
	for i, n := range things {
		refs[i] = job.Ref{Thing: benchName(n), ThingUID: benchUID(n), JobUID: jobUID, History: true, Registered: true}
	}
	return refs
}

// contest measures rounds of the store and of the bare database in turns, b.N of
// each, and reports the median of their ratios: the machine may be busy with
// other things, but for both alike. The CPU time, of the server and of ours, says
// more where it is very busy.
func (a arena) contest(b *testing.B, unit string, store, bare func() int) {
	b.Helper()
	measure := func(round func() int) (rate, cpu float64) {
		at, used := time.Now(), a.cpuTime(b)
		n := float64(round())
		return n / time.Since(at).Seconds(), (a.cpuTime(b) - used).Seconds() * 1e6 / n
	}
	m := map[string][]float64{}
	for range b.N {
		rate, cpu := measure(store)
		against, bareCPU := measure(bare)
		for name, v := range map[string]float64{
			unit: rate, "bare-" + unit: against, "ratio": rate / against, "cpu-µs": cpu, "bare-cpu-µs": bareCPU, "cpu-ratio": bareCPU / cpu,
		} {
			m[name] = append(m[name], v)
		}
	}
	for name, v := range m {
		slices.Sort(v)
		b.ReportMetric(v[len(v)/2], name)
	}
	b.ReportMetric(0, "ns/op") // an op is a round
}

// cpuTime returns the CPU time that this process and the server's have used.
func (a arena) cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	sum := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range stats {
		text, err := os.ReadFile(name)
		_, rest, ok := strings.Cut(string(text), ") ")
		f := strings.Fields(rest)
		if err != nil || !ok || len(f) < 13 || f[1] != fmt.Sprint(a.server.Pid()) {
			continue // it has ended, or is no child of the server
		}
		var user, system int64
		if _, err := fmt.Sscan(f[11]+" "+f[12], &user, &system); err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(user+system) * 10 * time.Millisecond // of a hundred ticks a second
	}
	return sum
}

// load lets callers call op n times on random things, and returns the times that
// the calls took.
func load(b *testing.B, n int, op func(i int) error) []time.Duration {
	b.Helper()
	took := make([][]time.Duration, callers)
	todo := make(chan int, callers)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range todo {
				at := time.Now()
				if err := op(i); err != nil {
					b.Error(err)
				}
				took[c] = append(took[c], time.Since(at))
			}
		})
	}
	for range n {
		todo <- rand.IntN(rows())
	}
	close(todo)
	wg.Wait()
	return slices.Concat(took...)
}

// BenchmarkUpdateQueues is a device's progress report: one execution of a random
// thing is read, changed and counted, for 256 callers at a time.
func BenchmarkUpdateQueues(b *testing.B) {
	a := newArena(b)
	for _, lanes := range []int{2, 4} {
		b.Run(fmt.Sprintf("%d lanes", lanes), func(b *testing.B) {
			const n = 40_000
			var commits, calls int
			s := open(b, postgres.Config{URL: a.url, Lanes: lanes, OnCommit: func(n int, _ time.Duration, _ error) { commits++; calls += n }})
			h := newBare(b, a.bare, 2)
			details := map[string]string{"progress": "50%"}
			var took []time.Duration
			a.contest(b, "ops/s", func() int {
				took = append(took, load(b, n, func(i int) error {
					return s.UpdateQueues(b.Context(), []job.Ref{{Thing: benchName(i), JobID: "first"}}, func(q *job.Queue) error {
						_, err := q.Update(job.Update{Status: job.InProgress, Details: details}, benchT0+1)
						return err
					})
				})...)
				return n
			}, func() int {
				load(b, n, h.update)
				return n
			})
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(calls)/float64(commits), "calls/commit")
		})
	}
}

// BenchmarkFanOut queues further jobs on every thing, 500 at a time, as a rollout
// does: part by part, in the order of the things.
func BenchmarkFanOut(b *testing.B) {
	const chunk, n = 500, 50_000
	a := newArena(b)
	s := open(b, postgres.Config{URL: a.url})
	parts := make([][]int, benchParts)
	for i := range rows() {
		parts[benchPart(i)] = append(parts[benchPart(i)], i)
	}
	var chunks [][]int
	for _, things := range parts {
		for c := range slices.Chunk(things, chunk) {
			chunks = append(chunks, c)
		}
	}
	var at, bareAt int // chunks passed
	var worst time.Duration
	a.contest(b, "rows/s", func() int {
		done := 0
		for ; done < n; at++ {
			start := time.Now()
			round := int64(at/len(chunks) + 1)
			if at%len(chunks) == 0 {
				err := s.Update(b.Context(), func(tx store.Tx) error {
					return tx.InsertJob(job.New(benchSpec(fmt.Sprint("round", round)), benchJob+round, benchT0), "{}")
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			things := chunks[at%len(chunks)]
			err := s.UpdatePart(b.Context(), benchPart(things[0]), 1, func(tx store.Tx) error {
				return tx.Queues(benchRefs(things, benchJob+round), func(q *job.Queue) error {
					q.Enqueue(benchJob+round, benchT0+round)
					return nil
				})
			})
			if err != nil {
				b.Fatal(err)
			}
			done += len(things)
			worst = max(worst, time.Since(start))
		}
		return done
	}, func() int {
		done := 0
		for ; done < n; bareAt++ {
			round := int64(bareAt/len(chunks) + 1)
			things := chunks[bareAt%len(chunks)]
			bareInsert(b, a.bare, things, benchJob+round, benchT0+round)
			done += len(things)
		}
		return done
	})
	b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
}

// bareInsert inserts what the store inserts: executions, rows of the outbox and counts.
func bareInsert(b *testing.B, pool *pgxpool.Pool, things []int, jobUID, now int64) {
	b.Helper()
	uids, names := make([]int64, len(things)), make([]string, len(things))
	for i, n := range things {
		uids[i], names[i] = benchUID(n), benchName(n)
	}
	told := job.Told{Front: job.Key{JobUID: benchJob, Number: 1}, Set: []job.Key{{JobUID: benchJob, Number: 1}}}.Encode()
	must(b, pool, `WITH k AS MATERIALIZED (SELECT * FROM unnest($1::bigint[], $2::text[]) AS k(uid, name)), x AS (
		INSERT INTO live (part, thing_uid, queued_at, job_uid, number, status, forced, version, started_at, updated_at, deadline, step, cause, armed, turn, thing)
		SELECT $3, uid, $4, $5, 1, 1, false, 1, 0, $4, 0, 0, $5, 0, 1, name FROM k), y AS (
		INSERT INTO dirty (part, thing_uid, namespace, thing, since, seq, told) SELECT $3, uid, '', name, uid, uid, $6 FROM k
		ON CONFLICT (part, thing_uid, namespace) DO UPDATE SET seq = excluded.seq)
		INSERT INTO counts AS c (job_uid, part, queued, in_progress, succeeded, failed, timed_out, rejected, removed, canceled)
		VALUES ($5, $3, $7, 0, 0, 0, 0, 0, 0, 0) ON CONFLICT (job_uid, part) DO UPDATE SET queued = c.queued + excluded.queued`,
		uids, names, benchPart(things[0]), now, jobUID, told, len(things))
}

// harness is the bare database: pipes that each commit what waits together.
type harness struct {
	calls chan *bareCall
}

type bareCall struct {
	thing int
	done  chan error
}

const bareBatch = 128

func newBare(b *testing.B, pool *pgxpool.Pool, pipes int) *harness {
	b.Helper()
	h := &harness{calls: make(chan *bareCall, callers)}
	var wg sync.WaitGroup
	for range pipes {
		wg.Go(func() { h.run(b, pool) })
	}
	b.Cleanup(func() {
		close(h.calls)
		wg.Wait()
	})
	return h
}

func (h *harness) update(i int) error {
	k := &bareCall{thing: i, done: make(chan error, 1)}
	h.calls <- k
	return <-k.done
}

func (h *harness) run(b *testing.B, pool *pgxpool.Pool) {
	for k := range h.calls {
		batch := []*bareCall{k}
		for more := true; more && len(batch) < bareBatch; {
			select {
			case k, more = <-h.calls:
				if more {
					batch = append(batch, k)
				}
			default:
				more = false
			}
		}
		err := bareUpdate(pool, batch)
		if err != nil {
			b.Error(err)
		}
		for _, k := range batch {
			k.done <- err
		}
	}
}

// bareUpdate changes executions of known things, guarded by their version, and
// adds up the counts, which is shape d of a transaction of one statement.
func bareUpdate(pool *pgxpool.Pool, batch []*bareCall) error {
	slices.SortFunc(batch, func(x, y *bareCall) int { return x.thing - y.thing })
	var parts []int32
	var uids []int64
	var details []string
	for i, k := range batch {
		if i > 0 && k.thing == batch[i-1].thing {
			continue // two for one thing: a statement can do only one
		}
		parts, uids, details = append(parts, int32(benchPart(k.thing))), append(uids, benchUID(k.thing)), append(details, `{"progress":"50%"}`)
	}
	_, err := pool.Exec(context.Background(), `WITH k AS (SELECT * FROM unnest($1::int[], $2::bigint[], $3::text[]) AS k(part, thing_uid, details)),
		w AS (UPDATE live x SET status = 2, version = x.version + 1, updated_at = $5, details = k.details, started_at = $5 FROM k
			WHERE x.part = k.part AND x.thing_uid = k.thing_uid AND x.queued_at = $6 AND x.job_uid = $4 AND x.number = 1
			RETURNING x.part)
		INSERT INTO counts AS c (job_uid, part, queued, in_progress, succeeded, failed, timed_out, rejected, removed, canceled)
		SELECT $4, part, -count(*), count(*), 0, 0, 0, 0, 0, 0 FROM w GROUP BY part ORDER BY part
		ON CONFLICT (job_uid, part) DO UPDATE SET queued = c.queued + excluded.queued, in_progress = c.in_progress + excluded.in_progress`,
		parts, uids, details, benchJob, benchT0+1, benchT0)
	return err
}

package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/store/sqlite"
	"muster/internal/thing"
)

// The benchmarks compare the store with the bare database: the same engine,
// file, rows and batches, without queues, rules and bookkeeping.
//
//	go test -run '^$' -bench . ./internal/store/sqlite

// benchRows is how many executions the benchmarks' database holds; -short takes 1 %.
const benchRows = 1_000_000

const (
	benchJob = 1 << 40 // uid
	benchT0  = 1_770_000_000_000
)

func benchThing(i int) thing.Thing {
	return thing.Thing{UID: 1<<50 + int64(i), Name: fmt.Sprintf("thing-%07d", i), ID: fmt.Sprint(i), Version: 1, CreatedAt: benchT0}
}

func rows() int {
	if testing.Short() {
		return benchRows / 100
	}
	return benchRows
}

// filled makes, once, a database in which every thing has an execution of one
// job. MUSTER_BENCH_DIR names a folder to keep it in for the next time.
var filled = sync.OnceValues(func() (string, error) {
	dir := os.Getenv("MUSTER_BENCH_DIR")
	if dir == "" {
		var err error
		dir, err = os.MkdirTemp("", "muster-bench-")
		if err != nil {
			return "", err
		}
		temporary = dir
	}
	if _, err := os.Stat(filepath.Join(dir, "muster.db")); err == nil {
		return dir, nil
	}
	s, err := sqlite.Open(context.Background(), sqlite.Config{Dir: dir})
	if err != nil {
		return "", err
	}
	err = fill(s, rows())
	if err != nil {
		return "", err
	}
	return dir, s.Close()
})

func benchSpec(id string) job.Spec {
	return job.Spec{ID: id, Selection: job.Snapshot, Targets: []job.Target{{Kind: job.GroupTarget, Name: "all", UID: 1}}}
}

func fill(s store.Store, n int) error {
	ctx := context.Background()
	err := s.Update(ctx, func(tx store.Tx) error { return tx.InsertJob(job.New(benchSpec("first"), benchJob, benchT0), "{}") })
	for i := 0; i < n && err == nil; i += 5000 {
		err = s.Update(ctx, func(tx store.Tx) error {
			for k := i; k < min(i+5000, n); k++ {
				err := tx.InsertThing(benchThing(k))
				if err != nil {
					return err
				}
			}
			return tx.Queues(benchRefs(i, min(5000, n-i), benchJob), func(q *job.Queue) error {
				q.Mute()
				q.Enqueue(benchJob, benchT0)
				return nil
			})
		})
	}
	return err
}

// temporary is the folder that filled has made, if any.
var temporary string

func TestMain(m *testing.M) {
	code := m.Run()
	if temporary != "" {
		_ = os.RemoveAll(temporary) // what is left in there is no fault of a test
	}
	os.Exit(code)
}

// benchDir returns a folder with a copy of the filled database.
func benchDir(b *testing.B) string {
	b.Helper()
	from, err := filled()
	if err != nil {
		b.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(from, "muster.db"))
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "muster.db"), data, 0o600); err != nil {
		b.Fatal(err)
	}
	return dir
}

const callers = 256

// contest measures rounds of the store and of the bare database in turns, b.N of
// each, and reports the median of their ratios: the machine may be busy with
// other things, but for both alike.
func contest(b *testing.B, unit string, store, bare func() int) {
	b.Helper()
	measure := func(round func() int) (rate, cpu float64) {
		at, used := time.Now(), cpuTime()
		n := float64(round())
		return n / time.Since(at).Seconds(), (cpuTime() - used).Seconds() * 1e6 / n
	}
	var rates, bares, ratios, cpus, bareCPUs []float64
	for range b.N {
		rate, cpu := measure(store)
		against, bareCPU := measure(bare)
		rates, bares, ratios = append(rates, rate), append(bares, against), append(ratios, rate/against)
		cpus, bareCPUs = append(cpus, cpu), append(bareCPUs, bareCPU)
	}
	for name, v := range map[string][]float64{unit: rates, "bare-" + unit: bares, "ratio": ratios, "cpu-µs": cpus, "bare-cpu-µs": bareCPUs} {
		slices.Sort(v)
		b.ReportMetric(v[len(v)/2], name)
	}
	b.ReportMetric(0, "ns/op") // an op is a round
}

// cpuTime returns the CPU time that the process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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
	const n = 20_000
	s, h := open(b, sqlite.Config{Dir: benchDir(b)}), bare(b, benchDir(b))
	details := map[string]string{"progress": "50%"}
	var took []time.Duration
	contest(b, "ops/s", func() int {
		took = append(took, load(b, n, func(i int) error {
			return s.UpdateQueues(b.Context(), []job.Ref{{Thing: benchThing(i).Name, JobID: "first"}}, func(q *job.Queue) error {
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
}

// BenchmarkFanOut queues further jobs on every thing, 500 at a time.
func BenchmarkFanOut(b *testing.B) {
	const chunk, n = 500, 50_000
	s, h := open(b, sqlite.Config{Dir: benchDir(b)}), bare(b, benchDir(b))
	var at, bareAt int // things passed
	var worst time.Duration
	contest(b, "rows/s", func() int {
		for range min(n, rows()) / chunk {
			start := time.Now()
			err := s.Update(b.Context(), func(tx store.Tx) error {
				round := int64(at/rows() + 1)
				if at%rows() == 0 {
					err := tx.InsertJob(job.New(benchSpec(fmt.Sprint("round", round)), benchJob+round, benchT0), "{}")
					if err != nil {
						return err
					}
				}
				return tx.Queues(benchRefs(at%rows(), chunk, benchJob+round), func(q *job.Queue) error {
					q.Enqueue(benchJob+round, benchT0+round)
					return nil
				})
			})
			if err != nil {
				b.Fatal(err)
			}
			at += chunk
			worst = max(worst, time.Since(start))
		}
		return min(n, rows())
	}, func() int {
		for range min(n, rows()) / chunk {
			round := int64(bareAt/rows() + 1)
			h.insert(b, bareAt%rows(), chunk, benchJob+round, benchT0+round)
			bareAt += chunk
		}
		return min(n, rows())
	})
	b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
}

func benchRefs(from, n int, jobUID int64) []job.Ref {
	refs := make([]job.Ref, n)
	for i := range refs {
		x := benchThing(from + i)
		refs[i] = job.Ref{Thing: x.Name, ThingUID: x.UID, JobUID: jobUID, History: true}
	}
	return refs
}

// harness is the bare database: one writer that commits what waits together.
type harness struct {
	c     *sql.Conn
	calls chan *bareCall
	stmts map[string]*sql.Stmt
}

type bareCall struct {
	thing int
	done  chan error
}

func bare(b *testing.B, dir string) *harness {
	b.Helper()
	dsn := "file:" + filepath.Join(dir, "muster.db") +
		"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=wal_autocheckpoint(0)&_pragma=cache_size(-131072)&_pragma=journal_size_limit(67108864)"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		b.Fatal(err)
	}
	c, err := db.Conn(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	h := &harness{c: c, calls: make(chan *bareCall, callers), stmts: map[string]*sql.Stmt{}}
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-quit:
				return
			case <-time.After(500 * time.Millisecond):
				if _, err := db.Exec(`PRAGMA wal_checkpoint(PASSIVE)`); err != nil {
					b.Error(err)
				}
			}
		}
	})
	wg.Go(func() { h.run(b) })
	b.Cleanup(func() {
		close(quit)
		close(h.calls)
		wg.Wait()
		_ = c.Close()
		_ = db.Close()
	})
	return h
}

func (h *harness) update(i int) error {
	k := &bareCall{thing: i, done: make(chan error, 1)}
	h.calls <- k
	return <-k.done
}

func (h *harness) run(b *testing.B) {
	for k := range h.calls {
		batch := []*bareCall{k}
		for more := true; more && len(batch) < callers; {
			select {
			case k, more = <-h.calls:
				if more {
					batch = append(batch, k)
				}
			default:
				more = false
			}
		}
		err := h.commit(batch)
		if err != nil {
			b.Error(err)
		}
		for _, k := range batch {
			k.done <- err
		}
	}
}

func (h *harness) commit(batch []*bareCall) error {
	ctx := context.Background() // one that can end costs the driver a goroutine for each statement
	if _, err := h.exec(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	counts := map[int64]int{}
	for _, k := range batch {
		var version, status int64
		uid := benchThing(k.thing).UID
		err := h.prepare(ctx, //nolint:sqlclosecheck // kept for the next batch
			`SELECT status, version FROM live WHERE part = 0 AND thing_uid = ? AND queued_at = ? AND job_uid = ? AND number = 1`).
			QueryRowContext(ctx, uid, benchT0, benchJob).Scan(&status, &version)
		if err != nil {
			return err
		}
		counts[status]--
		counts[2]++
		if _, err := h.exec(ctx, `UPDATE live SET status = 2, version = ?, updated_at = ?, details = ? WHERE part = 0 AND thing_uid = ? AND queued_at = ? AND job_uid = ? AND number = 1`,
			version+1, benchT0+1, `{"progress":"50%"}`, uid, benchT0, benchJob); err != nil {
			return err
		}
	}
	for s, n := range counts {
		if _, err := h.exec(ctx, `UPDATE counts SET n = n + ? WHERE job_uid = ? AND slot = 0 AND status = ?`, n, benchJob, s); err != nil {
			return err
		}
	}
	_, err := h.exec(ctx, `COMMIT`)
	return err
}

// insert inserts what the store inserts: executions and rows of the outbox.
func (h *harness) insert(b *testing.B, from, n int, jobUID, now int64) {
	const many = 50
	ctx := context.WithoutCancel(b.Context()) // see commit
	check := func(_ sql.Result, err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	check(h.exec(ctx, `BEGIN IMMEDIATE`))
	live := `INSERT INTO live VALUES ` + strings.Repeat(`(0, ?, ?, ?, 1, ?, 1, 1, 0, ?, 0, 0, 0, ?, 0, NULL), `, many-1) + `(0, ?, ?, ?, 1, ?, 1, 1, 0, ?, 0, 0, 0, ?, 0, NULL)`
	dirty := `INSERT INTO dirty VALUES ` + strings.Repeat(`(0, ?, '', ?, ?, ?, ?), `, many-1) + `(0, ?, '', ?, ?, ?, ?) ON CONFLICT (part, thing_uid, namespace) DO UPDATE SET seq = excluded.seq`
	for ; n > 0; n -= many {
		var xs, ds []any
		for k := range many {
			x := benchThing(from + k)
			xs = append(xs, x.UID, now, jobUID, x.Name, now, jobUID)
			ds = append(ds, x.UID, x.Name, from+k, from+k, job.Told{Front: job.Key{JobUID: benchJob, Number: 1}, Set: []job.Key{{JobUID: benchJob, Number: 1}}}.Encode())
		}
		check(h.exec(ctx, live, xs...))
		check(h.exec(ctx, dirty, ds...))
		from += many
	}
	check(h.exec(ctx, `COMMIT`))
}

func (h *harness) prepare(ctx context.Context, query string) *sql.Stmt {
	s := h.stmts[query]
	if s == nil {
		var err error
		s, err = h.c.PrepareContext(ctx, query)
		if err != nil {
			panic(err)
		}
		h.stmts[query] = s
	}
	return s
}

func (h *harness) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return h.prepare(ctx, query).ExecContext(ctx, args...) //nolint:sqlclosecheck // kept for the next batch
}

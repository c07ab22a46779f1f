package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"muster/internal/client"
	"muster/internal/wire"
	"muster/test/internal/harness"

	"golang.org/x/sys/unix"
)

// TestFullDisk fills the file system that the data folder is on: what cannot be
// stored is refused, reads go on, and when there is room again the server works
// again by itself. Nothing that was acknowledged is lost, nor after a kill.
func TestFullDisk(t *testing.T) {
	harness.OnSQLite(t)
	t.Parallel()
	disk := t.TempDir()
	const size = 12 << 20
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0755", size)); err != nil {
		t.Skipf("no file system to fill up: mount: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(disk, "ballast")
	scarce(t, filepath.Join(disk, "data"), scarcity{
		begin:  func(*harness.Server) error { return fill(ballast) },
		end:    func(*harness.Server) error { return os.Remove(ballast) },
		reason: "full",
	})
}

// fill makes a file that is as large as its file system lets it be.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	chunk := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(chunk)
	}
	if errors.Is(err, unix.ENOSPC) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

// TestFileSizeLimit is a full disk for those who may not mount one: the
// process is told that its files may not grow.
func TestFileSizeLimit(t *testing.T) {
	harness.OnSQLite(t)
	t.Parallel()
	limit := func(s *harness.Server, bytes uint64) error {
		var now unix.Rlimit
		if err := unix.Prlimit(s.PID(), unix.RLIMIT_FSIZE, nil, &now); err != nil {
			return err
		}
		now.Cur = bytes
		return unix.Prlimit(s.PID(), unix.RLIMIT_FSIZE, &now, nil)
	}
	scarce(t, filepath.Join(t.TempDir(), "data"), scarcity{
		begin: func(s *harness.Server) error {
			var largest int64
			for _, name := range []string{"muster.db", "muster.db-wal"} {
				info, err := os.Stat(filepath.Join(s.Data(), name))
				if err != nil {
					return err
				}
				largest = max(largest, info.Size())
			}
			return limit(s, uint64(largest+128<<10))
		},
		end:    func(s *harness.Server) error { return limit(s, math.MaxUint64) },
		reason: "database",
	})
}

// scarcity is a fault of the disk that can be made and undone.
type scarcity struct {
	begin, end func(*harness.Server) error
	reason     string // a word of what /readyz says
}

// scarce writes until the disk is full and beyond, and looks at everything
// again when it is no longer.
func scarce(t *testing.T, data string, fault scarcity) {
	t.Helper()
	s := harness.Serve(t, program, harness.Config{Data: data})
	w := &writers{client: own(t, s), acknowledged: make(map[string]string), version: 1}
	w.start(t)
	check(t, "make the disk scarce", fault.begin(s))
	harness.Wait(t, soon, "the disk to be full", func(ctx context.Context) error { return w.refused(ctx, s, fault.reason) })

	// Reads go on, and who writes is refused, as soon as the last bytes are gone:
	// what was just refused may have left room for something smaller.
	w.allThere(t)
	things := 0
	w.untilRefused(t, "create things on a full disk", func(ctx context.Context) error {
		_, err := w.client.CreateThing(ctx, &wire.CreateThingRequest{ThingName: fmt.Sprint("small-", things+1)})
		if err == nil {
			things++
		}
		return err
	})
	w.untilRefused(t, "report on a full disk", w.report)
	if status, body, err := s.Get(t.Context(), "/healthz"); err != nil || status != http.StatusOK {
		t.Errorf("/healthz: got %d %s %v: the process is well", status, body, err)
	}

	check(t, "give the disk room", fault.end(s))
	harness.Wait(t, soon, "the server to recover", func(ctx context.Context) error {
		status, body, err := s.Get(ctx, "/readyz")
		if err == nil && status != http.StatusOK {
			return fmt.Errorf("/readyz answers %d %s", status, body)
		}
		return err
	})
	before := w.count()
	harness.Wait(t, soon, "writes to be taken again", func(context.Context) error {
		if n := w.count(); n < before+100 {
			return fmt.Errorf("%d more were taken", n-before)
		}
		return nil
	})
	w.stop()
	w.allThere(t)

	// Scarce again, and killed there.
	w.start(t)
	check(t, "make the disk scarce again", fault.begin(s))
	harness.Wait(t, soon, "the disk to be full again", func(ctx context.Context) error { return w.refused(ctx, s, fault.reason) })
	check(t, "kill", s.Kill())
	w.stop()
	if fault.reason == "full" { // the limit has gone with the process
		check(t, "give the disk room", fault.end(s))
	}
	again := harness.Serve(t, program, harness.Config{Data: data})
	w.client = own(t, again)
	w.allThere(t)
	w.allRolledOut(t)
	for n := range things {
		_, err := w.client.DescribeThing(t.Context(), &wire.DescribeThingRequest{ThingName: fmt.Sprint("small-", n+1)})
		check(t, "a thing that was acknowledged", err)
	}
	x, err := w.client.DescribeJobExecution(t.Context(), &wire.DescribeJobExecutionRequest{ThingName: "pump", JobID: reported})
	check(t, "the execution that was reported on", err)
	if x.Execution.VersionNumber != w.version {
		t.Errorf("version %d of the execution was acknowledged, the server has %d", w.version, x.Execution.VersionNumber)
	}
	t.Logf("%d writes were acknowledged, %d refused", w.count(), w.no)
}

// writers write without a pause and remember what was acknowledged.
type writers struct {
	client *client.Client
	quit   chan struct{}
	wg     sync.WaitGroup

	mu           sync.Mutex
	next         int               // guarded by mu
	acknowledged map[string]string // thing or job and document; guarded by mu
	no           int               // refused; guarded by mu

	version int64 // of the execution that report reports on, as acknowledged
}

// reported is the job whose execution is reported on. It is there from the start.
const reported = "job-0"

const padding = 4 << 10 // of a document, so that the disk fills up soon

func (w *writers) start(t *testing.T) {
	t.Helper()
	w.quit = make(chan struct{})
	if w.count() == 0 {
		_, err := w.client.CreateThing(t.Context(), &wire.CreateThingRequest{ThingName: "pump"})
		check(t, "create thing", err)
		_, err = w.client.CreateJob(t.Context(), &wire.CreateJobRequest{JobID: reported, Targets: []string{thingARN("pump")}, Document: "{}"})
		check(t, "create job", err)
		harness.Wait(t, soon, "a first report", w.report)
	}
	for range 4 {
		w.wg.Go(func() {
			for {
				select {
				case <-w.quit:
					return
				default:
					w.write(t.Context())
				}
			}
		})
	}
}

// stop ends the writing and waits for it.
func (w *writers) stop() {
	close(w.quit)
	w.wg.Wait()
}

func (w *writers) write(ctx context.Context) {
	w.mu.Lock()
	w.next++
	id := fmt.Sprint("job-", w.next)
	w.mu.Unlock()
	text := fmt.Sprintf(`{"id":%q,"padding":%q}`, id, strings.Repeat("x", padding))
	_, err := w.client.CreateJob(ctx, &wire.CreateJobRequest{JobID: id, Targets: []string{thingARN("pump")}, Document: text})
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.no++
		return
	}
	w.acknowledged[id] = text
}

// report changes the execution of the first job: a write however often it is done.
func (w *writers) report(ctx context.Context) error {
	expected := w.version
	_, err := w.client.UpdateJobExecution(ctx, &wire.UpdateJobExecutionRequest{
		ThingName: "pump", JobID: reported, Status: "IN_PROGRESS", ExpectedVersion: &expected,
	})
	if err == nil {
		w.version++
	}
	return err
}

// untilRefused writes until the server refuses, as it must for want of room. Each
// write that is acknowledged takes some of what is left.
func (w *writers) untilRefused(t *testing.T, what string, write func(context.Context) error) {
	t.Helper()
	harness.Wait(t, soon, what, func(ctx context.Context) error {
		err := write(ctx)
		switch code := client.Code(err); {
		case err == nil:
			return errors.New("not refused")
		case code != "ServiceUnavailableException":
			return harness.Final(fmt.Errorf("refused with %w", err))
		}
		return nil
	})
}

func (w *writers) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acknowledged)
}

// refused returns nil when the server says that it cannot write, with the reason.
func (w *writers) refused(ctx context.Context, s *harness.Server, reason string) error {
	status, body, err := s.Get(ctx, "/readyz")
	switch {
	case err != nil:
		return err
	case status != http.StatusServiceUnavailable || !strings.Contains(body, reason):
		return fmt.Errorf("/readyz answers %d %s after %d writes", status, body, w.count())
	}
	return nil
}

// allThere looks for everything that was acknowledged so far.
func (w *writers) allThere(t *testing.T) {
	t.Helper()
	type job struct{ id, text string }
	var jobs []job
	w.mu.Lock()
	for id, text := range w.acknowledged {
		jobs = append(jobs, job{id, text})
	}
	w.mu.Unlock()
	each(t, jobs, func(ctx context.Context, j job) error {
		doc, err := w.client.GetJobDocument(ctx, &wire.GetJobDocumentRequest{JobID: j.id})
		if err == nil && doc.Document != j.text {
			err = errors.New("another document")
		}
		if err != nil {
			return fmt.Errorf("job %s: %w", j.id, err)
		}
		return nil
	})
}

// allRolledOut waits until the thing has an execution of each acknowledged job.
// While the disk was full, rollouts had to wait.
func (w *writers) allRolledOut(t *testing.T) {
	t.Helper()
	harness.Wait(t, soon, "all jobs to be rolled out", func(ctx context.Context) error {
		have := make(seen)
		for x, err := range w.client.ThingExecutions(ctx, wire.ListJobExecutionsForThingRequest{ThingName: "pump"}) {
			if err != nil {
				return harness.Final(err)
			}
			have[x.JobID]++
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for id := range w.acknowledged {
			if have[id] != 1 {
				return fmt.Errorf("%d executions of %s, of %d in all", have[id], id, len(have))
			}
		}
		return nil
	})
}

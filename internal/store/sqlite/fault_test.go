package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/apierr"
	"muster/internal/store"
	"muster/internal/store/sqlite"
	"muster/internal/thing"
)

// TestFullDatabase fills the database to a limit with many callers at once. No
// caller is told that something is stored that is not, or the other way round,
// and everything works again once there is room.
func TestFullDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, sqlite.Config{})
		pages, err := s.Exec(`PRAGMA page_count`)
		if err != nil {
			t.Fatal(err)
		}
		pragma(t, s, fmt.Sprintf(`max_page_count = %d`, pages+20))
		const n = 400
		stored := make([]bool, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				err := put(t, s, fmt.Sprintf("%d-%s", i, strings.Repeat("x", 500)), int64(i+1))
				stored[i] = err == nil
				if err != nil && !apierr.Is(err, apierr.Unavailable) {
					t.Errorf("got error %v, want unavailable", err)
				}
			})
			if i%8 == 7 {
				wg.Wait() // or all would meet in one transaction, and fail
			}
		}
		full := 0
		for i, ok := range stored {
			if !ok {
				full++
			}
			if got := has(t, s, fmt.Sprintf("%d-%s", i, strings.Repeat("x", 500))); got != ok {
				t.Errorf("thing %d: stored is %v, the caller was told %v", i, got, ok)
			}
		}
		if full == 0 || full == n {
			t.Fatalf("%d of %d calls failed, want some", full, n)
		}
		if err := s.Health(t.Context()); !apierr.Is(err, apierr.Unavailable) || !strings.Contains(err.Error(), "full") {
			t.Errorf("health is %v, want that the disk is full", err)
		}

		pragma(t, s, `max_page_count = 1000000`)
		time.Sleep(5 * time.Second) //nolint:forbidigo // in a bubble
		if err := s.Health(t.Context()); err != nil {
			t.Errorf("health is still %v", err)
		}
		if err := put(t, s, "after", n+1); err != nil || !has(t, s, "after") {
			t.Errorf("not stored: %v", err)
		}
	})
}

// TestWriterSurvives shows that a caller's goroutine that ends inside the
// transaction takes nobody with it.
func TestWriterSurvives(t *testing.T) {
	t.Parallel()
	s := open(t, sqlite.Config{})
	if err := put(t, s, "before", 1); err != nil {
		t.Fatal(err)
	}
	err := s.Update(t.Context(), func(tx store.Tx) error {
		_ = tx.DeleteThing(thing.Thing{Name: "before", UID: 1})
		runtime.Goexit()
		return nil
	})
	if err == nil || apierr.KindOf(err) != apierr.Internal {
		t.Errorf("got error %v, want an internal one", err)
	}
	if s.Health(t.Context()) == nil {
		t.Error("healthy after a failed write")
	}
	if err := put(t, s, "after", 2); err != nil {
		t.Error(err)
	}
	if !has(t, s, "before") || !has(t, s, "after") {
		t.Error("something is missing")
	}
	if err := s.Health(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestHalfWriteIsUndone shows that a closure cannot keep half of a failed write by
// hiding its error.
func TestHalfWriteIsUndone(t *testing.T) {
	t.Parallel()
	s := open(t, sqlite.Config{})
	m := thing.Member{UID: 1, GroupUID: 2, ThingUID: 3, Thing: "t"}
	err := s.Update(t.Context(), func(tx store.Tx) error {
		_ = tx.InsertMember(m)
		_ = tx.InsertMember(m) // there already: the caller should have known
		return nil
	})
	if err == nil {
		t.Error("no error")
	}
	err = s.View(t.Context(), func(r store.Reader) error {
		ms, err := r.Memberships("t", 3)
		if len(ms) != 0 {
			t.Errorf("got %v, want nothing", ms)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestDamagedFile shows that damage is neither hidden nor called passing: writes
// that work elsewhere do not make the store well, nor does a restart, but a
// sound file does.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	database(t, dir, func(s *sqlite.Store) {
		for i := range 200 {
			if err := put(t, s, fmt.Sprintf("%d-%s", i, strings.Repeat("x", 500)), int64(i+1)); err != nil {
				t.Fatal(err)
			}
		}
	})
	file := filepath.Join(dir, "muster.db")
	sound, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	broken := slices.Clone(sound)
	for i := len(broken) / 2 / 4096 * 4096; i < len(broken); i++ {
		broken[i] = 0xff
	}
	write(t, file, broken)
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Health(t.Context()); err != nil {
		t.Errorf("health is %v before anybody has met the damage", err)
	}
	err = s.View(t.Context(), func(r store.Reader) error {
		_, _, _, err := r.Things(store.ThingFilter{}, store.Page[string]{Limit: 1000})
		return err
	})
	if err == nil || apierr.KindOf(err) != apierr.Internal || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got error %v, want that the file is damaged", err)
	}
	unwell(t, s)
	if err := s.UpdatePart(t.Context(), 0, 1, func(store.Tx) error { return nil }); err != nil {
		t.Errorf("got error %v from a write elsewhere", err)
	}
	unwell(t, s)
	_ = s.Close() // may well fail

	s, err = sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	unwell(t, s)
	_ = s.Close()

	for _, name := range []string{"-wal", "-shm"} {
		if err := os.Remove(file + name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	write(t, file, sound)
	for range 2 {
		database(t, dir, func(s *sqlite.Store) {
			if err := s.Health(t.Context()); err != nil {
				t.Errorf("health is %v with a sound file", err)
			}
		})
	}
	if _, err := os.Stat(file + "-damaged"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the note of the damage is still there: %v", err)
	}
}

// unwell shows that a store says that it is damaged, to a stranger, too.
func unwell(t *testing.T, s *sqlite.Store) {
	t.Helper()
	err := s.Health(t.Context())
	e, ok := errors.AsType[*apierr.Error](err)
	if !ok || e.Kind != apierr.Unavailable || !strings.Contains(e.Message, "damaged") || !strings.Contains(e.Message, "backup") {
		t.Errorf("health is %v, want that the file is damaged", err)
	}
}

// TestLogIsBounded shows that the log starts anew under a load that never rests.
func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	const bound = 1 << 20
	dir := t.TempDir()
	var mu sync.Mutex
	passed, restarted := false, make(chan struct{})
	var last int64
	s := open(t, sqlite.Config{Dir: dir, MaxLog: bound, OnCheckpoint: func(log int64, _ time.Duration, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Error(err)
		}
		if passed && log < last {
			select {
			case <-restarted:
			default:
				close(restarted)
			}
		}
		passed, last = passed || log >= bound, log
	}})
	var wg sync.WaitGroup
	for c := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-restarted:
					return
				case <-t.Context().Done():
					return
				default:
				}
				if err := put(t, s, fmt.Sprintf("%d-%d-%s", c, i, strings.Repeat("x", 2000)), int64(i*4+c+1)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// childEnv tells a test binary that it is the child of a test, and where.
const childEnv = "MUSTER_TEST_CHILD"

// child runs the test called name in a process of its own and returns it and the
// lines that it prints.
func child(t *testing.T, name, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+name+"$", "-test.v")
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// TestKilled kills a process in the middle of its writes, several times over.
// What it has been told is stored is there, in a file without damage.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(childEnv); dir != "" {
		endless(t, dir)
		return
	}
	t.Parallel()
	dir := t.TempDir()
	var acked []string
	for round := range 4 {
		cmd, lines := child(t, "TestKilled", dir)
		for n := 0; n < 100*(round+1) && lines.Scan(); {
			if name, ok := strings.CutPrefix(lines.Text(), "stored "); ok {
				acked = append(acked, name)
				n++
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it could still say
			if name, ok := strings.CutPrefix(lines.Text(), "stored "); ok {
				acked = append(acked, name)
			}
		}
		_ = cmd.Wait() // killed
	}
	s := open(t, sqlite.Config{Dir: dir})
	for _, name := range acked {
		if !has(t, s, name) {
			t.Errorf("%s is lost", name)
		}
	}
	if len(acked) < 1000 {
		t.Errorf("only %d stored", len(acked))
	}
	if n, err := s.Exec(`SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'`); n != 0 || err != nil {
		t.Errorf("%d faults in the file, %v", n, err)
	}
}

// endless stores things from several goroutines and says so until it is killed.
func endless(t *testing.T, dir string) {
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	floor, err := s.Floor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for c := range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d-%d", floor, c, i)
				if put(t, s, name, floor+int64(i*16+c)+1) != nil {
					return
				}
				fmt.Println("stored", name) //nolint:forbidigo // to the parent
			}
		})
	}
	wg.Wait()
}

// TestFileSizeLimit lets the operating system refuse writes, in a process of
// its own: first some, then none. The store recovers without a hand.
func TestFileSizeLimit(t *testing.T) {
	if dir := os.Getenv(childEnv); dir != "" {
		limited(t, dir)
		return
	}
	t.Parallel()
	cmd, lines := child(t, "TestFileSizeLimit", t.TempDir())
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v:\n%s", err, strings.Join(said, "\n"))
	}
}

func limited(t *testing.T, dir string) {
	signal.Ignore(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	limit := func(n uint64) {
		r := was
		r.Cur = n
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &r); err != nil {
			t.Fatal(err)
		}
	}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	limit(1 << 20)
	var stored []string
	fault := error(nil)
	for i := 0; fault == nil && i < 10_000; i++ {
		name := fmt.Sprintf("%d-%s", i, strings.Repeat("x", 500))
		fault = put(t, s, name, int64(i+1))
		if fault == nil {
			stored = append(stored, name)
		}
	}
	if !apierr.Is(fault, apierr.Unavailable) {
		t.Errorf("got error %v, want unavailable", fault)
	}
	if err := s.Health(t.Context()); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("health is %v, want unavailable", err)
	}
	limit(was.Cur)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for s.Health(ctx) != nil && ctx.Err() == nil {
		runtime.Gosched()
	}
	if err := s.Health(t.Context()); err != nil {
		t.Errorf("health is still %v", err)
	}
	if err := put(t, s, "after", 1<<40); err != nil {
		t.Error(err)
	}
	for _, name := range append(stored, "after") {
		if !has(t, s, name) {
			t.Errorf("%.10s is lost", name)
		}
	}
	if err := errors.Join(s.Close()); err != nil {
		t.Error(err)
	}
}

package e2e_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/wire"
	"muster/test/internal/harness"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// TestServerLeavesAndComesBack stops a server, kills it, and starts it again on
// the same folder: everything is there each time, the access key as well.
func TestServerLeavesAndComesBack(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "new", "folder")
	s := harness.Serve(t, program, harness.Config{Data: data})
	makeThing(t, s, "pump")
	first, err := s.Credentials()
	check(t, "credentials", err)
	harness.StopNow(t, s)
	if _, err := os.Stat(filepath.Join(data, "endpoint")); !os.IsNotExist(err) {
		t.Errorf("a server that has stopped has left its address: %v", err)
	}

	s = harness.Serve(t, program, harness.Config{Data: data})
	hasThing(t, s, "pump")
	makeThing(t, s, "valve")
	check(t, "kill", s.Kill())

	s = harness.Serve(t, program, harness.Config{Data: data})
	hasThing(t, s, "pump")
	hasThing(t, s, "valve")
	again, err := s.Credentials()
	check(t, "credentials", err)
	if again != first {
		t.Error("a restart has made another access key")
	}
	private(t, data, "credentials", "master.key", "muster.lock", "endpoint", "device-endpoints")
}

// private shows that nobody but the owner can read anything in a data folder
// that has been in use, and that the files named are there.
func private(t *testing.T, data string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(data)
	check(t, "read the folder", err)
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was on its way to its name
		}
		check(t, "stat", err)
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			t.Errorf("%s: got mode %o: others may use it", e.Name(), mode)
		}
		names = slices.DeleteFunc(names, func(name string) bool { return name == e.Name() })
	}
	if len(names) > 0 {
		t.Errorf("not there: %v", names)
	}
}

// TestFilesOfAnOpenFolderArePrivate starts a server on a folder that everybody
// may look into: what it writes there is its own all the same.
func TestFilesOfAnOpenFolderArePrivate(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	check(t, "chmod", os.Chmod(data, 0o755))
	s := harness.Serve(t, program, harness.Config{Data: data})
	makeThing(t, s, "pump")
	names := []string{"credentials", "master.key", "muster.lock", "endpoint", "device-endpoints"}
	if !harness.OnPostgres() {
		names = append(names, "muster.db", "muster.db-wal", "muster.db-shm")
	}
	private(t, data, names...)
}

// TestStopAnswersWhatIsUnderWay lets requests under way get their answers, while
// no new ones are taken.
func TestStopAnswersWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	s := newStack(t, "--shutdown-grace", "25s")
	c := own(t, s.Server)
	s.things(t, "pump")
	answers := make(chan error, 30)
	for _, id := range numbered("job-", cap(answers)) {
		go func() {
			_, err := c.CreateJob(t.Context(), &wire.CreateJobRequest{JobID: id, Targets: []string{thingARN("pump")}, Document: "{}"})
			answers <- err
		}()
	}
	check(t, "the first answer", <-answers)
	harness.StopNow(t, s.Server)
	taken := 1
	for range cap(answers) - 1 {
		if err := <-answers; err == nil {
			taken++
		}
	}
	again := harness.Serve(t, program, harness.Config{Data: s.Data()})
	jobs := 0
	for _, err := range own(t, again).Jobs(t.Context(), wire.ListJobsRequest{}) {
		check(t, "list", err)
		jobs++
	}
	// Requests that came too late were not served. Those that were are in the list.
	if jobs != taken {
		t.Errorf("%d jobs were acknowledged, and %d are there", taken, jobs)
	}
}

// TestChecksAndMetrics asks what those ask who run the server, without a key.
func TestChecksAndMetrics(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "pump")
	for path, want := range map[string]string{"/healthz": `"ok"`, "/readyz": `"ok"`, "/metrics": "process_cpu_seconds_total"} {
		status, body, err := s.Get(t.Context(), path)
		if err != nil || status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: got %d %.200s %v, want %s", path, status, body, err, want)
		}
	}
	if status, body, err := s.Get(t.Context(), "/things"); err != nil || status != http.StatusForbidden {
		t.Errorf("the API without a key: got %d %s %v", status, body, err)
	}
	if status, _, err := s.Get(t.Context(), "/things/../healthz"); err != nil || status == http.StatusOK || status/100 == 3 {
		t.Errorf("a path that leads up: got %d %v", status, err)
	}
}

// TestDisabledKey is refused from then on, also by a server that has just used it.
func TestDisabledKey(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	var env []string
	run := func(args ...string) harness.Result {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		r, err := program.Run(ctx, harness.Config{Data: s.Data(), Env: env}, append(args, "--data", s.Data())...)
		check(t, strings.Join(args, " "), err)
		return r
	}
	s.things(t, "pump")
	key, err := s.Credentials()
	check(t, "credentials", err)
	if r := run("keys", "disable", key.KeyID); r.Code == 0 {
		t.Errorf("the last key was disabled: %+v", r)
	}
	if r := run("keys", "create", "--profile", "second"); r.Code != 0 {
		t.Fatalf("create: %+v", r)
	}
	if r := run("keys", "disable", key.KeyID); r.Code != 0 {
		t.Fatalf("disable: %+v", r)
	}
	_, err = s.jobs.GetPendingJobExecutionsWithContext(t.Context(), &getPending{ThingName: aws.String("pump")})
	if f, _ := deviceFault(err); f.status != http.StatusForbidden {
		t.Errorf("with the disabled key: got %v", err)
	}
	env = []string{"AWS_SHARED_CREDENTIALS_FILE=" + s.CredentialsFile(), "AWS_PROFILE=second"}
	if r := run("keys", "list", "--endpoint", s.URL()); r.Code != 0 || !strings.Contains(r.Stdout, key.KeyID) {
		t.Errorf("list with the second key: %+v", r)
	}
}

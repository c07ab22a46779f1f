package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/test/internal/harness"

	"github.com/google/go-cmp/cmp"
)

// shell runs clients of AWS that are programs, with the settings that muster
// serve prints at its start.
type shell struct {
	*harness.Server
	aws string // path
}

// newShell starts a server. Where the AWS CLI is missing, the test is skipped,
// but never in CI.
func newShell(t *testing.T) shell {
	t.Helper()
	path, err := exec.LookPath("aws")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no AWS CLI: %v", err)
		}
		t.Skipf("no AWS CLI: %v; make test installs it", err)
	}
	return shell{harness.Serve(t, program, harness.Config{}), path}
}

// run runs a program and returns what it has printed and its exit code.
func (s shell) run(t *testing.T, path string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=",
		"AWS_SHARED_CREDENTIALS_FILE=" + s.CredentialsFile(), "AWS_PROFILE=muster",
		"AWS_ENDPOINT_URL=" + s.URL(), "AWS_DEFAULT_REGION=" + harness.Region, "AWS_REGION=" + harness.Region,
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || !exit.Exited()) {
		t.Fatalf("%s %s: %v\n%s", path, strings.Join(args, " "), err, errs.Bytes())
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// cli runs the AWS CLI with words that are divided by spaces, then with more
// arguments, and returns the JSON that it prints. It must succeed.
func (s shell) cli(t *testing.T, words string, more ...string) map[string]any {
	t.Helper()
	stdout, stderr, code := s.run(t, s.aws, append(strings.Fields(words), more...)...)
	if code != 0 {
		t.Fatalf("aws %s: exit code %d\n%s", words, code, stderr)
	}
	answer := make(map[string]any)
	if strings.TrimSpace(stdout) == "" { // as the CLI shows an empty answer
		return answer
	}
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
		t.Fatalf("aws %s: %v\n%s", words, err, stdout)
	}
	return answer
}

// fails runs the AWS CLI, which must be refused, and returns the name of the exception.
func (s shell) fails(t *testing.T, words string) string {
	t.Helper()
	stdout, stderr, code := s.run(t, s.aws, strings.Fields(words)...)
	// The CLI's version 1 ends with 255, version 2 with 254.
	if code != 255 && code != 254 || stdout != "" {
		t.Errorf("aws %s: exit code %d, stdout %q", words, code, stdout)
	}
	_, rest, _ := strings.Cut(stderr, "An error occurred (")
	name, text, _ := strings.Cut(rest, ")")
	if !strings.Contains(text, " operation: ") || strings.HasSuffix(strings.TrimSpace(text), ":") {
		t.Errorf("aws %s: no text for people in %q", words, stderr)
	}
	return name
}

// at returns what is in nested objects and lists under a path of names and indices.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				return nil
			}
			v = m[p]
		case int:
			l, ok := v.([]any)
			if !ok || p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

// TestAWSCLI is the tour of the README: an operator and a device at the shell.
func TestAWSCLI(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	equal := func(what string, got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s, -want +got:\n%s", what, diff)
		}
	}
	equal("thing", at(s.cli(t, "iot create-thing --thing-name pump:1"), "thingArn"), thingARN("pump:1"))
	job := s.cli(t, "iot create-job --job-id update-1 --timeout-config inProgressTimeoutInMinutes=5 --targets", thingARN("pump:1"), "--document", document)
	equal("job", job, map[string]any{"jobArn": jobARN("update-1"), "jobId": "update-1"})
	list := s.cli(t, "iot list-jobs --status IN_PROGRESS")
	equal("list", at(list, "jobs", 0, "jobId"), "update-1")

	pending := s.cli(t, "iot-jobs-data get-pending-job-executions --thing-name pump:1")
	equal("queued", at(pending, "queuedJobs", 0, "jobId"), "update-1")
	equal("in progress", at(pending, "inProgressJobs"), []any{})
	next := s.cli(t, "iot-jobs-data describe-job-execution --thing-name pump:1 --job-id $next")
	equal("$next", at(next, "execution", "status"), "QUEUED")
	started := s.cli(t, "iot-jobs-data start-next-pending-job-execution --thing-name pump:1 --status-details step=download")
	equal("started", at(started, "execution", "status"), "IN_PROGRESS")
	equal("document", at(started, "execution", "jobDocument"), document)
	state := s.cli(t, "iot-jobs-data update-job-execution --thing-name pump:1 --job-id update-1 --status SUCCEEDED --expected-version 2 --include-job-execution-state")
	equal("state", at(state, "executionState"), map[string]any{
		"status": "SUCCEEDED", "versionNumber": float64(3), "statusDetails": map[string]any{"step": "download"},
	})
	equal("nothing to do", s.cli(t, "iot-jobs-data start-next-pending-job-execution --thing-name pump:1"), map[string]any{})

	x := s.cli(t, "iot describe-job-execution --thing-name pump:1 --job-id update-1")
	equal("execution", at(x, "execution", "statusDetails", "detailsMap", "step"), "download")
	seconds, ok := at(x, "execution", "queuedAt").(float64)
	if age := time.Since(time.UnixMilli(int64(seconds * 1000))); !ok || age < 0 || age > 10*time.Minute {
		t.Errorf("queuedAt: got %v, %s ago", at(x, "execution", "queuedAt"), age)
	}
	equal("over", s.fails(t, "iot cancel-job --job-id update-1"), "InvalidRequestException")
	equal("late", s.fails(t, "iot-jobs-data update-job-execution --thing-name pump:1 --job-id update-1 --status FAILED"), "InvalidStateTransitionException")
	equal("nowhere", s.fails(t, "iot describe-job --job-id none"), "ResourceNotFoundException")

	s.cli(t, "iot create-job --job-id update-2 --document {} --targets", thingARN("pump:1"))
	s.cli(t, "iot cancel-job --job-id update-2 --force --reason-code MISTAKE")
	s.cli(t, "iot delete-job --job-id update-2")
	equal("region", s.fails(t, "--region eu-west-1 iot list-jobs"), "InvalidSignatureException")
}

// TestBotocore runs the clients of Python, on which boto3 and the CLI stand, in
// one process: faster than the CLI, and with paginators.
func TestBotocore(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	stdout, stderr, code := s.run(t, filepath.Join(filepath.Dir(s.aws), "python"), filepath.Join("testdata", "life.py"))
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	t.Log(strings.TrimSpace(stdout))
}

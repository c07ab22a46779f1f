package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"muster/internal/wire"
)

// fakeJob serves one job whose answers are the given ones in turn, the last one
// again and again. It stands for states that take a real server minutes.
func fakeJob(t *testing.T, answers ...http.HandlerFunc) (url string) {
	t.Helper()
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := min(int(asked.Add(1)), len(answers))
		answers[n-1](w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// state answers with a job.
func state(status string, counts wire.JobProcessDetails) http.HandlerFunc {
	return kind("SNAPSHOT", status, false, counts)
}

func kind(selection, status string, rolling bool, counts wire.JobProcessDetails) http.HandlerFunc {
	j := wire.Job{JobID: "j", Status: status, TargetSelection: selection, JobProcessDetails: counts}
	if rolling {
		j.IsConcurrent = &rolling
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(wire.DescribeJobResponse{Job: j})
	}
}

// refusal answers with an exception.
func refusal(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amzn-Errortype", code)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"message":"because"}`))
	}
}

func TestWatchExitCodes(t *testing.T) {
	t.Parallel()
	type counts = wire.JobProcessDetails
	running := state("IN_PROGRESS", counts{NumberOfQueuedThings: 1, NumberOfInProgressThings: 1})
	tests := []struct {
		name    string
		answers []http.HandlerFunc
		args    []string
		code    int
		says    string
	}{
		{"all succeeded", []http.HandlerFunc{running, state("COMPLETED", counts{NumberOfSucceededThings: 2})}, nil,
			0, "job j is COMPLETED: 2 succeeded"},
		{"nothing to do", []http.HandlerFunc{state("COMPLETED", counts{})}, nil, 0, "job j is COMPLETED: no executions"},
		{"one failed", []http.HandlerFunc{running, state("COMPLETED", counts{NumberOfSucceededThings: 1, NumberOfFailedThings: 1})}, nil,
			exitFailures, "1 succeeded, 1 failed"},
		{"one was rejected", []http.HandlerFunc{state("COMPLETED", counts{NumberOfRejectedThings: 1})}, nil, exitFailures, "1 rejected"},
		{"one timed out", []http.HandlerFunc{state("COMPLETED", counts{NumberOfTimedOutThings: 1})}, nil, exitFailures, "1 timed out"},
		{"one was removed", []http.HandlerFunc{state("COMPLETED", counts{NumberOfRemovedThings: 1})}, nil, exitFailures, "1 removed"},
		{"one was canceled", []http.HandlerFunc{state("COMPLETED", counts{NumberOfSucceededThings: 1, NumberOfCanceledThings: 1})}, nil,
			exitCanceled, "1 succeeded, 1 canceled"},
		{"failures weigh more than a canceled execution", []http.HandlerFunc{state("COMPLETED", counts{NumberOfFailedThings: 1, NumberOfCanceledThings: 1})}, nil,
			exitFailures, "1 failed, 1 canceled"},
		{"the job was canceled", []http.HandlerFunc{running, state("CANCELED", counts{NumberOfFailedThings: 1, NumberOfCanceledThings: 1})}, nil,
			exitCanceled, "job j is CANCELED"},
		{"the job is being deleted", []http.HandlerFunc{running, state("DELETION_IN_PROGRESS", counts{})}, nil, exitCanceled, "DELETION_IN_PROGRESS"},
		{"the job is gone", []http.HandlerFunc{running, refusal(404, "ResourceNotFoundException")}, nil, exitCanceled, "job j is DELETED"},
		{"the job was never there", []http.HandlerFunc{refusal(404, "ResourceNotFoundException")}, nil, exitFailure, "ResourceNotFoundException: because"},
		{"not over in time", []http.HandlerFunc{running}, []string{"--timeout", "2s"}, exitTimeout, "job j is not over after 2s: 1 in progress, 1 queued"},
		{"a continuous job has nothing left to do", []http.HandlerFunc{
			kind("CONTINUOUS", "IN_PROGRESS", true, counts{NumberOfSucceededThings: 1}),
			kind("CONTINUOUS", "IN_PROGRESS", false, counts{NumberOfSucceededThings: 1, NumberOfQueuedThings: 1}),
			kind("CONTINUOUS", "IN_PROGRESS", false, counts{NumberOfSucceededThings: 2}),
		}, nil, 0, "job j is IN_PROGRESS: 2 succeeded"},
		{"the server is away for a while", []http.HandlerFunc{
			running, refusal(503, "x"), refusal(503, "x"), refusal(503, "x"), refusal(503, "x"), refusal(503, "x"),
			state("COMPLETED", counts{NumberOfSucceededThings: 2}),
		}, nil, 0, "2 succeeded"},
		{"the key is disabled meanwhile", []http.HandlerFunc{running, refusal(403, "UnrecognizedClientException")}, nil,
			exitFailure, "--data, --profile and --region choose what requests are signed with"},
		{"an interval of nothing", []http.HandlerFunc{running}, []string{"--interval", "0s"}, exitFailure, "--interval must be more than 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := watch(t, tt.answers, tt.args...)
			if all := got.stdout + got.stderr; got.code != tt.code || !strings.Contains(all, tt.says) {
				t.Errorf("got exit code %d and %q, want %d and %q", got.code, all, tt.code, tt.says)
			}
		})
	}
}

// watch runs muster jobs watch against a fake.
func watch(t *testing.T, answers []http.HandlerFunc, args ...string) result {
	t.Helper()
	env := map[string]string{"AWS_ACCESS_KEY_ID": "AKIAX", "AWS_SECRET_ACCESS_KEY": "x"}
	return musterWith(t, env, "", append([]string{"jobs", "watch", "j", "--endpoint", fakeJob(t, answers...), "--interval", "1ms"}, args...)...)
}

func TestWatchPrintsItsAnswerForPrograms(t *testing.T) {
	t.Parallel()
	got := watch(t, []http.HandlerFunc{state("COMPLETED", wire.JobProcessDetails{NumberOfFailedThings: 3})}, "-o", "json")
	var out wire.DescribeJobResponse
	if err := json.Unmarshal([]byte(got.stdout), &out); err != nil || out.Job.JobProcessDetails.NumberOfFailedThings != 3 {
		t.Errorf("got %q and error %v, want the job in JSON", got.stdout, err)
	}
	if want := "j  3/3  3 failed\n"; got.stderr != want {
		t.Errorf("got %q beside the answer, want %q", got.stderr, want)
	}
}

func TestWatchIsInterruptedLikeAnyProgram(t *testing.T) {
	t.Parallel()
	url := fakeJob(t, state("IN_PROGRESS", wire.JobProcessDetails{NumberOfQueuedThings: 1}))
	ctx, cancel := context.WithCancel(t.Context())
	out := newScreen()
	ended := make(chan error, 1)
	env := map[string]string{"AWS_ACCESS_KEY_ID": "AKIAX", "AWS_SECRET_ACCESS_KEY": "x"}
	go func() {
		ended <- run(ctx, []string{"jobs", "watch", "j", "--endpoint", url},
			system{getenv: func(name string) string { return env[name] }, stdout: out, stderr: out})
	}()
	out.wait(t, "1 queued")
	cancel()
	if got := report(out, <-ended); got != exitInterrupted {
		t.Errorf("got exit code %d, want %d", got, exitInterrupted)
	}
	out.wait(t, "muster: interrupted")
}

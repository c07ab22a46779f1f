package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/client"
	"muster/internal/wire"
)

// step answers one request.
type step func(*http.Request) (*http.Response, error)

// script is a transport that answers each request with the next step, the last
// one again and again, and counts them.
type script struct {
	steps []step
	sent  int
	at    []time.Time
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	step := s.steps[min(s.sent, len(s.steps)-1)]
	s.sent++
	s.at = append(s.at, time.Now())
	return step(r)
}

// answer is a step that answers with a status and an error code.
func answer(status int, code string) step {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status,
			Header:     http.Header{"X-Amzn-Errortype": {code}},
			Body:       io.NopCloser(strings.NewReader("{}")),
			Request:    r,
		}, nil
	}
}

var errReset = errors.New("connection reset")

// reset is a step that loses the connection.
func reset(*http.Request) (*http.Response, error) { return nil, errReset }

// silence is a step that never answers.
func silence(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func scripted(t *testing.T, steps ...step) (*client.Client, *script) {
	t.Helper()
	s := &script{steps: steps}
	c, err := client.New(client.Config{Endpoint: "http://muster", Region: "r", Credentials: key, Transport: s})
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

// The three kinds of requests that differ in what may be sent again.
func get(ctx context.Context, c *client.Client) error {
	_, err := c.DescribeThing(ctx, &wire.DescribeThingRequest{ThingName: "t"})
	return err
}

func put(ctx context.Context, c *client.Client) error {
	_, err := c.StartNextPendingJobExecution(ctx, &wire.StartNextPendingJobExecutionRequest{ThingName: "t"})
	return err
}

func post(ctx context.Context, c *client.Client) error {
	_, err := c.UpdateJobExecution(ctx, &wire.UpdateJobExecutionRequest{ThingName: "t", JobID: "j", Status: "SUCCEEDED"})
	return err
}

func TestRetry(t *testing.T) {
	t.Parallel()
	ok := answer(200, "")
	tests := []struct {
		name  string
		call  func(context.Context, *client.Client) error
		steps []step
		sent  int
		code  string // of the error; "-" for one without; empty for success
	}{
		{"success is not repeated", post, []step{ok}, 1, ""},
		{"a read is sent again until it is answered", get, []step{answer(503, "ServiceUnavailableException"), answer(500, ""), reset, ok}, 4, ""},
		{"so is an idempotent write", put, []step{answer(500, "InternalFailureException"), ok}, 2, ""},
		{"a write that may have happened is not", post, []step{answer(500, "InternalFailureException"), ok}, 1, "InternalFailureException"},
		{"nor is one whose answer was lost", post, []step{reset, ok}, 1, "-"},
		{"a throttled write did not happen", post, []step{answer(429, "ThrottlingException"), ok}, 2, ""},
		{"the control plane throttles with another status", post, []step{answer(400, "ThrottlingException"), ok}, 2, ""},
		{"there is an end to it", get, []step{answer(503, "ServiceUnavailableException")}, 4, "ServiceUnavailableException"},
		{"what is refused stays refused", get, []step{answer(404, "ResourceNotFoundException"), ok}, 1, "ResourceNotFoundException"},
		{"what is not implemented stays so", get, []step{answer(501, "NotImplementedException"), ok}, 1, "NotImplementedException"},
		{"an attempt that hangs is given up", get, []step{silence, ok}, 2, ""},
		{"a redirect is not followed", get, []step{answer(307, ""), ok}, 1, "-"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, s := scripted(t, tt.steps...)
				err := tt.call(t.Context(), c)
				if s.sent != tt.sent {
					t.Errorf("got %d requests, want %d", s.sent, tt.sent)
				}
				if (err == nil) != (tt.code == "") || err != nil && client.Code(err) != strings.TrimPrefix(tt.code, "-") {
					t.Errorf("got %v, want %q", err, tt.code)
				}
			})
		})
	}
}

func TestRetryWaitsLongerEachTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []step{reset}}
		c, err := client.New(client.Config{Endpoint: "http://muster", Region: "r", Credentials: key, Transport: s, Attempts: 12})
		if err != nil {
			t.Fatal(err)
		}
		if err := get(t.Context(), c); !errors.Is(err, errReset) {
			t.Errorf("got %v, want the last error", err)
		}
		if len(s.at) != 12 {
			t.Fatalf("got %d requests, want 12", len(s.at))
		}
		for i := 1; i < len(s.at); i++ {
			most := min(100*time.Millisecond<<(i-1), 5*time.Second)
			if got := s.at[i].Sub(s.at[i-1]); got < most/2 || got > most {
				t.Errorf("got %v before attempt %d, want %v to %v", got, i+1, most/2, most)
			}
		}
	})
}

func TestRetryEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := scripted(t, answer(503, "ServiceUnavailableException"))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond) // ends while it waits
		defer cancel()
		err := get(ctx, c)
		if !errors.Is(err, context.DeadlineExceeded) || client.Code(err) != "ServiceUnavailableException" || s.sent != 1 {
			t.Errorf("got %v after %d requests, want both reasons after one", err, s.sent)
		}

		c, s = scripted(t, silence)
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel) // ends while it is sent
		if err := get(ctx, c); !errors.Is(err, context.Canceled) || s.sent != 1 {
			t.Errorf("got %v after %d requests, want the cancellation after one", err, s.sent)
		}
	})
}

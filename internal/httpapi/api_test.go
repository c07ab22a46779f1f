package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muster/internal/auth"
	"muster/internal/engine"
	"muster/internal/registry"
	"muster/internal/wire"
)

const (
	thingARN = "arn:aws:iot:us-east-1:123456789012:thing/"
	groupARN = "arn:aws:iot:us-east-1:123456789012:thinggroup/"
)

// job makes a thing t1 and a job j1 for it.
func (w *world) job() {
	w.t.Helper()
	w.ok("iot", "POST", "/things/t1", "")
	w.ok("iot", "PUT", "/jobs/j1", `{"targets":["`+thingARN+`t1"],"document":"{}"}`)
}

func TestBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.job()
	const next, update, create = "PUT /things/t1/jobs/$next", "POST /things/t1/jobs/j1", "PUT /jobs/j2"
	tests := []struct {
		name, request, body, want string
	}{
		{"no body is an empty object", next, "", "200"},
		{"an empty object is no options", next, "{}", "200"},
		{"space around an object is nothing", next, " \n{ }\t", "200"},
		{"null members are absent", next, `{"statusDetails":null,"stepTimeoutInMinutes":null}`, "200"},
		{"unknown members are ignored", update, `{"status":"IN_PROGRESS","clientToken":"x","includeStuff":{"a":[1,2]}}`, "200"},
		{"names match exactly, so another case is unknown", update, `{"Status":"IN_PROGRESS"}`, "400 InvalidRequestException"},
		{"the last of two counts", update, `{"status":"SUCCEEDED","status":"IN_PROGRESS"}`, "200"},
		{"escaped names are read", update, `{"st\u0061tus":"IN_PROGRESS"}`, "200"},
		{"a required member must be there", update, `{}`, "400 InvalidRequestException"},
		{"a body that is not JSON is refused", update, `status=IN_PROGRESS`, "400 InvalidRequestException"},
		{"a body that ends early is refused", update, `{"status":"IN_PROGRESS"`, "400 InvalidRequestException"},
		{"two objects are refused", update, `{}{}`, "400 InvalidRequestException"},
		{"a list is refused", update, `[]`, "400 InvalidRequestException"},
		{"a bare null is refused", update, `null`, "400 InvalidRequestException"},
		{"space alone is refused", update, ` `, "400 InvalidRequestException"},
		{"a body that is not UTF-8 is refused", update, "{\"status\":\"\xff\"}", "400 InvalidRequestException"},
		{"a byte order mark is refused", update, "\ufeff{}", "400 InvalidRequestException"},
		{"a number for a string is refused", update, `{"status":1}`, "400 InvalidRequestException"},
		{"a fraction for an integer is refused", update, `{"status":"IN_PROGRESS","expectedVersion":1.5}`, "400 InvalidRequestException"},
		{"a number beyond 64 bits is refused", update, `{"status":"IN_PROGRESS","executionNumber":99999999999999999999}`, "400 InvalidRequestException"},
		{"a string for a map is refused", update, `{"status":"IN_PROGRESS","statusDetails":"x"}`, "400 InvalidRequestException"},
		{"ten details are the most", update, `{"status":"IN_PROGRESS","statusDetails":{` + pairs(10) + `}}`, "200"},
		{"eleven details are too many", update, `{"status":"IN_PROGRESS","statusDetails":{` + pairs(11) + `}}`, "400 InvalidRequestException"},
		{"a hundred targets are the most", create, `{"document":"{}","targets":[` + targets(100) + `]}`, "404 ResourceNotFoundException"},
		{"101 targets are past the quota", create, `{"document":"{}","targets":[` + targets(101) + `]}`, "410 LimitExceededException"},
		{"a document of 32768 bytes is the longest", create, `{"document":"\"` + strings.Repeat("x", 32766) + `\"","targets":["` + thingARN + `t1"]}`, "200"},
		{"a longer document is refused", create, `{"document":"\"` + strings.Repeat("x", 32767) + `\"","targets":["` + thingARN + `t1"]}`, "400 InvalidRequestException"},
		{"a body over the limit is refused", create, `{"document":"` + strings.Repeat(" ", 1<<20) + `"}`, "413 RequestEntityTooLargeException"},
		{"deep nesting is read or refused, but does no harm", create, `{"document":"{}","targets":` + strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000) + `}`, "400 InvalidRequestException"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			method, path, _ := strings.Cut(tt.request, " ")
			service := "iot-jobs-data"
			if tt.request == create {
				service = "iot"
			}
			r := w.send(t, method, path, tt.body, "Test-Service", service)
			got := strings.TrimSpace(fmt.Sprint(r.status, " ", r.header.Get("X-Amzn-Errortype")))
			if got != tt.want {
				t.Errorf("got %s %s, want %s", got, r.body, tt.want)
			}
		})
	}
}

// TestPlaceholdersAreRefused: what is not resolved is never stored, or a device
// would get it raw.
func TestPlaceholdersAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.job()
	for document, text := range map[string]string{
		`{\"u\":\"${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/b/fw.bin}\"}`: "presignedUrlConfig role ARN is required to generate an S3 presigned url in job document.",
		`{\"u\":\"${aws:iot:parameter:x}\"}`:                                                  "${aws:iot:parameter:...}",
		`{\"u\":\"${aws:iot:s3-presigned-url:https://s3\"}`:                                   "One or more parameters or placeholders are not terminated.",
	} {
		body := `{"targets":["` + thingARN + `t1"],"document":"` + document + `"}`
		r := w.send(t, "PUT", "/jobs/held", body, "Test-Service", "iot")
		if r.status != 400 || r.header.Get("X-Amzn-Errortype") != "InvalidRequestException" || !strings.Contains(r.body, text) {
			t.Errorf("%s: got %d %s, want 400 %q", document, r.status, r.body, text)
		}
	}
	w.refused("iot", "GET", "/jobs/held", "", 404, "ResourceNotFoundException")
}

// TestBodyThatStalls sends half a body and waits for what the server says when
// its patience ends.
func TestBodyThatStalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := httptest.NewUnstartedServer(w.api(byHeader{}))
	s.Config.ReadTimeout = 100 * time.Millisecond
	s.Start()
	t.Cleanup(s.Close)
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // only read from
	if _, err := io.WriteString(c, "PUT /things/t1/jobs/$next HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\nTest-Service: iot-jobs-data\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if code := resp.Header.Get("X-Amzn-Errortype"); resp.StatusCode != http.StatusRequestTimeout || code != "RequestTimeoutException" {
		t.Errorf("got %d %s, want 408 RequestTimeoutException", resp.StatusCode, code)
	}
}

func pairs(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`"k%d":"v"`, i)
	}
	return strings.Join(all, ",")
}

func targets(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`"%snope%d"`, thingARN, i)
	}
	return strings.Join(all, ",")
}

func TestQuotas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ok("iot", "POST", "/thing-groups/g", "")
	tags := func(from, n int) string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf(`{"Key":"k%d","Value":"v"}`, from+i)
		}
		return `{"resourceArn":"` + groupARN + `g","tags":[` + strings.Join(all, ",") + `]}`
	}
	w.ok("iot", "POST", "/tags", tags(0, 50))
	w.ok("iot", "POST", "/tags", tags(10, 40)) // again: not one more
	w.refused("iot", "POST", "/tags", tags(50, 1), 410, "LimitExceededException")
	w.refused("iot", "POST", "/tags", tags(0, 51), 410, "LimitExceededException")
}

// refused sends a request that must be answered with an exception.
func (w *world) refused(service, method, path, body string, status int, exception string) {
	w.t.Helper()
	r := w.send(w.t, method, path, body, "Test-Service", service)
	if code := r.header.Get("X-Amzn-Errortype"); r.status != status || code != exception {
		w.t.Errorf("%s %s: got %d %s %s, want %d %s", method, path, r.status, code, r.body, status, exception)
	}
}

func TestDeniedIsToldAsThePlaneDoes(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked := make(map[string]bool) // guarded by mu
	deny := func(_ context.Context, p auth.Principal, action, resource string) error {
		mu.Lock()
		defer mu.Unlock()
		asked[action] = true
		return auth.Denied(p, action, resource)
	}
	w := newWorld(t, func(e *engine.Config, r *registry.Config) { e.Authorize, r.Authorize = deny, deny })
	w.refused("iot", "GET", "/jobs/j1", "", 403, "AccessDeniedException")
	w.refused("iot", "GET", "/things/t1", "", 403, "AccessDeniedException")
	w.refused("iot-jobs-data", "GET", "/things/t1/jobs", "", 403, "ForbiddenException")
	w.refused("iot-jobs-data", "POST", "/things/t1/jobs/j1", `{"status":"FAILED"}`, 403, "ForbiddenException")
	for _, action := range []string{"iot:DescribeJob", "iot:DescribeThing", "iotjobsdata:GetPendingJobExecutions", "iotjobsdata:UpdateJobExecution"} {
		if !asked[action] {
			t.Errorf("%s was not asked for", action)
		}
	}
}

// TestListsOfChangingJobs: the list is ordered by status, so a job that completes
// between two pages is in both, and none is left out [divergences, U20].
func TestListsOfChangingJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.job()
	w.wait(time.Second)
	w.ok("iot", "PUT", "/jobs/j2", `{"document":"{}","targets":["`+thingARN+`t1"]}`)
	var seen []string
	for token := ""; ; {
		body := w.ok("iot", "GET", "/jobs?"+url.Values{"maxResults": {"1"}, "nextToken": {token}}.Encode(), "")
		var page wire.ListJobsResponse
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatal(err)
		}
		for _, j := range page.Jobs {
			seen = append(seen, j.JobID+" "+j.Status)
			if len(seen) == 1 {
				w.ok("iot-jobs-data", "POST", "/things/t1/jobs/j2", `{"status":"SUCCEEDED"}`)
				w.wait(time.Second)
			}
		}
		if token = page.NextToken; token == "" {
			break
		}
	}
	if want := []string{"j2 IN_PROGRESS", "j1 IN_PROGRESS", "j2 COMPLETED"}; !slices.Equal(seen, want) {
		t.Errorf("got %q, want %q", seen, want)
	}
}

// TestNamespacesAreApart walks a namespaced job through the four operations of
// its device, beside one that has no namespace.
func TestNamespacesAreApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.job()
	w.ok("iot", "PUT", "/jobs/spaced", `{"document":"{}","targets":["`+thingARN+`t1"],"namespaceId":"ns"}`)
	contains := func(method, path, body string, want bool) {
		t.Helper()
		r := w.send(t, method, path, body, "Test-Service", "iot-jobs-data")
		if r.status != http.StatusOK || strings.Contains(r.body, `"jobId":"spaced"`) != want || strings.Contains(r.body, `"jobId":"j1"`) == want {
			t.Errorf("%s %s: got %d %s", method, path, r.status, r.body)
		}
	}
	contains("GET", "/things/t1/jobs", "", false)
	contains("GET", "/things/t1/jobs?namespaceId=ns", "", true)
	contains("GET", "/things/t1/jobs/$next", "", false)
	contains("GET", "/things/t1/jobs/$next?namespaceId=ns", "", true)
	contains("PUT", "/things/t1/jobs/$next", "", false)
	contains("PUT", "/things/t1/jobs/$next?namespaceId=ns", "", true)
	w.refused("iot-jobs-data", "POST", "/things/t1/jobs/spaced?namespaceId=other", `{"status":"SUCCEEDED"}`, 404, "ResourceNotFoundException")
	// Whoever names the job need not name its namespace, and operators see everything.
	contains("GET", "/things/t1/jobs/spaced", "", true)
	w.ok("iot-jobs-data", "POST", "/things/t1/jobs/spaced", `{"status":"IN_PROGRESS"}`)
	for _, list := range []string{"/jobs", "/things/t1/jobs"} {
		r := w.send(t, "GET", list, "", "Test-Service", "iot")
		if !strings.Contains(r.body, `"spaced"`) || !strings.Contains(r.body, `"j1"`) {
			t.Errorf("%s: got %s, want both jobs", list, r.body)
		}
		r = w.send(t, "GET", list+"?namespaceId=ns", "", "Test-Service", "iot")
		if !strings.Contains(r.body, `"spaced"`) || strings.Contains(r.body, `"j1"`) {
			t.Errorf("%s of the namespace: got %s, want its job alone", list, r.body)
		}
	}
	w.ok("iot-jobs-data", "POST", "/things/t1/jobs/spaced?namespaceId=ns", `{"status":"SUCCEEDED"}`)
}

func TestStrictTerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(e *engine.Config, _ *registry.Config) { e.StrictTerminal = true })
	w.job()
	w.ok("iot-jobs-data", "POST", "/things/t1/jobs/j1", `{"status":"SUCCEEDED"}`)
	w.refused("iot-jobs-data", "GET", "/things/t1/jobs/j1", "", 410, "TerminalStateException")
	w.ok("iot", "GET", "/things/t1/jobs/j1", "")
}

func TestAClosedStoreIsUnavailable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.job()
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	w.refused("iot", "GET", "/jobs", "", 503, "ServiceUnavailableException")
	w.refused("iot", "POST", "/things/t2", "", 503, "ServiceUnavailableException")
	w.refused("iot-jobs-data", "POST", "/things/t1/jobs/j1", `{"status":"FAILED"}`, 503, "ServiceUnavailableException")
}

// TestOneOfManyWins lets devices report at once with the same expected version:
// one is right, and all others learn the state that it made.
func TestOneOfManyWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.job()
	const clients = 16
	var won, lost atomic.Int64
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			r := w.send(t, "POST", "/things/t1/jobs/j1", `{"status":"IN_PROGRESS","expectedVersion":1}`, "Test-Service", "iot-jobs-data")
			switch {
			case r.status == http.StatusOK:
				won.Add(1)
			case r.status == http.StatusConflict && strings.Contains(r.body, `"executionState":{"status":"IN_PROGRESS","versionNumber":2}`):
				lost.Add(1)
			default:
				t.Errorf("got %d %s", r.status, r.body)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != clients-1 {
		t.Errorf("got %d winners and %d losers of %d", won.Load(), lost.Load(), clients)
	}
}

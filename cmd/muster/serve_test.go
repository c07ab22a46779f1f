package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"muster/internal/auth/sigv4"
	"muster/internal/client"
	"muster/internal/wire"
)

// get returns status and body of an answer.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestServeTellsOperatorsHowItIs(t *testing.T) {
	t.Parallel()
	p, url := serve(t, t.TempDir())
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, body := get(t, url+path); status != http.StatusOK || body != `{"status":"ok"}` {
			t.Errorf("%s: got %d %q, want 200 and ok", path, status, body)
		}
	}
	if status, body := get(t, url+"/jobs"); status != http.StatusForbidden || !strings.Contains(body, "Missing Authentication Token") {
		t.Errorf("/jobs: got %d %q, want 403 for a request without a signature", status, body)
	}
	status, metrics := get(t, url+"/metrics")
	if status != http.StatusOK {
		t.Errorf("/metrics: got %d, want 200", status)
	}
	for _, name := range []string{
		"go_goroutines", "muster_build_info", "muster_http_requests_total", "muster_http_request_duration_seconds_bucket",
		"muster_store_commit_calls_count", "muster_store_commit_duration_seconds_count", "muster_engine_loop_failures_total",
		`muster_job_executions_total{status="FAILED"}`, `muster_jobs{status="IN_PROGRESS"}`, "muster_engine_backlog",
	} {
		if !strings.Contains(metrics, "\n"+name) {
			t.Errorf("/metrics: got no %s", name)
		}
	}
	if err := p.stop(t); err != nil {
		t.Errorf("got %v from the stop, want no error", err)
	}
}

func TestServeWithoutMetrics(t *testing.T) {
	t.Parallel()
	_, url := serve(t, t.TempDir(), "--no-metrics")
	if status, _ := get(t, url+"/metrics"); status == http.StatusOK {
		t.Error("got 200 from /metrics, want a refusal")
	}
}

func TestServeWithoutPlainMQTTSaysNothingOfIt(t *testing.T) {
	t.Parallel()
	p, _ := serve(t, t.TempDir(), "--mqtt-listen", "off")
	if strings.Contains(p.stdout.String(), "without credentials") {
		t.Errorf("got %q", p.stdout)
	}
}

func TestFirstStartMakesAKeyOnce(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p, url := serve(t, data)
	if !strings.Contains(p.stdout.String(), "(new: the first access key)") {
		t.Errorf("got %q, want it to say that there is a new key", p.stdout)
	}
	if !strings.Contains(p.stdout.String(), "without credentials") {
		t.Errorf("got %q, want it to say that plain MQTT asks for no credentials", p.stdout)
	}
	first, _, err := client.FindCredentials(client.Sources{Data: data, Profile: "muster"})
	if err != nil {
		t.Fatal(err)
	}
	for what, said := range map[string]string{"output": p.stdout.String(), "log": p.stderr.String()} {
		if strings.Contains(said, first.Secret) {
			t.Errorf("the secret is in the %s", what)
		}
	}
	c, err := client.New(client.Config{Endpoint: url, Region: "us-east-1", Credentials: first})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range c.Jobs(t.Context(), wire.ListJobsRequest{}) {
		t.Errorf("got %v, want an empty list", err)
	}
	if err := p.stop(t); err != nil {
		t.Fatal(err)
	}
	if url, err := readEndpoint(data); url != "" || err != nil {
		t.Errorf("got endpoint %q and error %v after the stop, want none", url, err)
	}

	p, _ = serve(t, data)
	if strings.Contains(p.stdout.String(), "(new") {
		t.Error("the second start says that there is a new key")
	}
	again, _, err := client.FindCredentials(client.Sources{Data: data})
	if err != nil || again != first {
		t.Errorf("got %v and error %v after the second start, want %v", again, err, first)
	}
}

// TestServeBehindAProxy sends requests as a proxy does that puts its own name
// into the Host header, which clients have signed.
func TestServeBehindAProxy(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	_, url := serve(t, data, "--signed-host", "iot.example.com")
	key, _, err := client.FindCredentials(client.Sources{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, signed, sent string
		want               int
	}{
		{"the host that the proxy has", "iot.example.com", "backend:1", http.StatusOK},
		{"a host that was never told", "other.example.com", "backend:1", http.StatusForbidden},
		{"a client that comes past the proxy", "127.0.0.1", "127.0.0.1", http.StatusOK},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/jobs", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = tt.signed
		if err := new(sigv4.Signer).Sign(r, nil, key, "us-east-1", "iot", time.Now()); err != nil {
			t.Fatal(err)
		}
		r.Host = tt.sent
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != tt.want {
			t.Errorf("%s: got %d and %v, want %d", tt.name, resp.StatusCode, err, tt.want)
		}
	}
}

func TestServeRefusesWhatIsTaken(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	_, url := serve(t, data)
	address := strings.TrimPrefix(url, "http://")
	tests := []struct {
		name, data, listen string
		want               string
	}{
		{"the port of another program", t.TempDir(), address, address + " is in use by another program; stop that one, or listen elsewhere"},
		{"the folder of another server", data, "127.0.0.1:0", "in use by another process"},
		{"an address of another machine", t.TempDir(), "192.0.2.1:80", "192.0.2.1:80 is not an address of this machine"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := muster(t, "serve", "--data", tt.data, "--listen", tt.listen, "--insecure-listen")
			if got.code != exitFailure || !strings.Contains(got.stderr, tt.want) {
				t.Errorf("got exit code %d and %q, want %d and %q", got.code, got.stderr, exitFailure, tt.want)
			}
		})
	}
}

func TestPrintedConfigIsOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := map[string]string{"MUSTER_LOG_LEVEL": "warn"}
	got := musterWith(t, env, "", "serve", "--print-config", "--data", "d", "--any-region").ok(t)
	for _, want := range []string{`data = "d" # flag --data`, `logLevel = "warn" # environment MUSTER_LOG_LEVEL`, `region = "us-east-1" # default`} {
		if !strings.Contains(got, want) {
			t.Errorf("got no %q in:\n%s", want, got)
		}
	}
	file := filepath.Join(dir, "muster.toml")
	if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
		t.Fatal(err)
	}
	again := muster(t, "serve", "--print-config", "--config", file).ok(t)
	if values(again) != values(got) {
		t.Errorf("got\n%s\nfrom the printed file, want\n%s", values(again), values(got))
	}
	if _, err := os.Stat("d"); err == nil {
		t.Error("printing the configuration has made the data folder")
	}
}

// values returns a printed configuration without its comments.
func values(config string) string {
	var b strings.Builder
	for line := range strings.Lines(config) {
		value, _, _ := strings.Cut(line, " #")
		fmt.Fprintln(&b, strings.TrimSpace(value))
	}
	return b.String()
}

// halfRequest opens a connection and sends a request but for the end of its
// body, so that the server is busy with it until finish is called, which returns
// the status line.
func halfRequest(t *testing.T, url string) (finish func() (string, error)) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	// The server asks for the body once it serves the request.
	fmt.Fprint(conn, "POST /untag HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
	r := bufio.NewReader(conn)
	if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("got %q and error %v, want 100 Continue", line, err)
	}
	return func() (string, error) {
		fmt.Fprint(conn, "{}")
		if _, err := r.ReadString('\n'); err != nil { // the empty line after 100 Continue
			return "", err
		}
		return r.ReadString('\n')
	}
}

func TestStopWaitsForRequestsUnderWay(t *testing.T) {
	t.Parallel()
	p, url := serve(t, t.TempDir())
	finish := halfRequest(t, url)
	p.interrupt()
	p.stderr.wait(t, "msg=stopping")
	select {
	case <-p.ended:
		t.Fatal("the server has stopped with a request under way")
	default:
	}
	if line, err := finish(); err != nil || !strings.Contains(line, "403") {
		t.Errorf("got %q and error %v, want the answer 403", line, err)
	}
	if err := p.stop(t); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	p.stderr.wait(t, "msg=stopped")
}

func TestStopDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p, url := serve(t, data, "--shutdown-grace", "10ms")
	halfRequest(t, url)
	if err := p.stop(t); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	p.stderr.wait(t, "requests did not end within 10ms")
	if _, err := os.Stat(filepath.Join(data, endpointName)); err == nil {
		t.Error("the endpoint file is still there")
	}
}

func TestSignalsStopTheProgram(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent SIGTERM there")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	launch := func(t *testing.T) (*exec.Cmd, *screen, string) {
		data := t.TempDir()
		c := exec.CommandContext(t.Context(), program, "serve", "--data", data, "--listen", "127.0.0.1:0")
		out := newScreen()
		c.Env, c.Stdout, c.Stderr = append(os.Environ(), asProgram+"=1"), out, out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		out.wait(t, "is ready")
		url, err := readEndpoint(data)
		if err != nil {
			t.Fatal(err)
		}
		return c, out, url
	}
	t.Run("the first one stops it in order", func(t *testing.T) {
		t.Parallel()
		c, out, _ := launch(t)
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil {
			t.Errorf("got %v, want exit code 0", err)
		}
		out.wait(t, "msg=stopped")
	})
	t.Run("a second one stops it at once", func(t *testing.T) {
		t.Parallel()
		c, out, url := launch(t)
		halfRequest(t, url)
		if err := c.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		out.wait(t, "msg=stopping")
		if err := c.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		err := c.Wait()
		if got := c.ProcessState.ExitCode(); got != exitInterrupted {
			t.Errorf("got exit code %d (%v), want %d", got, err, exitInterrupted)
		}
		if strings.Contains(out.String(), "msg=stopped") {
			t.Error("the second signal has waited for the first one")
		}
	})
}

package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// mosquitto runs the command line clients of Mosquitto as one device.
type mosquitto struct {
	*gateway
	version   string   // 311 or 5
	transport []string // flags that say where to
}

// needMosquitto skips a test where the clients are missing, but never in CI.
func needMosquitto(t *testing.T) {
	t.Helper()
	for _, name := range []string{"mosquitto_pub", "mosquitto_sub", "mosquitto_rr"} {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("no Mosquitto clients: %v", err)
			}
			t.Skipf("no Mosquitto clients: %v; make test installs them", err)
		}
	}
}

// run runs a client and returns what it prints and whether it has succeeded.
func (m mosquitto) run(t *testing.T, name string, args ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	cmd := exec.CommandContext(ctx, "mosquitto_"+name, append(append([]string{"-V", m.version, "-q", "1"}, m.transport...), args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	return out.String(), errs.String(), err == nil
}

// do is run that must succeed, and returns what it prints.
func (m mosquitto) do(t *testing.T, name string, args ...string) string {
	t.Helper()
	stdout, stderr, ok := m.run(t, name, args...)
	if !ok {
		t.Fatalf("mosquitto_%s %s: %s%s", name, strings.Join(args, " "), stdout, stderr)
	}
	return strings.TrimSpace(stdout)
}

// ask sends a request and returns its reply.
func (m mosquitto) ask(t *testing.T, thing, topic, payload string) string {
	t.Helper()
	topic = "$aws/things/" + thing + "/jobs/" + topic
	return m.do(t, "rr", "-t", topic, "-e", topic+"/accepted", "-m", payload, "-W", "10")
}

// TestMosquitto is a device that is a shell script: it keeps a session for what
// it misses between two of its commands.
func TestMosquitto(t *testing.T) {
	t.Parallel()
	needMosquitto(t)
	g := newGateway(t)
	at := func(address string, more ...string) []string {
		host, port, err := net.SplitHostPort(address)
		check(t, "address", err)
		return append([]string{"-h", host, "-p", port}, more...)
	}
	secure := at(g.secure, "--cafile", g.caFile, "--cert", g.certFile, "--key", g.keyFile)
	tests := []struct {
		name string
		mosquitto
	}{
		{"shell311", mosquitto{g, "311", at(g.plain)}},
		{"shell5", mosquitto{g, "5", at(g.plain)}},
		{"shell311-tls", mosquitto{g, "311", secure}},
		{"shell5-tls-alpn", mosquitto{g, "5", append(secure, "--tls-alpn", "x-amzn-mqtt-ca")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g.thing(t, tt.name)
			tt.life(t, tt.name)
		})
	}
	for _, tt := range []struct {
		name  string
		flags []string
	}{
		{"without a certificate", at(g.secure, "--cafile", g.caFile)},
		{"without TLS", at(g.secure)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := mosquitto{g, "311", tt.flags}
			if stdout, stderr, ok := m.run(t, "pub", "-t", "a", "-m", "b"); ok {
				t.Errorf("it gets in: %s%s", stdout, stderr)
			}
		})
	}
}

// listen runs mosquitto_sub until the end of the test and returns the lines that
// it prints.
func (m mosquitto) listen(t *testing.T, args ...string) <-chan string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "mosquitto_sub", append(append([]string{"-V", m.version, "-q", "1", "-v"}, m.transport...), args...)...)
	out, err := cmd.StdoutPipe()
	check(t, "pipe", err)
	check(t, "mosquitto_sub", cmd.Start())
	t.Cleanup(func() { _ = cmd.Wait() }) // the context has killed it
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return lines
}

// life does a job and refuses another, in a session that began before them.
func (m mosquitto) life(t *testing.T, thing string) {
	t.Helper()
	prefix := "$aws/things/" + thing + "/jobs/"
	session := []string{"-i", thing, "-c", "-t", prefix + "notify", "-t", prefix + "notify-next"}
	if m.version == "5" {
		session = append(session, "-x", "60")
	}
	m.do(t, "sub", append(session, "-E")...)
	first, second := thing+"-1", thing+"-2"
	m.job(t, first, thing)
	lines := m.listen(t, session...)
	told := func(list, next string) {
		t.Helper()
		for _, want := range [][2]string{{"notify", list}, {"notify-next", next}} {
			select {
			case line := <-lines:
				if !strings.HasPrefix(line, prefix+want[0]+" {") || !strings.Contains(line, want[1]) {
					t.Errorf("got %s, want %s with %s", line, want[0], want[1])
				}
			case <-time.After(soon):
				t.Fatalf("no %s with %s", want[0], want[1])
			}
		}
	}
	told(`"QUEUED":[{"jobId":"`+first, `"execution":{"jobId":"`+first)
	if got := m.ask(t, thing, "$next/get", ""); !strings.Contains(got, `"status":"QUEUED"`) || !strings.Contains(got, `"jobDocument":{"operation"`) {
		t.Errorf("$next/get: got %s", got)
	}
	if got := m.ask(t, thing, "start-next", `{"clientToken":"sh"}`); !strings.HasPrefix(got, `{"clientToken":"sh","timestamp":`) {
		t.Errorf("start-next: got %s", got)
	}
	m.do(t, "pub", "-t", prefix+"$next/get", "-n") // nobody waits for the reply
	if got := m.ask(t, thing, first+"/update", `{"status":"SUCCEEDED","expectedVersion":"2","includeJobExecutionState":true}`); !strings.Contains(got, `"versionNumber":3`) {
		t.Errorf("update: got %s", got)
	}
	told(`"jobs":{}`, `{"timestamp":`)
	m.job(t, second, thing)
	told(`"QUEUED":[{"jobId":"`+second, `"execution":{"jobId":"`+second)
	m.ask(t, thing, second+"/update", `{"status":"REJECTED"}`)
	told(`"jobs":{}`, `{"timestamp":`)
	m.telemetry(t, thing)
}

// telemetry is an ordinary topic between two clients.
func (m mosquitto) telemetry(t *testing.T, thing string) {
	t.Helper()
	lines := m.listen(t, "-i", thing+"-dashboard", "-t", "plant/+/"+thing)
	tick := time.NewTicker(50 * time.Millisecond) // until the other has subscribed
	defer tick.Stop()
	for late := time.After(soon); ; {
		m.do(t, "pub", "-t", "plant/7/"+thing, "-m", "20.5")
		select {
		case got := <-lines:
			if got != "plant/7/"+thing+" 20.5" {
				t.Errorf("telemetry: got %q", got)
			}
			return
		case <-tick.C:
		case <-late:
			t.Fatal("no telemetry")
		}
	}
}

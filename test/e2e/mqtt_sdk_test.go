package e2e_test

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// TestDeviceSDKs runs the second SDKs of AWS for devices, in JavaScript and in
// Python: with either of their clients for jobs, over either version of MQTT,
// always over TLS with a certificate on both sides. Their runtime, written in C,
// breaks off when the server does not ask for the device's. The scripts say
// what each device does and expects.
func TestDeviceSDKs(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	host, text, err := net.SplitHostPort(g.secure)
	check(t, "address", err)
	port, err := strconv.Atoi(text)
	check(t, "port", err)
	for _, tt := range []struct {
		name   string
		need   func(*testing.T) interpreter
		script string
		things []string
	}{
		{"JavaScript", needNode, filepath.Join("node", "device.js"), []string{"sdk2js-1-3", "sdk2js-1-5", "sdk2js-2-3", "sdk2js-2-5"}},
		{"Python", needPython, filepath.Join("testdata", "device.py"), []string{"sdk2py-1-3", "sdk2py-1-5", "sdk2py-2-3", "sdk2py-2-5"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			script := tt.need(t)
			g.twoJobs(t, tt.things...)
			script.run(t, tt.script, map[string]any{
				"host": host, "port": port, "ca": g.caFile, "cert": g.certFile, "key": g.keyFile, "things": tt.things,
			})
			for _, thing := range tt.things {
				g.expectStatus(t, thing, thing+"-1", "SUCCEEDED")
				g.expectStatus(t, thing, thing+"-2", "REJECTED")
			}
		})
	}
}

// needPython skips a test where the SDK for Python is missing, but never in CI.
func needPython(t *testing.T) interpreter {
	t.Helper()
	path, err := filepath.Abs("../../.tools/python/bin/python")
	check(t, "path", err)
	if _, err := os.Stat(path); err != nil {
		missing(t, "SDK for Python", err)
	}
	return interpreter{path, "PYTHONDONTWRITEBYTECODE=1"}
}

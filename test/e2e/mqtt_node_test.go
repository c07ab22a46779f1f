package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/internal/wire"
	"muster/test/internal/harness"
)

// TestNode runs the clients of Node.js, mqtt.js and the first SDK of AWS for
// devices, each with two jobs for its thing.
func TestNode(t *testing.T) {
	t.Parallel()
	node := needNode(t)
	g := newGateway(t)
	key, err := g.Credentials()
	check(t, "credentials", err)
	things := []string{"mqttjs-4-tcp", "mqttjs-5-tcp", "mqttjs-5-tls", "mqttjs-4-web", "sdkjs"}
	g.twoJobs(t, things...)
	node.run(t, filepath.Join("node", "life.js"), map[string]any{
		"plain": "mqtt://" + g.plain, "secure": "mqtts://" + g.secure, "web": presigned(t, g.Server, key, time.Now()),
		"ca": g.caFile, "cert": g.certFile, "key": g.keyFile, "things": things,
	})
	for _, thing := range things {
		g.expectStatus(t, thing, thing+"-1", "SUCCEEDED")
		g.expectStatus(t, thing, thing+"-2", "SUCCEEDED")
	}
}

// twoJobs makes things with two jobs each, NAME-1 and NAME-2, which are queued
// when it returns.
func (g *gateway) twoJobs(t *testing.T, things ...string) {
	t.Helper()
	for _, thing := range things {
		g.thing(t, thing)
		g.job(t, thing+"-1", thing)
		g.job(t, thing+"-2", thing)
	}
	for _, thing := range things {
		harness.Wait(t, soon, "the jobs of "+thing, func(ctx context.Context) error {
			out, err := g.own.GetPendingJobExecutions(ctx, &wire.GetPendingJobExecutionsRequest{ThingName: thing})
			if err == nil && len(out.QueuedJobs) != 2 {
				return fmt.Errorf("%d are queued", len(out.QueuedJobs))
			}
			return err
		})
	}
}

func (g *gateway) expectStatus(t *testing.T, thing, job, want string) {
	t.Helper()
	x, err := g.own.DescribeJobExecution(t.Context(), &wire.DescribeJobExecutionRequest{ThingName: thing, JobID: job})
	check(t, "describe", err)
	if got := x.Execution.Status; got != want {
		t.Errorf("%s: got %s, want %s", job, got, want)
	}
}

// interpreter runs scripts that are clients.
type interpreter struct {
	path string
	env  string // one more variable, if any
}

// needNode skips a test where Node.js or its clients are missing, but never in CI.
func needNode(t *testing.T) interpreter {
	t.Helper()
	modules, err := filepath.Abs("../../.tools/node/node_modules")
	check(t, "path", err)
	path, err := exec.LookPath("node")
	for _, name := range []string{"mqtt", "aws-iot-device-sdk", "aws-iot-device-sdk-v2"} {
		if err == nil {
			_, err = os.Stat(filepath.Join(modules, name))
		}
	}
	if err != nil {
		missing(t, "clients of Node.js", err)
	}
	return interpreter{path, "NODE_PATH=" + modules}
}

// missing skips a test where a tool is missing, but never in CI.
func missing(t *testing.T, what string, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("no %s: %v", what, err)
	}
	t.Skipf("no %s: %v; make test installs them", what, err)
}

// run runs a script, which must succeed, with an argument in JSON.
func (i interpreter) run(t *testing.T, script string, argument map[string]any) {
	t.Helper()
	text, err := json.Marshal(argument)
	check(t, "argument", err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, i.path, script, string(text))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), i.env}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v; done are: %s\n%s", err, strings.Join(strings.Fields(out.String()), ", "), errs.Bytes())
	}
}

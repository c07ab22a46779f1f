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

// TestNode runs the clients of Node.js, mqtt.js and the SDK of AWS for devices,
// each with two jobs for its thing.
func TestNode(t *testing.T) {
	t.Parallel()
	modules, err := filepath.Abs("../../.tools/node/node_modules")
	check(t, "path", err)
	_, err = os.Stat(filepath.Join(modules, "mqtt"))
	if err == nil {
		_, err = exec.LookPath("node")
	}
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no clients of Node.js: %v", err)
		}
		t.Skipf("no clients of Node.js: %v; make test installs them", err)
	}
	g := newGateway(t)
	key, err := g.Credentials()
	check(t, "credentials", err)
	things := []string{"mqttjs-4-tcp", "mqttjs-5-tcp", "mqttjs-5-tls", "mqttjs-4-web", "sdkjs"}
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
	argument, err := json.Marshal(map[string]any{
		"plain": "mqtt://" + g.plain, "secure": "mqtts://" + g.secure, "web": presigned(t, g.Server, key, time.Now()),
		"ca": g.caFile, "cert": g.certFile, "key": g.keyFile, "things": things,
	})
	check(t, "argument", err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", filepath.Join("node", "life.js"), string(argument))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "NODE_PATH=" + modules}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v; done are: %s\n%s", err, strings.Join(strings.Fields(out.String()), ", "), errs.Bytes())
	}
	for _, thing := range things {
		for _, id := range []string{thing + "-1", thing + "-2"} {
			x, err := g.own.DescribeJobExecution(t.Context(), &wire.DescribeJobExecutionRequest{ThingName: thing, JobID: id})
			check(t, "describe", err)
			if got := x.Execution.Status; got != "SUCCEEDED" {
				t.Errorf("%s: got %s", id, got)
			}
		}
	}
}

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDemoRunsOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args []string
		want []string
	}{
		"a line for each device": {
			[]string{"--devices", "4"},
			[]string{
				"demo-device-01  100 %  succeeded", "demo-device-04   56 %  failed: checksum mismatch",
				"demo-device-04  FAILED     ", "reason=checksum mismatch", "3 succeeded, 1 failed.",
			},
		},
		"the sum of a large fleet": {[]string{"--devices", "21"}, []string{"demo-firmware-2  21/21  20 succeeded, 1 failed\n"}},
		"a single device succeeds": {[]string{"--devices", "1"}, []string{"is over after ", ": 1 succeeded."}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := muster(t, append([]string{"demo", "--once", "--speed", "50"}, tt.args...)...).ok(t)
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("got no %q in:\n%s", want, got)
				}
			}
			if _, err := os.Stat(demoFolder(t, got)); err == nil {
				t.Error("the folder is still there")
			}
		})
	}
}

// TestDemoInterruptedBeforeItsEnd is no success for the script that waits for it.
func TestDemoInterruptedBeforeItsEnd(t *testing.T) {
	t.Parallel()
	p := start(t, "demo", "--once", "--devices", "1", "--speed", "0.1")
	p.stdout.wait(t, "Job demo-firmware-2 for 1 things")
	err := p.stop(t)
	if e, ok := errors.AsType[*exitError](err); !ok || e.code != exitInterrupted {
		t.Errorf("got %v, want exit code %d", err, exitInterrupted)
	}
	if _, err := os.Stat(demoFolder(t, p.stdout.String())); err == nil {
		t.Error("the folder is still there")
	}
}

// demoFolder returns the data folder that a demo says it uses.
func demoFolder(t *testing.T, said string) string {
	t.Helper()
	_, rest, ok := strings.Cut(said, "data in ")
	folder, _, _ := strings.Cut(rest, "\n")
	if !ok || !strings.HasPrefix(filepath.Base(folder), "muster-demo-") {
		t.Fatalf("got no data folder in:\n%s", said)
	}
	return folder
}

func TestDemoStaysUpUntilInterrupted(t *testing.T) {
	t.Parallel()
	p := start(t, "demo", "--devices", "2", "--speed", "50")
	p.stdout.wait(t, "--wait --data ")
	data := demoFolder(t, p.stdout.String())

	got := muster(t, "jobs", "create", "again", "--targets", "group/demo-fleet", "--document", "{}", "--wait", "--interval", "10ms", "--data", data)
	if got.code != exitFailures || !strings.Contains(got.stdout, "job again is COMPLETED: 1 succeeded, 1 failed") {
		t.Errorf("got exit code %d and %q, want %d and one success and one failure", got.code, got.stdout, exitFailures)
	}
	said := muster(t, "things", "messages", "demo-device-01", "--data", data).ok(t)
	for _, want := range []string{"jobs/notify-next", "jobs/again/update"} {
		if !strings.Contains(said, want) {
			t.Errorf("the device does not speak MQTT: got no %q in:\n%s", want, said)
		}
	}
	if err := p.stop(t); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("the folder is still there")
	}
}

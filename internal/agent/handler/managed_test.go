//go:build unix

package handler_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"muster/internal/agent"
	"muster/internal/agent/handler"
)

func TestPackagesAndServices(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		tools  []string
		action agent.Action
		calls  string
		reason string
	}{
		"apt-get installs": {
			tools:  []string{"apt-get", "yum"},
			action: agent.Action{Handler: "install-packages.sh", Args: []string{"lftp dos2unix", "vim"}},
			calls:  "apt-get install -y lftp dos2unix vim",
		},
		"apk removes": {
			tools: []string{"apk"}, action: agent.Action{Handler: "remove-packages.sh", Args: []string{"vim"}}, calls: "apk del vim",
		},
		"yum installs for a user": {
			tools:  []string{"sudo", "yum"},
			action: agent.Action{Handler: "install-packages.sh", Args: []string{"vim"}, User: "root", Path: "default"},
			calls:  "sudo -u root -n -- BIN/yum install -y vim",
		},
		"an option is no package": {
			tools: []string{"apt-get"}, action: agent.Action{Handler: "install-packages.sh", Args: []string{"--reinstall vim"}},
			reason: `"--reinstall" is an option, not a name`,
		},
		"no package is none": {
			tools: []string{"apt-get"}, action: agent.Action{Handler: "install-packages.sh", Args: []string{" "}}, reason: "no names are given",
		},
		"no package manager": {
			action: agent.Action{Handler: "install-packages.sh", Args: []string{"vim"}},
			reason: "this machine has none of apt-get, dnf, yum, apk, opkg, zypper",
		},
		"services start one by one": {
			tools:  []string{"systemctl", "service"},
			action: agent.Action{Handler: "start-services.sh", Args: []string{"a b"}},
			calls:  "systemctl start a\nsystemctl start b",
		},
		"the agent's own is restarted last": {
			tools:  []string{"systemctl"},
			action: agent.Action{Handler: "restart-services.sh", Args: []string{"muster-agent.service b"}},
			calls:  "systemctl restart b\nsystemctl restart muster-agent.service",
		},
		"without systemd": {
			tools: []string{"service"}, action: agent.Action{Handler: "stop-services.sh", Args: []string{"a"}}, calls: "service a stop",
		},
		"the first that fails is told": {
			tools: []string{"fail systemctl"}, action: agent.Action{Handler: "stop-services.sh", Args: []string{"a b"}},
			reason: "stop a: exited with status 5",
		},
		"no services": {
			action: agent.Action{Handler: "stop-services.sh", Args: []string{"a"}}, reason: "this machine has none of systemctl, service",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.cfg.Unit = "muster-agent"
			for _, tool := range tt.tools {
				if failing, ok := strings.CutPrefix(tool, "fail "); ok {
					m.script(m.bin, failing, "exit 5")
					continue
				}
				m.record(tool)
			}
			same(t, "reason", m.run(tt.action).Reason, tt.reason)
			same(t, "calls", strings.ReplaceAll(m.recorded(), m.bin, "BIN"), tt.calls)
		})
	}
}

func TestInterruptedManagedActions(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.cfg.Unit = "muster-agent"
	for name, tt := range map[string]struct {
		action   agent.Action
		rebooted bool
		want     agent.Verdict
	}{
		"a download is repeated":      {action: agent.Action{Handler: "download-file.sh"}, want: agent.Repeat},
		"an installation is repeated": {action: agent.Action{Handler: "install-packages.sh"}, want: agent.Repeat},
		"a restart is repeated":       {action: agent.Action{Handler: "restart-services.sh", Args: []string{"a"}}, want: agent.Repeat},
		"that of the agent, too":      {action: agent.Action{Handler: "restart-services.sh", Args: []string{"a muster-agent"}}, want: agent.Repeat},
		"a reboot has happened":       {action: agent.Action{Handler: "reboot.sh"}, rebooted: true, want: agent.Done},
		"a reboot is yet to happen":   {action: agent.Action{Handler: "reboot.sh"}, want: agent.Repeat},
		"a command is lost":           {action: agent.Action{Command: []string{"true"}}, want: agent.Lost},
	} {
		h, err := handler.New(m.cfg).Find(tt.action)
		if err != nil {
			t.Fatal(err)
		}
		if name == "a reboot is yet to happen" && handler.BootID() == "" {
			continue // this machine cannot tell
		}
		same(t, name, h.Interrupted(agent.Call{Action: tt.action, Rebooted: tt.rebooted}), tt.want)
	}
}

// TestInterruptedRestartOfTheAgent repeats actions on services, the agent's own
// among them. It was restarted, or is dead for another reason; then the others
// may have been left out.
func TestInterruptedRestartOfTheAgent(t *testing.T) {
	t.Parallel()
	for names, want := range map[string]string{
		"muster-agent":           "",
		"muster-agent.service b": "systemctl restart b",
		"b c":                    "systemctl restart b\nsystemctl restart c",
	} {
		m := newMachine(t)
		m.cfg.Unit = "muster-agent"
		m.record("systemctl")
		action := agent.Action{Handler: "restart-services.sh", Args: []string{names}}
		h, err := handler.New(m.cfg).Find(action)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "reason", h.Run(t.Context(), agent.Call{Action: action, Again: true}).Reason, "")
		same(t, "calls for "+names, m.recorded(), want)
	}
}

func TestOutputOfManyServicesIsKeptInPart(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.script(m.bin, "systemctl", `printf '%05000d\n' 1; echo "$2 warns" >&2`)
	out := m.run(agent.Action{Handler: "start-services.sh", Args: []string{strings.Repeat("a ", 20) + "z"}})
	if n := len(out.Stdout); n < agent.MaxDetail || n > 16*agent.MaxDetail {
		t.Errorf("%d bytes are kept", n)
	}
	if !strings.HasSuffix(out.Stderr, "a warns\nz warns\n") || out.StderrLines != 21 {
		t.Errorf("got %d lines that end in %q", out.StderrLines, out.Stderr)
	}
}

func TestReboot(t *testing.T) {
	t.Parallel()
	for tool, want := range map[string]string{
		"systemctl": "systemctl reboot", "shutdown": "shutdown -r now", "reboot": "reboot",
	} {
		m := newMachine(t)
		m.record(tool)
		m.cfg.RebootWait = time.Millisecond
		out := m.run(agent.Action{Handler: "reboot.sh"})
		same(t, "calls", m.recorded(), want)
		same(t, "reason when nothing happens", out.Reason, "the machine did not go down")
	}
	m := newMachine(t)
	m.script(m.bin, "reboot", "exit 1")
	same(t, "reason when it is refused", m.run(agent.Action{Handler: "reboot.sh"}).Reason, "exited with status 1")

	m = newMachine(t)
	m.record("reboot")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan agent.Outcome)
	go func() { done <- m.runIn(ctx, agent.Action{Handler: "reboot.sh"}) }()
	cancel() // as the machine goes down
	<-done
}

func TestUnitOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0::/system.slice/muster-agent.service\n":                      "muster-agent",
		"12:cpu:/x\n1:name=systemd:/system.slice/edge.service\n0::/\n": "edge",
		"0::/user.slice/user-0.slice/session-1.scope\n":                "",
		"0::/\n": "",
		"":       "",
	} {
		same(t, text, handler.UnitOf(text), want)
	}
}

func TestBootIDIsTheSameThroughout(t *testing.T) {
	t.Parallel()
	same(t, "boot", handler.BootID(), handler.BootID())
}

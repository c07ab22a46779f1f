package handler

import (
	"bytes"
	"context"
	"os"
	"strings"
	"time"

	"muster/internal/agent"
)

// reboot starts the machine anew. It succeeds when that has happened, which the
// next life of the agent is asked about.
type reboot struct{ host *Host }

// Interrupted implements agent.Handler. Where boots cannot be told apart, that
// the agent went down has to do: rebooting for ever is worse.
func (reboot) Interrupted(c agent.Call) agent.Verdict {
	if c.Rebooted || BootID() == "" {
		return agent.Done
	}
	return agent.Repeat
}

// Run implements agent.Handler. It never succeeds: the machine goes down, or
// the action has failed.
func (r reboot) Run(ctx context.Context, c agent.Call) agent.Outcome {
	name, file, err := r.host.first("systemctl", "shutdown", "reboot")
	if err != nil {
		return agent.Outcome{Reason: err.Error()}
	}
	argv := []string{file}
	switch name {
	case "systemctl":
		argv = append(argv, "reboot")
	case "shutdown":
		argv = append(argv, "-r", "now")
	}
	out := r.host.runAs(ctx, c.Action.User, process{argv: argv})
	if out.Reason != "" {
		return out
	}
	t := time.NewTimer(r.host.cfg.RebootWait)
	defer t.Stop()
	select {
	case <-ctx.Done(): // going down
	case <-t.C:
	}
	out.Reason = "the machine did not go down"
	return out
}

// BootID returns what tells this boot of the machine from others, or "" if that
// is not known. In a container it is the start of the container, too.
func BootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	boot := strings.TrimSpace(string(id))
	// The start time of the first process, in ticks since the kernel's start,
	// is field 22, counted from behind the name, which may hold anything.
	stat, err := os.ReadFile("/proc/1/stat")
	if err != nil {
		return boot
	}
	after := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(after) > 22-3 {
		boot += "-" + string(after[22-3])
	}
	return boot
}

package handler

import (
	"context"
	"os"
	"path"
	"slices"
	"strings"

	"muster/internal/agent"
)

// services starts, stops or restarts services, which its arguments name.
type services struct {
	host *Host
	verb string
}

// Interrupted implements agent.Handler: doing it again is harmless, since Run
// leaves the agent itself alone then. It may be what has interrupted it, and
// whatever has, here the agent is, started anew.
func (services) Interrupted(agent.Call) agent.Verdict { return agent.Repeat }

func (s services) isOwn(name string) bool {
	return s.host.cfg.Unit != "" && strings.TrimSuffix(name, unitSuffix) == s.host.cfg.Unit
}

// Run implements agent.Handler.
func (s services) Run(ctx context.Context, c agent.Call) agent.Outcome {
	names, err := words(c.Action.Args)
	if err != nil {
		return agent.Outcome{Reason: err.Error()}
	}
	if c.Again {
		names = slices.DeleteFunc(names, s.isOwn)
	}
	// The agent's own service comes last: nothing happens after it.
	slices.SortStableFunc(names, func(a, b string) int { return order(s.isOwn(a)) - order(s.isOwn(b)) })
	manager, file, err := s.host.first("systemctl", "service")
	if err != nil {
		return agent.Outcome{Reason: err.Error()}
	}
	var all agent.Outcome
	var stdout, stderr tail
	for _, name := range names {
		argv := []string{file, s.verb, name}
		if manager == "service" {
			argv = []string{file, name, s.verb}
		}
		out := s.host.runAs(ctx, c.Action.User, process{argv: argv})
		stdout.add(out.Stdout)
		stderr.add(out.Stderr)
		all.StderrLines += out.StderrLines
		if out.Reason != "" {
			all.Reason = s.verb + " " + name + ": " + out.Reason
			break
		}
	}
	all.Stdout, all.Stderr = stdout.String(), stderr.String()
	return all
}

func order(last bool) int {
	if last {
		return 1
	}
	return 0
}

const unitSuffix = ".service"

// OwnUnit returns the name of the systemd service that this process is, or "".
func OwnUnit() string {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	return unitOf(string(text))
}

// unitOf returns the service in the text of a cgroup file: the last component
// of the path in its only line, or in that of systemd's own hierarchy.
func unitOf(cgroup string) string {
	for line := range strings.Lines(cgroup) {
		id, file, _ := strings.Cut(strings.TrimSpace(line), "::")
		if id != "0" {
			_, file, _ = strings.Cut(strings.TrimSpace(line), ":name=systemd:")
		}
		if unit, ok := strings.CutSuffix(path.Base(file), unitSuffix); ok {
			return unit
		}
	}
	return ""
}

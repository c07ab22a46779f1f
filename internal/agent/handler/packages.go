package handler

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"muster/internal/agent"
)

// verb is what to do with packages.
type verb int

const (
	install verb = iota
	remove
)

// managers are the package managers and how they are told to ask nothing, in
// the order in which they are looked for.
var managers = []struct {
	name string
	args [2][]string // by verb
}{
	{"apt-get", [2][]string{{"install", "-y"}, {"remove", "-y"}}},
	{"dnf", [2][]string{{"install", "-y"}, {"remove", "-y"}}},
	{"yum", [2][]string{{"install", "-y"}, {"remove", "-y"}}},
	{"apk", [2][]string{{"add"}, {"del"}}},
	{"opkg", [2][]string{{"install"}, {"remove"}}},
	{"zypper", [2][]string{{"--non-interactive", "install"}, {"--non-interactive", "remove"}}},
}

// packages installs or removes packages, which its arguments name.
type packages struct {
	host *Host
	verb verb
}

// Interrupted implements agent.Handler: what is installed is not installed again.
func (packages) Interrupted(agent.Call) agent.Verdict { return agent.Repeat }

// Run implements agent.Handler.
func (p packages) Run(ctx context.Context, c agent.Call) agent.Outcome {
	names, err := words(c.Action.Args)
	if err != nil {
		return agent.Outcome{Reason: err.Error()}
	}
	argv, err := p.manager()
	if err != nil {
		return agent.Outcome{Reason: err.Error()}
	}
	return p.host.runAs(ctx, c.Action.User, process{
		argv: append(argv, names...),
		env:  []string{"DEBIAN_FRONTEND=noninteractive"},
	})
}

// manager returns the beginning of a command of the machine's package manager.
func (p packages) manager() ([]string, error) {
	var names []string
	for _, m := range managers {
		if file, ok := p.host.look(m.name); ok {
			return append([]string{file}, m.args[p.verb]...), nil
		}
		names = append(names, m.name)
	}
	return nil, fmt.Errorf("this machine has none of %s", strings.Join(names, ", "))
}

// words returns the names in args, each of which may hold several: the managed
// templates pass them on in one. It fails if there is none, and if one would be
// taken for an option.
func words(args []string) ([]string, error) {
	names := strings.Fields(strings.Join(args, " "))
	if len(names) == 0 {
		return nil, errors.New("no names are given")
	}
	for _, n := range names {
		if strings.HasPrefix(n, "-") {
			return nil, fmt.Errorf("%q is an option, not a name", n)
		}
	}
	return names, nil
}

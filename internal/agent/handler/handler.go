// Package handler has the handlers of a Linux device: commands, programs in
// folders, and the actions of AWS's managed templates, which need no programs
// beside those of the system.
package handler

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"muster/internal/agent"
)

// Config says what actions may use. All of it may be left out.
type Config struct {
	// Dir is the folder of the device's own programs. One that is called like
	// a built-in handler takes its place. Those that somebody else than root
	// and the agent's user could have put there are refused. Empty: there are none.
	Dir string
	// Path is where programs are looked for that are named without a folder,
	// in the form of the environment's PATH. Empty: that.
	Path string
	// HandlersOnly refuses commands, programs outside of Dir, and the built-in
	// handlers that Builtins does not name.
	HandlersOnly bool
	// Builtins are the names of the built-in handlers that jobs may use; nil:
	// all, or with HandlersOnly none. That of downloads can write any file that
	// the agent can, and that of packages runs what packages bring.
	Builtins []string
	// HTTP downloads files; nil is a client of its own.
	HTTP *http.Client
	// Grace is how long a program may go on when it was told to stop, and how
	// long one that has ended may leave its output open; 0 means 10 s.
	Grace time.Duration
	// Stall is how long a download may go on without a byte; 0 means 5 min.
	Stall time.Duration
	// RebootWait is how long the machine may take to go down; 0 means 10 min.
	RebootWait time.Duration
	// Unit is the name of the agent's own service, as in "muster-agent";
	// empty: it has none. OwnUnit finds it.
	Unit string
}

// Host is the machine that actions are done on.
type Host struct {
	cfg     Config
	builtin map[string]agent.Handler
}

// New returns a host.
func New(c Config) *Host {
	c.Path = cmp.Or(c.Path, os.Getenv("PATH"))
	c.Grace = cmp.Or(c.Grace, 10*time.Second)
	c.Stall = cmp.Or(c.Stall, 5*time.Minute)
	c.RebootWait = cmp.Or(c.RebootWait, 10*time.Minute)
	if c.HTTP == nil {
		c.HTTP = newHTTPClient()
	}
	h := &Host{cfg: c}
	h.builtin = builtins(h)
	return h
}

// builtins returns the built-in handlers by name, which are those of the
// programs of AWS's managed templates.
func builtins(h *Host) map[string]agent.Handler {
	return map[string]agent.Handler{
		"download-file.sh":    download{h},
		"install-packages.sh": packages{h, install},
		"remove-packages.sh":  packages{h, remove},
		"start-services.sh":   services{h, "start"},
		"stop-services.sh":    services{h, "stop"},
		"restart-services.sh": services{h, "restart"},
		"reboot.sh":           reboot{h},
	}
}

// Builtins returns the names of the built-in handlers, in order.
func Builtins() []string { return slices.Sorted(maps.Keys(builtins(nil))) }

// allows reports whether jobs may use a built-in handler.
func (c Config) allows(name string) bool {
	if c.Builtins == nil {
		return !c.HandlersOnly
	}
	return slices.Contains(c.Builtins, name)
}

// Find returns the handler for an action: a command, or by the handler's path
//   - default: a program in the device's own folder, else a built-in handler
//   - none: the same, else a program on the PATH
//   - any other: a program in that folder
//
// It fails if there is none, or if it must not be run.
func (h *Host) Find(a agent.Action) (agent.Handler, error) {
	if a.Command != nil {
		if h.cfg.HandlersOnly {
			return nil, errors.New("this device runs no commands, only its handlers")
		}
		return command{h}, nil
	}
	if a.Path != "" && a.Path != agent.DefaultPath {
		return h.outside(filepath.Join(a.Path, a.Handler))
	}
	if filepath.Base(a.Handler) != a.Handler { // ../x is not in the folder
		if a.Path == agent.DefaultPath {
			return nil, fmt.Errorf("%q is not the name of a handler", a.Handler)
		}
		return h.outside(a.Handler)
	}
	own, err := h.own(a.Handler)
	if own != nil || err != nil {
		return own, err
	}
	if b, ok := h.builtin[a.Handler]; ok {
		if !h.cfg.allows(a.Handler) {
			return nil, fmt.Errorf("this device does not allow the built-in handler %s", a.Handler)
		}
		return b, nil
	}
	if a.Path == "" {
		if file, ok := h.look(a.Handler); ok {
			return h.outside(file)
		}
	}
	return nil, fmt.Errorf("there is no handler %q", a.Handler)
}

// outside returns the program in a file anywhere.
func (h *Host) outside(file string) (agent.Handler, error) {
	if h.cfg.HandlersOnly {
		return nil, fmt.Errorf("this device runs only its handlers, not %s", file)
	}
	return program{h, file, file}, nil
}

// own returns the program in the device's own folder, or nil if there is none.
// It fails if somebody else than root and the agent's user could have put it there.
func (h *Host) own(name string) (agent.Handler, error) {
	if h.cfg.Dir == "" {
		return nil, nil
	}
	file := filepath.Join(h.cfg.Dir, name)
	if _, err := os.Lstat(file); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if _, err := trusted(h.cfg.Dir); err != nil {
		return nil, err
	}
	real, err := trusted(file)
	if err != nil {
		return nil, err
	}
	info, err := os.Lstat(real)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode(); !mode.IsRegular() || mode.Perm()&0o100 == 0 {
		return nil, fmt.Errorf("%s is %v: it must be executable by its owner, and a file", real, mode)
	}
	return program{h, real, file}, nil
}

// look finds a program on the path.
func (h *Host) look(name string) (string, bool) {
	if filepath.Base(name) != name {
		return "", false // it says itself where it is
	}
	for _, dir := range filepath.SplitList(h.cfg.Path) {
		if !filepath.IsAbs(dir) {
			continue // what is run must not depend on where the agent was started
		}
		if file, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return file, true
		}
	}
	return "", false
}

// first returns the first of some programs that the machine has, with its file.
func (h *Host) first(names ...string) (name, file string, err error) {
	for _, n := range names {
		if f, ok := h.look(n); ok {
			return n, f, nil
		}
	}
	return "", "", fmt.Errorf("this machine has none of %s", strings.Join(names, ", "))
}

// as returns argv as it is run for a user: by sudo, which must not ask for a
// password, unless no user is given.
func (h *Host) as(user string, argv []string) ([]string, error) {
	if user == "" {
		return argv, nil
	}
	if strings.HasPrefix(user, "-") {
		return nil, fmt.Errorf("%q is not a user", user)
	}
	_, sudo, err := h.first("sudo")
	if err != nil {
		return nil, fmt.Errorf("cannot run as %s: %w", user, err)
	}
	return append([]string{sudo, "-u", user, "-n", "--"}, argv...), nil
}

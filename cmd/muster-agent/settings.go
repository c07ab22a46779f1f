package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"muster/internal/agent/handler"
)

// settings are what the agent is told. Each is a flag (--state-dir), a variable
// of the environment (MUSTER_AGENT_STATE_DIR), and a line of the file that
// --config names (state-dir = /var/lib/muster-agent); flags win over the
// environment, and that over the file.
type settings struct {
	endpoint, thing, clientID string
	ca, cert, key             string
	stateDir, handlerDir      string
	handlersOnly, once, quiet bool
	allowBuiltin              string
	poll, keepAlive           time.Duration
	config                    string
	showVersion               bool
}

const envPrefix = "MUSTER_AGENT_"

var errUsage = errors.New("bad usage")

// longestKeepAlive is what fits into a CONNECT packet.
const longestKeepAlive = 65535 * time.Second

func (s *settings) flags() *flag.FlagSet {
	f := flag.NewFlagSet("muster-agent", flag.ContinueOnError)
	f.StringVar(&s.endpoint, "endpoint", "", "`URL` of the server: mqtts://HOST, wss://HOST, or mqtt:// and ws:// without TLS")
	f.StringVar(&s.thing, "thing", "", "`name` of the device's thing")
	f.StringVar(&s.clientID, "client-id", "", "MQTT client `id`; the thing's name if not given")
	f.StringVar(&s.ca, "ca", "", "`file` with the authorities to trust; those of the system if not given")
	f.StringVar(&s.cert, "cert", "", "`file` with the device's certificate")
	f.StringVar(&s.key, "key", "", "`file` with the key of the certificate")
	f.StringVar(&s.stateDir, "state-dir", "", "`folder` for what must survive a restart; $STATE_DIRECTORY,\n/var/lib/muster-agent for root, or ~/.muster-agent if not given")
	f.StringVar(&s.handlerDir, "handler-dir", "", "`folder` of the device's own handlers; handlers in the state folder if not given.\nThose that others than root and the agent's user could change are refused")
	f.BoolVar(&s.handlersOnly, "handlers-only", false, "run the handlers of --handler-dir and those that --allow-builtin names,\nno commands and no other programs")
	f.StringVar(&s.allowBuiltin, "allow-builtin", "", "built-in `handlers` that jobs may use: names with commas, all, or none;\nall if not given, but none with --handlers-only. There are\n"+
		strings.Join(handler.Builtins(), " ")+".\nWith download-file.sh jobs can write every file that the agent can,\nits handlers too; with install-packages.sh they can bring programs")
	f.BoolVar(&s.once, "once", false, "run the jobs that are pending, then exit")
	f.DurationVar(&s.poll, "poll", time.Hour, "longest `time` without asking for work, in case a notification was lost")
	f.DurationVar(&s.keepAlive, "keep-alive", time.Minute, "longest `time` of silence on the connection")
	f.BoolVar(&s.quiet, "quiet", false, "log problems only")
	f.StringVar(&s.config, "config", "", "`file` of settings, one NAME = VALUE a line")
	f.BoolVar(&s.showVersion, "version", false, "print the version and exit")
	return f
}

// load returns the settings. It reports every fault at once.
func load(args []string, getenv func(string) string, help io.Writer) (*settings, error) {
	s := &settings{}
	f := s.flags()
	f.SetOutput(io.Discard) // errors are returned
	f.Usage = func() {}
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		printHelp(f, help)
		return nil, err
	}
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("unknown argument %q", f.Arg(0))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w; --help shows what there is", errUsage, err)
	}
	given := make(map[string]bool)
	f.Visit(func(x *flag.Flag) { given[x.Name] = true })
	var errs []error
	f.VisitAll(func(x *flag.Flag) {
		name := envPrefix + strings.ToUpper(strings.ReplaceAll(x.Name, "-", "_"))
		if v := getenv(name); v != "" && !given[x.Name] {
			given[x.Name] = true
			if err := f.Set(x.Name, v); err != nil {
				errs = append(errs, fmt.Errorf("$%s: %w", name, err))
			}
		}
	})
	if s.config != "" {
		errs = append(errs, readFile(f, given, s.config))
	}
	if !s.showVersion {
		errs = append(errs, s.complete(getenv))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	return s, nil
}

// readFile takes the settings of a file that nothing stronger has given.
func readFile(f *flag.FlagSet, given map[string]bool, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var errs []error
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("%s:%d: not NAME = VALUE", file, n))
		case f.Lookup(name) == nil || name == "config" || name == "version":
			errs = append(errs, fmt.Errorf("%s:%d: unknown setting %q", file, n, name))
		case !given[name]:
			if err := f.Set(name, value); err != nil {
				errs = append(errs, fmt.Errorf("%s:%d: %s: %w", file, n, name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// complete fills in what follows from other settings, and says what is missing.
func (s *settings) complete(getenv func(string) string) error {
	var errs []error
	if s.endpoint == "" {
		errs = append(errs, errors.New("endpoint: required"))
	}
	if s.thing == "" {
		errs = append(errs, errors.New("thing: required"))
	}
	if s.poll <= 0 {
		errs = append(errs, errors.New("poll: must be positive"))
	}
	if s.keepAlive < time.Second || s.keepAlive > longestKeepAlive {
		errs = append(errs, fmt.Errorf("keep-alive: must be between 1s and %v", longestKeepAlive))
	}
	for _, name := range s.builtins() {
		if !slices.Contains(handler.Builtins(), name) {
			errs = append(errs, fmt.Errorf("allow-builtin: there is no built-in handler %q", name))
		}
	}
	s.clientID = cmp.Or(s.clientID, s.thing)
	if s.stateDir == "" {
		s.stateDir = getenv("STATE_DIRECTORY") // systemd's StateDirectory=
		switch home := getenv("HOME"); {
		case s.stateDir != "":
		case os.Geteuid() == 0:
			s.stateDir = "/var/lib/muster-agent"
		case home != "":
			s.stateDir = filepath.Join(home, ".muster-agent")
		default:
			errs = append(errs, errors.New("state-dir: required, since there is no home folder"))
		}
	}
	if s.handlerDir == "" {
		s.handlerDir = filepath.Join(s.stateDir, "handlers")
	}
	return errors.Join(errs...)
}

// builtins returns the names of the built-in handlers that jobs may use; nil
// leaves it to the other settings.
func (s *settings) builtins() []string {
	switch s.allowBuiltin {
	case "":
		return nil
	case "all":
		return handler.Builtins()
	case "none":
		return []string{}
	}
	names := strings.Split(s.allowBuiltin, ",")
	for i, n := range names {
		names[i] = strings.TrimSpace(n)
	}
	return names
}

func printHelp(f *flag.FlagSet, w io.Writer) {
	fmt.Fprintln(w, `Usage: muster-agent --endpoint URL --thing NAME [flags]

Runs the jobs of a device. Every flag can also be set by the environment
(`+envPrefix+`STATE_DIR for --state-dir) or in the file of --config.`)
	fmt.Fprintln(w)
	f.SetOutput(w)
	f.PrintDefaults()
}

// Command bench measures Muster and, in the same run, what the machine could do
// at best: raw limits that do the unavoidable part of the same work and nothing
// else. The result is ratios, which hold from machine to machine better than
// figures do. docs/performance.md says what each row means.
//
// It never fails because of a figure: a goal that is missed is marked, and the
// exit code is 0. Everything happens on loopback and in a temporary folder,
// which is removed at the end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	if o := getenv(childVariable); o != "" {
		return child(context.WithoutCancel(ctx), o) // it ends with its input, not by the terminal's interrupt
	}
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	return bench(ctx, o, stdout, log.New(stderr, "", log.Ltime))
}

// options say what is measured, and for how long.
type options struct {
	rows       []string
	quick      bool
	large      bool
	inMarkdown bool
	store      string // one of stores
	nodes      []int  // how many servers share the database, one number after the other
	dir        string
	profile    string

	rounds, connections int
	devices             []int // that send over MQTT at the same time, one load after the other
	idle                int   // devices that are only connected
	listening           int   // devices that a rollout is told to
	executions          int   // in the large store
	things              int   // that a rollout is for
	starts              int
	interval            interval
	churn               time.Duration // 0: the rows are measured
}

// rowNames are the rows, in the order in which they are measured.
var rowNames = []string{"i", "ii", "iii", "iv", "v", "vii", "start"}

// The stores, and the rows that are measured on one that nodes share.
const (
	onSQLite   = "sqlite"
	onDatabase = "postgres"
)

var sharedRows = []string{"i", "ii", "iii"}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{
		rounds: 3, starts: 7, things: 100_000, devices: []int{100, 1000, 5000}, idle: 10_000, listening: 9000,
		interval: interval{time.Second, 4 * time.Second},
	}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	rows := fs.String("rows", "", "which `rows` to measure (default: all that the store has)")
	fs.StringVar(&o.store, "store", onSQLite, "sqlite or postgres: a server is started on loopback, and nodes share it")
	nodes := fs.String("nodes", "1,2,3", "how `many` nodes share PostgreSQL, one number after the other")
	fs.BoolVar(&o.quick, "quick", false, "one short round on a tenth of the executions: a look, not a measurement")
	fs.BoolVar(&o.large, "large", false, "roll out to 1,000,000 things, too")
	fs.BoolVar(&o.inMarkdown, "markdown", false, "print the tables in Markdown")
	fs.StringVar(&o.dir, "dir", "", "`folder` for temporary data; it decides which disk is measured (default: the system's)")
	fs.StringVar(&o.profile, "profile", "", "write CPU profiles of rows i, ii and iii into this `folder`; rows i and ii are then served by this program instead of muster")
	fs.DurationVar(&o.churn, "churn", 0, "instead of the rows, let devices connect, disconnect and resume for so `long`, and watch the memory")
	fs.IntVar(&o.connections, "connections", 256, "how many devices send at the same time")
	fs.IntVar(&o.executions, "executions", 1_000_000, "how many executions the large store holds")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if err := o.parseStore(*nodes); err != nil {
		return o, err
	}
	if err := o.parseRows(*rows); err != nil {
		return o, err
	}
	if o.quick {
		o.rounds, o.starts, o.executions = 1, 3, min(o.executions, 100_000)
		o.devices, o.idle, o.listening = []int{100, 1000}, 1000, 1000
		o.interval = interval{500 * time.Millisecond, 2 * time.Second}
	}
	if o.connections < 1 || o.executions < hotThings {
		return o, fmt.Errorf("at least one connection and %d executions are needed", hotThings)
	}
	return o, nil
}

func (o *options) parseRows(rows string) error {
	all := rowNames
	if o.store == onDatabase {
		all = sharedRows
	}
	if o.rows = all; rows == "" {
		return nil
	}
	o.rows = strings.Split(rows, ",")
	for _, r := range o.rows {
		if !slices.Contains(all, r) {
			return fmt.Errorf("-rows: no row %q; there are %s", r, strings.Join(all, ", "))
		}
	}
	return nil
}

func (o *options) parseStore(nodes string) error {
	switch {
	case o.store != onSQLite && o.store != onDatabase:
		return fmt.Errorf("-store: no store %q; there are %s and %s", o.store, onSQLite, onDatabase)
	case o.store == onDatabase && o.profile != "":
		return errors.New("-profile: only on SQLite")
	}
	for text := range strings.SplitSeq(nodes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxNodes {
			return fmt.Errorf("-nodes: %q is no number from 1 to %d", text, maxNodes)
		}
		o.nodes = append(o.nodes, n)
	}
	return nil
}

// maxNodes is how many nodes the settings of the database have connections for.
const maxNodes = 16

// measures reports whether a row is to be measured.
func (o *options) measures(row string) bool { return slices.Contains(o.rows, row) }

// session is one run.
type session struct {
	options
	report
	temp    string // everything is in here
	program string // the server
	log     *log.Logger
	seeds   map[string]string // folders of seeded stores, by name
}

// bench measures and prints the report.
func bench(ctx context.Context, o options, stdout io.Writer, log *log.Logger) (err error) {
	temp, err := os.MkdirTemp(o.dir, "muster-measure-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	s := &session{options: o, temp: temp, log: log, seeds: make(map[string]string)}
	begin := time.Now()
	s.conditions = conditions(ctx, temp, begin)
	if o.quick {
		s.conditions = append(s.conditions, "QUICK: one short round, not fit for comparison")
	}
	if o.churn > 0 {
		if err := s.churns(ctx); err != nil {
			return fmt.Errorf("churn: %w", err)
		}
		return s.print(stdout, begin)
	}
	log.Print("building muster")
	if s.program, err = buildMuster(ctx, temp); err != nil {
		return err
	}
	if o.store == onDatabase {
		if err := s.onPostgres(ctx); err != nil {
			return fmt.Errorf("on PostgreSQL: %w", err)
		}
		return s.print(stdout, begin)
	}
	for _, row := range []struct {
		name    string
		measure func(context.Context) error
	}{
		{"i", s.updates}, {"ii", s.requests}, {"iii", s.fanOuts}, {"iv", s.memories}, {"v", s.notifications},
		{"vii", s.sizes}, {"start", s.startUps},
	} {
		if !s.measures(row.name) {
			continue
		}
		if err := row.measure(ctx); err != nil {
			return fmt.Errorf("row %s: %w", row.name, err)
		}
	}
	return s.print(stdout, begin)
}

// print prints what was found.
func (s *session) print(w io.Writer, begin time.Time) error {
	s.note("The run took %s; load average %s at its end.", time.Since(begin).Round(time.Second), loadAverage())
	if s.inMarkdown {
		return s.markdown(w)
	}
	return s.text(w)
}

// seeded returns the folder of a store with a fleet, made at the first call.
func (s *session) seeded(ctx context.Context, name string, f fleet) (string, error) {
	if dir, ok := s.seeds[name]; ok {
		return dir, nil
	}
	dir := filepath.Join(s.temp, "seed-"+name)
	begin := time.Now()
	s.log.Printf("filling a store: %s", name)
	if err := seed(ctx, dir, f); err != nil {
		return "", fmt.Errorf("fill store %s: %w", name, err)
	}
	s.log.Printf("filled in %s", time.Since(begin).Round(100*time.Millisecond))
	s.seeds[name] = dir
	return dir, nil
}

// wide returns the store with one execution in progress on each of many things.
func (s *session) wide(ctx context.Context) (string, error) {
	return s.seeded(ctx, "wide", fleet{things: s.executions, busy: true})
}

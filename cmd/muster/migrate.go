package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"muster/internal/store/postgres"
	"muster/internal/store/transfer"
)

type migrateCmd struct {
	Config string `help:"TOML file with settings of the server ($$MUSTER_CONFIG)." placeholder:"FILE"`
	Store  string `help:"URL of the PostgreSQL database ($$MUSTER_STORE)." placeholder:"URL"`
	Status bool   `help:"Only tell what is pending." xor:"what"`
	From   string `help:"Move the installation in this data folder." placeholder:"sqlite:FOLDER" and:"move" xor:"what"`
	To     string `help:"The empty PostgreSQL database to move it to." placeholder:"URL" and:"move"`
}

// Help describes the command beyond its flags.
func (migrateCmd) Help() string {
	return "Brings the schema of a PostgreSQL database up to date, as muster serve does when it starts, while servers run on it. " +
		"Where the Citus extension is there, it also distributes the tables.\n\n" +
		"With --from and --to it moves a whole installation from SQLite to PostgreSQL. The server must be stopped. The target must be " +
		"empty; it holds everything, checked, or nothing: a move that was broken off is run again. The folder is left as it is."
}

// Run brings a database up to date or moves an installation.
func (c migrateCmd) Run(ctx context.Context, sys system) error {
	if c.From != "" {
		return c.move(ctx, sys)
	}
	cfg, err := folderFlags{Config: c.Config, Store: c.Store}.load(sys)
	if err != nil {
		return err
	}
	if cfg.Store == "" {
		return errors.New("no database is named: give --store postgres://…; SQLite is brought up to date by muster serve")
	}
	if c.Status {
		return c.status(ctx, sys, cfg.Store)
	}
	log := slog.New(slog.NewTextHandler(sys.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	err = postgres.Migrate(ctx, cfg.Store, 0, log)
	if err != nil {
		return err
	}
	citus, err := postgres.Distribute(ctx, cfg.Store, log)
	if err != nil {
		return err
	}
	if citus {
		fmt.Fprintln(sys.stdout, "The tables are distributed over the workers of Citus. Nobody has tested Muster on it: try it before you rely on it.")
	}
	return c.status(ctx, sys, cfg.Store)
}

// status tells the version of a database's schema.
func (migrateCmd) status(ctx context.Context, sys system, url string) error {
	have, want, err := postgres.Status(ctx, url)
	if err != nil {
		return err
	}
	switch {
	case have == want:
		fmt.Fprintf(sys.stdout, "schema version %d: up to date\n", have)
	case have > want:
		fmt.Fprintf(sys.stdout, "schema version %d: written by a newer Muster, this one knows versions up to %d\n", have, want)
	default:
		fmt.Fprintf(sys.stdout, "schema version %d: %d pending, up to version %d\n", have, want-have, want)
	}
	return nil
}

// move moves an installation and shows how far it is.
func (c migrateCmd) move(ctx context.Context, sys system) error {
	dir, ok := strings.CutPrefix(c.From, "sqlite:")
	if !ok || dir == "" {
		return fmt.Errorf("--from: %s is not sqlite:FOLDER; an installation in PostgreSQL is moved with PostgreSQL's own means", c.From)
	}
	if !strings.HasPrefix(c.To, "postgres://") && !strings.HasPrefix(c.To, "postgresql://") {
		return errors.New("--to: not a URL of the form postgres://user:password@host:5432/database")
	}
	start := time.Now()
	show := moveView{screen: newTerminal(sys.stderr, sys.getenv), start: start}
	moved, err := transfer.Move(ctx, dir, c.To, transfer.Options{
		Progress: show.show,
		Log:      slog.New(slog.NewTextHandler(sys.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	show.screen.draw(nil)
	if err != nil {
		return err
	}
	rows := int64(0)
	t := newTable(sys.stdout)
	t.row("TABLE", "ROWS", "CHECKSUM ON BOTH SIDES")
	for _, m := range moved {
		t.row(m.Name, strconv.FormatInt(m.Rows, 10), m.Sum)
		rows += m.Rows
	}
	err = t.flush()
	if err != nil {
		return err
	}
	fmt.Fprintf(sys.stdout, "\n%d rows have been moved and checked in %s. %s is as it was.\n"+
		"Start muster serve with --store and with that data folder, or with a copy of its master key (--master-key-file).\n",
		rows, time.Since(start).Round(100*time.Millisecond), absolute(dir))
	return nil
}

// moveView shows how far a move is: a bar for people, or a line for each step.
type moveView struct {
	screen *terminal
	start  time.Time
	drawn  time.Time
	step   string
}

func (v *moveView) show(p transfer.Progress) {
	if !v.screen.live {
		if p.Step != v.step && p.Done < p.Total {
			v.screen.line("%s  %d/%d rows", p.Step, p.Done, p.Total)
		}
		v.step = p.Step
		return
	}
	now := time.Now()
	if now.Sub(v.drawn) < 50*time.Millisecond {
		return
	}
	v.drawn = now
	columns, _ := v.screen.size()
	wide := min(30, columns/3)
	text := fmt.Sprintf("  %d/%d rows  %s  %s", p.Done, p.Total, p.Step, now.Sub(v.start).Truncate(time.Second))
	v.screen.draw([]string{v.screen.bar(float64(p.Done)/float64(max(p.Total, 1)), wide, green) + fit(text, columns-wide-1)})
}

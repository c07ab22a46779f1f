package engine_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx

	"muster/internal/job"
)

// damageThing makes the live executions of a thing unreadable, as a bad disk might.
func (w *world) damageThing(thing string) {
	w.t.Helper()
	driver, source, mark := "sqlite", filepath.Join(w.dir, "muster.db"), "?"
	if w.url != "" {
		driver, source, mark = "pgx", w.url, "$1"
	}
	db, err := sql.Open(driver, source)
	w.must(err)
	_, err = db.ExecContext(w.ctx(), `UPDATE live SET details = '{' WHERE thing = `+mark, thing)
	w.must(err)
	w.must(db.Close())
}

func (w *world) settleBut(fault string) {
	w.t.Helper()
	for range 3 { // each error ends a round
		err := w.Settle(w.ctx())
		if err == nil || !strings.Contains(err.Error(), fault) {
			w.t.Fatalf("got %v, want an error that names %q", err, fault)
		}
	}
}

func TestOneUnreadableThingStopsNobodyElsesTimer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.things("a", "b", "c")
	w.create("j", timeout(1), targets(toThing("a"), toThing("b"), toThing("c")))
	for _, name := range []string{"a", "b", "c"} {
		w.start(name, job.Start{})
	}
	w.settle()
	w.damageThing("b")
	w.wait(time.Minute)
	w.settleBut("thing b")
	if got := w.describe("j").Counts; got[job.TimedOut] != 2 || got[job.InProgress] != 1 {
		t.Errorf("got %v, want the two others timed out", got)
	}
}

func TestOneUnreadableThingStopsNobodyElsesMembership(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.group("g", "")
	w.things("a", "b", "c")
	w.create("j", continuous, targets(toGroup("g"), toThing("b")))
	w.settle()
	w.damageThing("b")
	w.join("g", "a", "b", "c")
	w.settleBut("thing b")
	if got := w.describe("j").Counts; got[job.Queued] != 3 {
		t.Errorf("got %v, want the two others queued, too", got)
	}
}

package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// The files of a journal.
const (
	journalFile = "journal"
	lockFile    = "lock"
)

// compactAt is the size, in bytes, from which on a journal is written anew when
// an execution has ended.
const compactAt = 64 << 10

// journal is what the agent knows about executions, and a file that knows the
// same: each change is appended to it and on the disk before the agent acts on
// it. It is used by one goroutine.
type journal struct {
	state
	log  *slog.Logger
	dir  string
	lock *flock.Flock
	file *os.File // nil: in memory only
	size int64    // of what is known to be good in file
	// unwritten are entries that could not be written. They go before the next
	// one, so that the file is always the beginning of the truth.
	unwritten []byte
}

// openJournal returns the journal in a folder, made if missing, or a new one in
// memory for no folder. What was being written when the power went is cut off.
// It fails if another agent uses the folder.
func openJournal(dir string, log *slog.Logger) (*journal, error) {
	j := &journal{log: log, dir: dir}
	if dir == "" {
		return j, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	j.lock = flock.New(filepath.Join(dir, lockFile))
	locked, err := j.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("agent: lock %s: %w", dir, err)
	}
	if !locked {
		return nil, fmt.Errorf("agent: another agent uses %s", dir)
	}
	if err := j.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("agent: %w", err), j.close())
	}
	return j, nil
}

// load reads the file.
func (j *journal) load() error {
	name := filepath.Join(j.dir, journalFile)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	j.file = f
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	j.size = int64(j.replay(data))
	if n := len(data) - int(j.size); n > 0 {
		j.log.Warn("end of the journal was cut off", "bytes", n)
	}
	return errors.Join(f.Truncate(j.size), f.Sync(), syncDir(j.dir))
}

// receive begins an execution.
func (j *journal) receive(k key, document string) error {
	return j.add(entry{Received: &received{k, document}})
}

// stepStart notes that the current action is about to begin.
func (j *journal) stepStart(boot string) error { return j.add(entry{Start: &start{j.task.step, boot}}) }

// stepEnd notes that the current action has ended, and moves on to the next.
func (j *journal) stepEnd(out Outcome) {
	j.note(entry{End: &stepEnd{j.task.step, end(out.Stdout), end(out.Stderr), out.Details}})
}

// finish notes the last status, which the server does not know yet.
func (j *journal) finish(r report) { j.note(entry{Final: &r}) }

// end notes that the server needs to be told nothing any more.
func (j *journal) end() {
	j.note(entry{Ended: &ended{}})
	if j.file == nil || j.size+int64(len(j.unwritten)) < compactAt {
		return
	}
	if err := j.compact(); err != nil {
		j.log.Error("journal cannot be made smaller", "err", err)
	}
}

// note adds an entry that describes what has already happened: if it cannot be
// written, going on is all that can be done.
func (j *journal) note(e entry) {
	if err := j.add(e); err != nil {
		j.log.Error("journal cannot be written", "err", err)
	}
}

// add applies an entry and writes it. If it fails, the entry holds all the
// same, until the process ends.
func (j *journal) add(e entry) error {
	if err := j.apply(e); err != nil {
		return err
	}
	if j.file == nil {
		return nil
	}
	j.unwritten = e.append(j.unwritten)
	if _, err := j.file.WriteAt(j.unwritten, j.size); err != nil {
		return err
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	j.size += int64(len(j.unwritten))
	j.unwritten = nil
	return nil
}

// compact replaces the file with one that says the same in fewer words. The old
// one stays whatever happens, until the new one is complete.
func (j *journal) compact() error {
	data := j.summary()
	name := filepath.Join(j.dir, journalFile)
	f, err := os.OpenFile(name+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync()); err != nil {
		return errors.Join(err, f.Close())
	}
	// Both are closed, since Windows does not rename over an open file.
	err = errors.Join(f.Close(), j.file.Close(), os.Rename(name+".new", name))
	if err == nil {
		j.size, j.unwritten = int64(len(data)), nil
	}
	var reopened error
	j.file, reopened = os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	return errors.Join(err, reopened, syncDir(j.dir))
}

// close ends the use of the folder.
func (j *journal) close() error {
	var errs []error
	if j.file != nil {
		errs = append(errs, j.file.Close())
	}
	if j.lock != nil {
		errs = append(errs, j.lock.Unlock())
	}
	return errors.Join(errs...)
}

// syncDir puts on the disk which files are in a folder. Not every system can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync() // Windows refuses, and needs none
	return d.Close()
}

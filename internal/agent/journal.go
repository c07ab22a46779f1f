package agent

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

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
	// file is nil without a folder. With one it is nil as long as the file could
	// not be opened anew, and nothing can be written.
	file *os.File
	size int64 // of what is known to be good in file
	// renamed says that file has its name, but perhaps not yet on the disk: after
	// a power cut the one before might be back.
	renamed bool
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
	_ = syncDir(filepath.Dir(dir)) // if it was made here, the folder around it can be read
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

func (j *journal) name() string { return filepath.Join(j.dir, journalFile) }

// load reads the file.
func (j *journal) load() error {
	f, err := openOwn(j.name(), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	j.file = f
	data, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	good := j.replay(data)
	j.size = int64(good)
	if err := errors.Join(f.Truncate(j.size), f.Sync(), syncDir(j.dir)); err != nil {
		return err
	}
	if rest := data[good:]; len(rest) > 0 {
		j.log.Warn("end of the journal was cut off", "bytes", len(rest))
		// A power cut damages the end, which nobody has acted on. What is in
		// front of a good line was damaged later, and may be missing.
		if j.task != nil && j.task.final == nil && anyGood(rest) {
			j.finish(report{Failed, details(reasonDetail, reasonDamaged)})
		}
	}
	return nil
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
	if j.dir == "" || j.size+int64(len(j.unwritten)) < compactAt {
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
	if j.dir == "" {
		return nil
	}
	j.unwritten = e.append(j.unwritten)
	if err := j.ready(); err != nil {
		return err
	}
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

// ready makes the file one that can be written to. It is not made if it is
// missing: an empty one would not be the beginning of the truth.
func (j *journal) ready() error {
	if j.file == nil {
		f, err := openOwn(j.name(), os.O_RDWR)
		if err != nil {
			return err
		}
		j.file = f
	}
	if j.renamed {
		if err := syncDir(j.dir); err != nil {
			return err
		}
		j.renamed = false
	}
	return nil
}

// compact replaces the file with one that says the same in fewer words. The old
// one stays whatever happens, until the new one is complete.
func (j *journal) compact() error {
	data, name := j.summary(), j.name()+".new"
	if err := save(name, data); err != nil {
		_ = os.Remove(name) // it takes room, which may be what is missing
		return err
	}
	// All of the old one is on the disk or in the new one. It is closed, since
	// Windows does not rename over an open file.
	if j.file != nil {
		_ = j.file.Close()
		j.file = nil
	}
	if err := os.Rename(name, j.name()); err != nil {
		return errors.Join(err, j.ready())
	}
	j.size, j.unwritten, j.renamed = int64(len(data)), nil, true
	return j.ready()
}

// save puts a file of the agent's own on the disk.
func save(name string, data []byte) error {
	f, err := openOwn(name, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
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

// syncDir puts on the disk which files are in a folder.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if runtime.GOOS == "windows" || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		err = nil // not every system can, and those need not
	}
	return errors.Join(err, d.Close())
}

package handler

import (
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// save puts a file in its place when it is complete and on the disk. What was
// there before, a link too, stays as it is until then, and is replaced, not
// written to.
func save(p part, r io.Reader) error {
	folder, err := openFolder(p.dir)
	if err != nil {
		return err
	}
	defer folder.Close() //nolint:errcheck // it was only read
	entries, err := folder.Open(".")
	if err != nil {
		return err
	}
	defer entries.Close() //nolint:errcheck // it was only read
	removeLeft(folder, entries, p)
	f, err := folder.OpenFile(p.name(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = folder.Rename(p.name(), p.base)
	}
	if err != nil {
		_ = folder.Remove(p.name()) // the first error is the one to tell
		return err
	}
	return syncFolder(entries)
}

// removeLeft removes what earlier attempts have left that came to a sudden end.
func removeLeft(folder *os.Root, entries *os.File, p part) {
	names, _ := entries.Readdirnames(-1) // it is only about room on the disk
	for _, name := range names {
		if strings.HasPrefix(name, p.prefix) && strings.HasSuffix(name, ".part") {
			_ = folder.Remove(name)
		}
	}
}

// syncFolder puts on the disk which files are in an open folder.
func syncFolder(f *os.File) error {
	err := f.Sync()
	if runtime.GOOS == "windows" || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		return nil // not every system can, and those need not
	}
	return err
}

package handler

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxLinks is how many symbolic links are followed on the way to a folder.
const maxLinks = 40

// openFolder opens a folder, so that what is done in it is done in this one
// whatever becomes of its name. An agent with the rights of root may be told to
// work in a folder of somebody who has not: it follows only links of root's and
// its own user's, so that nobody leads it where he could not go himself.
func openFolder(dir string) (*os.Root, error) {
	if os.Geteuid() != 0 {
		return os.OpenRoot(dir) // an agent without them need not be able to read all folders on the way
	}
	w := walk{todo: names(dir)}
	defer w.close()
	if err := w.start(dir); err != nil {
		return nil, err
	}
	for len(w.todo) > 0 {
		name := w.todo[0]
		w.todo = w.todo[1:]
		if err := w.step(name); err != nil {
			return nil, fmt.Errorf("folder %s: %w", dir, err)
		}
	}
	last := w.at()
	w.open = w.open[:len(w.open)-1]
	return last, nil
}

// walk is a way through folders.
type walk struct {
	open  []*os.Root // from the top to where it is, at least one
	todo  []string   // names that are left
	links int        // that were followed
}

// at returns where the way has led so far.
func (w *walk) at() *os.Root { return w.open[len(w.open)-1] }

// start begins anew at the top of an absolute path.
func (w *walk) start(path string) error {
	root, err := os.OpenRoot(filepath.VolumeName(path) + string(filepath.Separator))
	if err == nil {
		w.close()
		w.open = []*os.Root{root}
	}
	return err
}

// step goes where a name leads.
func (w *walk) step(name string) error {
	if name == ".." {
		if len(w.open) > 1 {
			_ = w.at().Close() // it was only read
			w.open = w.open[:len(w.open)-1]
		}
		return nil
	}
	info, err := w.at().Lstat(name)
	switch {
	case err != nil:
		return err
	case info.Mode()&os.ModeSymlink == 0:
		return w.enter(name, info)
	case isStrangers(info):
		return fmt.Errorf("%s is a link of another user's: let the step run as that user", filepath.Join(w.at().Name(), name))
	}
	if w.links++; w.links > maxLinks {
		return fmt.Errorf("there are too many links on the way to %s", filepath.Join(w.at().Name(), name))
	}
	return w.follow(name)
}

// enter goes into a folder, of which info is known.
func (w *walk) enter(name string, info os.FileInfo) error {
	next, err := w.at().OpenRoot(name)
	if err != nil {
		return err
	}
	w.open = append(w.open, next)
	now, err := next.Stat(".")
	if err == nil && !os.SameFile(info, now) {
		err = fmt.Errorf("%s was replaced while it was opened", next.Name())
	}
	return err
}

// follow goes where a link leads.
func (w *walk) follow(name string) error {
	target, err := w.at().Readlink(name)
	if err != nil {
		return err
	}
	w.todo = append(names(target), w.todo...)
	if filepath.IsAbs(target) {
		return w.start(target)
	}
	return nil
}

// close closes what is open.
func (w *walk) close() {
	for _, r := range w.open {
		_ = r.Close() // it was only read
	}
	w.open = nil
}

// names returns the names in a path.
func names(path string) []string {
	path = path[len(filepath.VolumeName(path)):]
	all := strings.FieldsFunc(path, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(uint8(r)) })
	return slices.DeleteFunc(all, func(name string) bool { return name == "." })
}

package handler

import (
	"fmt"
	"os"
	"path/filepath"
)

// trusted returns where a path leads, without links, if nobody but root and the
// agent's user can make it lead elsewhere or change what is there. On the way,
// that is so in a folder that all may write to, like /tmp, if it keeps them from
// what is not theirs.
func trusted(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	top := func(path string) string { return filepath.VolumeName(path) + string(filepath.Separator) }
	at, todo, links := top(path), names(path), 0
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		if name == ".." {
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		switch {
		case err != nil:
			return "", err
		case isStrangers(info):
			return "", fmt.Errorf("%s belongs to somebody else than root and the agent's user", next)
		case info.Mode()&os.ModeSymlink == 0:
			if isOpen(info) && (len(todo) == 0 || info.Mode()&os.ModeSticky == 0) {
				return "", fmt.Errorf("%s is %v: only its owner may write to it", next, info.Mode())
			}
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("there are too many links on the way to %s", path)
		}
		target, err := os.Readlink(next)
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(target) {
			at = top(target)
		}
		todo = append(names(target), todo...)
	}
	return at, nil
}

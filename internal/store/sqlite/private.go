package sqlite

import (
	"errors"
	"io/fs"
	"os"
)

// makePrivate makes the database file if it is not there, and takes every
// right on it and its companions from everybody but the owner. SQLite itself
// would make the file as the umask says; its companions get the file's mode.
//
// No connection may be open: closing a file ends the locks that the process
// has on it.
func makePrivate(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	err = f.Close()
	for _, name := range []string{file, file + "-wal", file + "-shm"} {
		err = errors.Join(err, takeRights(name))
	}
	return err
}

func takeRights(name string) error {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return os.Chmod(name, info.Mode().Perm()&0o700)
}

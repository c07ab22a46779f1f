package auth

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// LoadOrCreateMasterKey returns the master key in the file at path, and makes
// the file with a random key if there is none. The folder must exist.
//
// The file is complete and on disk before its key is returned, so that no
// secret can outlive a crash that its key did not. Of several processes that
// find no file at the same moment, one makes it and all get its key.
//
// It refuses a file that is not MasterKeySize bytes long and, except on
// Windows, one that group or others may read or write. It never replaces or
// repairs an existing file: everything sealed would be lost.
func LoadOrCreateMasterKey(path string) ([]byte, error) {
	key, err := loadMasterKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := createMasterKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("auth: create master key: %w", err)
	}
	return loadMasterKey(path)
}

func loadMasterKey(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("auth: master key: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("auth: master key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("auth: master key %s is not a regular file", path)
	}
	// Windows keeps rights in access control lists, which the mode does not show.
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return nil, fmt.Errorf("auth: master key %s is open to other users (mode %04o); run: chmod 600 %s", path, mode, path)
	}
	key, err := io.ReadAll(io.LimitReader(f, MasterKeySize+1))
	if err != nil {
		return nil, fmt.Errorf("auth: master key: %w", err)
	}
	if len(key) != MasterKeySize {
		return nil, fmt.Errorf("auth: master key %s is damaged: it must have exactly %d bytes", path, MasterKeySize)
	}
	return key, nil
}

// createMasterKey makes the file at path in one step. It returns an error that
// is fs.ErrExist if another process came first.
func createMasterKey(path string) error {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".master-key-*") // O_EXCL, mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // leaving the spare name behind does no harm
	if err := writeMasterKey(tmp); err != nil {
		return err
	}
	if err := publish(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func writeMasterKey(f *os.File) error {
	key := make([]byte, MasterKeySize)
	_, _ = rand.Read(key) // documented never to fail: it ends the program instead
	_, err := f.Write(key)
	return errors.Join(err, f.Sync(), f.Close())
}

// publish gives the finished file its name. A rename would silently replace a
// key that another process made in the meantime, so it is the last resort, for
// file systems without hard links.
func publish(tmp, path string) error {
	err := os.Link(tmp, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return fs.ErrExist
	}
	return os.Rename(tmp, path)
}

// syncDir makes a new name in dir survive a power failure.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // a directory cannot be synced there, and need not be
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// ErrInUse is in the error of Open when another process has the folder.
var ErrInUse = errors.New("in use by another process")

// lockFolder keeps other processes out of a folder until the lock is closed. The
// operating system ends it with the process, however that ends. The file stays
// and holds the process id of its last owner, for the message.
func lockFolder(dir string) (*flock.Flock, error) {
	path := filepath.Join(dir, "muster.lock")
	l := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("sqlite: lock folder %s: %w", dir, err)
	}
	if !ok {
		return nil, fmt.Errorf("sqlite: folder %s is %w%s: stop it, or choose another folder", dir, ErrInUse, holder(path))
	}
	err = os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: write %s: %w", path, err), l.Close())
	}
	return l, nil
}

// holder returns who holds the lock, as far as the file tells.
func holder(path string) string {
	b, err := os.ReadFile(path)
	pid := strings.TrimSpace(string(b))
	if err != nil || pid == "" {
		return ""
	}
	return " (pid " + pid + ")"
}

package auth_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"muster/internal/auth"
)

func TestMasterKeyIsMadeOnceAndKept(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "master.key")
	first, err := auth.LoadOrCreateMasterKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != auth.MasterKeySize || bytes.Equal(first, make([]byte, auth.MasterKeySize)) {
		t.Errorf("got a key of %d bytes, or of zeros", len(first))
	}
	again, err := auth.LoadOrCreateMasterKey(path)
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("the second call gave another key, error %v", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); runtime.GOOS != "windows" && got != 0o600 {
		t.Errorf("got mode %04o, want 0600", got)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("got %v, %v, want the key file alone", entries, err)
	}
}

func TestMasterKeyOfManyStartsIsOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "master.key")
	keys := make([][]byte, 16)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			key, err := auth.LoadOrCreateMasterKey(path)
			if err != nil {
				t.Error(err)
			}
			keys[i] = key
		})
	}
	wg.Wait()
	for _, key := range keys {
		if !bytes.Equal(key, keys[0]) {
			t.Fatal("two starts at the same moment got different keys")
		}
	}
}

func TestMasterKeyRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		prepare func(path string) error
		want    string // in the error, with the path as PATH
	}{
		{"readable by the group", func(path string) error { return writeMode(path, 32, 0o640) },
			"auth: master key PATH is open to other users (mode 0640); run: chmod 600 PATH"},
		{"writable by others", func(path string) error { return writeMode(path, 32, 0o602) },
			"auth: master key PATH is open to other users (mode 0602); run: chmod 600 PATH"},
		{"too short", func(path string) error { return writeMode(path, 31, 0o600) },
			"auth: master key PATH is damaged: it must have exactly 32 bytes"},
		{"too long", func(path string) error { return writeMode(path, 33, 0o600) },
			"auth: master key PATH is damaged: it must have exactly 32 bytes"},
		{"empty", func(path string) error { return writeMode(path, 0, 0o600) },
			"auth: master key PATH is damaged: it must have exactly 32 bytes"},
		{"a folder", func(path string) error { return os.Mkdir(path, 0o700) },
			"auth: master key PATH is not a regular file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" {
				t.Skip("file modes")
			}
			path := filepath.Join(t.TempDir(), "master.key")
			if err := tt.prepare(path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(path)
			_, err := auth.LoadOrCreateMasterKey(path)
			if want := strings.ReplaceAll(tt.want, "PATH", path); err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func writeMode(path string, size int, mode fs.FileMode) error {
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		return err
	}
	return os.Chmod(path, mode) // WriteFile is subject to the umask
}

func TestMasterKeyNeedsItsFolder(t *testing.T) {
	t.Parallel()
	_, err := auth.LoadOrCreateMasterKey(filepath.Join(t.TempDir(), "missing", "master.key"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "auth: create master key: ") {
		t.Errorf("got %v", err)
	}
}

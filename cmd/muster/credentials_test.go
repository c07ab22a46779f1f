package main

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/auth/sigv4"
	"muster/internal/client"
)

func TestSetProfileKeepsTheRestOfTheFile(t *testing.T) {
	t.Parallel()
	const key = "aws_access_key_id = ID\naws_secret_access_key = SECRET\n"
	tests := []struct {
		name, text, want string
	}{
		{"an empty file gets the profile", "", "[p]\n" + key},
		{"a new profile comes last", "[a]\nx = 1\n", "[a]\nx = 1\n\n[p]\n" + key},
		{"spare lines at the end go", "[a]\nx = 1\n\n\n", "[a]\nx = 1\n\n[p]\n" + key},
		{"an old key is replaced, with its token", "[p]\naws_access_key_id=OLD\nAWS_SECRET_ACCESS_KEY = OLD\naws_session_token = T\n", "[p]\n" + key},
		{"other settings of the profile stay", "[p]\nregion = x\naws_access_key_id = OLD\n", "[p]\n" + key + "region = x\n"},
		{"profiles around it stay", "# mine\n[a]\nx=1\n\n[p]\n\n[b]\ny=2\n", "# mine\n[a]\nx=1\n\n[p]\n" + key + "\n[b]\ny=2\n"},
		{"a profile without a line is filled", "[p]", "[p]\n" + key},
		{"a profile whose name only begins like it is another", "[pp]\nx=1\n", "[pp]\nx=1\n\n[p]\n" + key},
		{"lines may end as on Windows", "[p]\r\naws_access_key_id = OLD\r\n", "[p]\n" + key},
		{"spaces in the header do not count", " [ p ] \n", " [ p ] \n" + key},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := setProfile(tt.text, "p", sigv4.Credentials{KeyID: "ID", Secret: "SECRET"})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("setProfile (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSavedProfilesAreFoundAndPrivate(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "deep", "down")
	path := filepath.Join(data, credentialsName)
	want := sigv4.Credentials{KeyID: "AKIAX", Secret: "s3cret+/"}
	for range 2 { // the second time over the first
		if err := saveProfiles(path, want, firstProfiles...); err != nil {
			t.Fatal(err)
		}
	}
	for _, profile := range firstProfiles {
		got, _, err := client.FindCredentials(client.Sources{Data: data, Profile: profile})
		if err != nil || got != want {
			t.Errorf("profile %s: got %v and error %v, want %v", profile, got, err, want)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); runtime.GOOS != "windows" && got != fileMode {
		t.Errorf("got mode %v, want %v", got, fileMode)
	}
}

func TestWriteFileKeepsASymbolicLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := writeFile(target, []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if err := writeFile(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(target)
	if err != nil || string(text) != "new" {
		t.Errorf("got %q and error %v in the target, want new", text, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("got %v and error %v, want a symbolic link", info, err)
	}
}

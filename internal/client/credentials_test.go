package client_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/auth/sigv4"
	"muster/internal/client"
)

// file writes a file and the folders above it.
func file(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// creds returns credentials that are told apart by their id.
func creds(id string) sigv4.Credentials {
	return sigv4.Credentials{KeyID: id, Secret: "secret of " + id}
}

// profile returns a profile as it stands in a credentials file.
func profile(name string, c sigv4.Credentials) string {
	s := fmt.Sprintf("[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", name, c.KeyID, c.Secret)
	if c.Token != "" {
		s += fmt.Sprintf("aws_session_token = %s\n", c.Token)
	}
	return s
}

func TestFindCredentials(t *testing.T) {
	t.Parallel()
	both := map[string]string{"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "secret of ENV"}
	home := profile("default", creds("HOME")) + profile("p", creds("HOMEP"))
	data := profile("default", creds("DATA")) + profile("q", creds("DATAQ"))
	tests := []struct {
		name             string
		env              map[string]string
		home, data       string // file contents; empty for no file
		profile          string
		want             string // key id
		place, err       string
		shared           string // content of a file that the environment names
		token, noSources bool
	}{
		{name: "the environment is first", env: both, home: home, data: data, want: "ENV", place: "environment"},
		{name: "the shared file is second", home: home, data: data, want: "HOME", place: "profile default of HOME/.aws/credentials"},
		{name: "the data folder is last", data: data, want: "DATA", place: "profile default of DATA/credentials"},
		{name: "the environment names another file", shared: profile("default", creds("SHARED")), home: home, want: "SHARED", place: "profile default of SHARED"},
		{name: "the environment names a profile", env: map[string]string{"AWS_PROFILE": "p"}, home: home, want: "HOMEP", place: "profile p of HOME/.aws/credentials"},
		{name: "a profile of the data folder", profile: "q", home: home, data: data, want: "DATAQ", place: "profile q of DATA/credentials"},
		{name: "a profile that was asked for is over the environment", env: both, profile: "p", home: home, want: "HOMEP", place: "profile p of HOME/.aws/credentials"},
		{name: "a temporary key has a token", env: map[string]string{"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "secret of ENV", "AWS_SESSION_TOKEN": "tok"},
			want: "ENV", place: "environment", token: true},
		{name: "half a key in the environment is a mistake", env: map[string]string{"AWS_ACCESS_KEY_ID": "ENV"}, home: home, err: "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set"},
		{name: "half a key in a file is a mistake", home: "[default]\naws_access_key_id = X\n", data: data, err: "profile default needs aws_access_key_id and aws_secret_access_key"},
		{name: "a broken file is not passed over", home: "[default\n", data: data, err: ".aws/credentials: line 1: a section ends with ]"},
		{name: "a profile that is nowhere", profile: "r", env: both, home: home, data: data, err: "put a profile r into HOME/.aws/credentials or DATA/credentials"},
		{name: "nothing anywhere", err: "no credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or put a profile default into HOME/.aws/credentials or DATA/credentials"},
		{name: "nowhere to look", noSources: true, err: "no credentials found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			s := client.Sources{Home: filepath.Join(root, "HOME"), Data: filepath.Join(root, "DATA"), Profile: tt.profile}
			s.Getenv = func(name string) string {
				if name == "AWS_SHARED_CREDENTIALS_FILE" && tt.shared != "" {
					return filepath.Join(root, "SHARED")
				}
				return tt.env[name]
			}
			for path, text := range map[string]string{"HOME/.aws/credentials": tt.home, "DATA/credentials": tt.data, "SHARED": tt.shared} {
				if text != "" {
					file(t, filepath.Join(root, path), text)
				}
			}
			if tt.noSources {
				s = client.Sources{}
			}
			got, place, err := client.FindCredentials(s)
			if tt.err != "" {
				if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), root+"/", ""), tt.err) {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				if strings.Contains(tt.err, "put a profile") != errors.Is(err, client.ErrNoCredentials) && !tt.noSources {
					t.Errorf("got %v as ErrNoCredentials", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := creds(tt.want)
			if tt.token {
				want.Token = "tok"
			}
			if got != want || strings.ReplaceAll(place, root+"/", "") != tt.place {
				t.Errorf("got %v from %s, want %v from %s", got, place, want, tt.place)
			}
		})
	}
}

func TestUnreadableFilesAreAnError(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	file(t, filepath.Join(home, ".aws", "credentials", "x"), "") // a folder in its place
	if _, _, err := client.FindCredentials(client.Sources{Home: home}); err == nil || errors.Is(err, client.ErrNoCredentials) {
		t.Errorf("got %v, want that it cannot be read", err)
	}
}

func TestCredentialsFilesAreReadLikeTheAWSToolsDo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       sigv4.Credentials
		err        string
	}{
		{"values keep what looks like a comment", "# one\n; two\n\n [ p ] \nAWS_Access_Key_ID=a#b\r\naws_secret_access_key =  c = d ; e \n", sigv4.Credentials{KeyID: "a#b", Secret: "c = d ; e"}, ""},
		{"indented lines belong to the key before", "[p]\naws_access_key_id = a\naws_secret_access_key = b\n  aws_session_token = t\n", sigv4.Credentials{KeyID: "a", Secret: "b"}, ""},
		{"a section that comes twice is one", "[p]\naws_access_key_id = a\n[q]\naws_access_key_id = x\n[p]\naws_secret_access_key = b", sigv4.Credentials{KeyID: "a", Secret: "b"}, ""},
		{"the last value counts", "[p]\naws_access_key_id = a\naws_access_key_id = b\naws_secret_access_key = c\n", sigv4.Credentials{KeyID: "b", Secret: "c"}, ""},
		{"a session token", profile("p", sigv4.Credentials{KeyID: "a", Secret: "b", Token: "c"}), sigv4.Credentials{KeyID: "a", Secret: "b", Token: "c"}, ""},
		{"a line that is nothing does not show its secret", "[p]\nAKIA hush\n", sigv4.Credentials{}, "line 2: neither a [section] nor key = value below one"},
		{"a key without a section", "aws_access_key_id = a\n", sigv4.Credentials{}, "line 1: neither"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file(t, filepath.Join(dir, "credentials"), tt.text)
			got, _, err := client.FindCredentials(client.Sources{Data: dir, Profile: "p"})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "hush") {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			// Not by String, which shows no secrets.
			if diff := cmp.Diff([]string{tt.want.KeyID, tt.want.Secret, tt.want.Token}, []string{got.KeyID, got.Secret, got.Token}); diff != "" {
				t.Errorf("credentials (-want +got):\n%s", diff)
			}
		})
	}
}

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// listKeys returns what muster keys list says, by key id.
func listKeys(t *testing.T, data string) map[string]accessKey {
	t.Helper()
	var out struct{ Keys []accessKey }
	if err := json.Unmarshal([]byte(muster(t, "keys", "list", "--data", data, "-o", "json").ok(t)), &out); err != nil {
		t.Fatal(err)
	}
	keys := make(map[string]accessKey)
	for _, k := range out.Keys {
		keys[k.ID] = k
	}
	return keys
}

func TestKeysOnAFreeFolderAndThroughItsServer(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, data string){
		"on a free folder":     func(t *testing.T, data string) { muster(t, "init", "--data", data).ok(t) },
		"through its server":   func(t *testing.T, data string) { serve(t, data) },
		"after a server ended": func(t *testing.T, data string) { p, _ := serve(t, data); _ = p.stop(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			prepare(t, data)
			made := muster(t, "keys", "create", "--data", data, "--name", "ci", "-o", "json")
			var k accessKey
			if err := json.Unmarshal([]byte(made.ok(t)), &k); err != nil || len(k.Secret) != 40 {
				t.Fatalf("got %q and error %v, want a key with a secret of 40 characters", made.stdout, err)
			}
			keys := listKeys(t, data)
			if len(keys) != 2 || keys[k.ID].Name != "ci" || keys[k.ID].Secret != "" {
				t.Errorf("got %v, want the first key and ci, without secrets", keys)
			}
			muster(t, "keys", "disable", "--data", data, k.ID).ok(t)
			if listKeys(t, data)[k.ID].DisabledAt == 0 {
				t.Error("the key is not disabled")
			}
			muster(t, "keys", "enable", "--data", data, k.ID).ok(t)
			if listKeys(t, data)[k.ID].DisabledAt != 0 {
				t.Error("the key is not enabled again")
			}
			if got := muster(t, "keys", "disable", "--data", data, "AKIANONE"); got.code != exitFailure {
				t.Errorf("got exit code %d for a key that does not exist, want %d", got.code, exitFailure)
			}
		})
	}
}

func TestKeysCreateShowsTheSecretOnceOrWritesIt(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	serve(t, data)
	shown := muster(t, "keys", "create", "--data", data)
	file := filepath.Join(t.TempDir(), "aws", "credentials")
	if err := saveFile(file, shown.ok(t), "shown"); err != nil {
		t.Fatal(err)
	}
	saved := muster(t, "keys", "create", "--data", data, "--profile", "saved", "--credentials", file)
	if text := saved.ok(t); strings.Contains(text, "secret") || !strings.Contains(text, "in profile saved of "+file) {
		t.Errorf("got %q, want the place of the key and not its secret", text)
	}
	for _, profile := range []string{"shown", "saved"} {
		env := map[string]string{"AWS_SHARED_CREDENTIALS_FILE": file, "MUSTER_ENDPOINT_URL": endpointOf(t, data)}
		musterWith(t, env, "", "jobs", "list", "--profile", profile).ok(t)
	}
	for _, args := range [][]string{{"--credentials", file}, {"--profile", "x", "--endpoint", "http://127.0.0.1:1"}} {
		if got := muster(t, append([]string{"keys", "create", "--data", data}, args...)...); got.code != exitFailure {
			t.Errorf("%v: got exit code %d, want %d", args, got.code, exitFailure)
		}
	}
	before := listKeys(t, data)
	got := muster(t, "keys", "create", "--data", data, "--profile", "x", "--credentials", "/dev/null/x")
	if got.code != exitFailure || !strings.Contains(got.stderr, "disabled") {
		t.Errorf("got exit code %d and %q, want %d and that the key is disabled", got.code, got.stderr, exitFailure)
	}
	for id, k := range listKeys(t, data) {
		if _, old := before[id]; !old && k.DisabledAt == 0 {
			t.Errorf("key %s works though nobody has its secret", id)
		}
	}
}

// saveFile writes a credentials file with one profile.
func saveFile(path, key, profile string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte("["+profile+"]\n"+key), 0o600)
}

func endpointOf(t *testing.T, data string) string {
	t.Helper()
	url, err := readEndpoint(data)
	if err != nil || url == "" {
		t.Fatalf("got endpoint %q and error %v, want a URL", url, err)
	}
	return url
}

func TestTheLastKeyIsNotDisabledByMistake(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	muster(t, "init", "--data", data).ok(t)
	for id := range listKeys(t, data) {
		got := muster(t, "keys", "disable", "--data", data, id)
		if got.code != exitFailure || !strings.Contains(got.stderr, "last one") {
			t.Errorf("got exit code %d and %q, want %d and that it is the last one", got.code, got.stderr, exitFailure)
		}
		muster(t, "keys", "disable", "--data", data, id, "--force").ok(t)
	}
}

func TestInitCanBeRunAgain(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "deep", "data")
	first := muster(t, "init", "--data", data).ok(t)
	for _, want := range []string{"master.key", "credentials", "Next: muster serve --data " + data} {
		if !strings.Contains(first, want) {
			t.Errorf("got no %q in %q", want, first)
		}
	}
	before, err := os.ReadFile(filepath.Join(data, credentialsName))
	if err != nil {
		t.Fatal(err)
	}
	if got := muster(t, "init", "--data", data).ok(t); !strings.Contains(got, "nothing changed") {
		t.Errorf("got %q, want that nothing changed", got)
	}
	serve(t, data)
	if got := muster(t, "init", "--data", data).ok(t); !strings.Contains(got, "a server runs on it") {
		t.Errorf("got %q, want that a server runs on it", got)
	}
	after, err := os.ReadFile(filepath.Join(data, credentialsName))
	if err != nil || string(after) != string(before) {
		t.Errorf("the credentials have changed (error %v)", err)
	}
}

func TestMasterKeyIsNotMadeAnewByMistake(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string) error{
		"lost":           os.Remove,
		"of another one": func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("x", 32)), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			muster(t, "init", "--data", data).ok(t)
			file := filepath.Join(data, "master.key")
			key, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := spoil(file); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"init"}, {"keys", "list"}} {
				got := muster(t, append(args, "--data", data)...)
				if got.code != exitFailure || !strings.Contains(got.stderr, "init --replace-master-key if it is lost") {
					t.Errorf("%v: got exit code %d and %q, want %d and what to do", args, got.code, got.stderr, exitFailure)
				}
			}
			if err := os.WriteFile(file, key, 0o600); err != nil {
				t.Fatal(err)
			}
			muster(t, "keys", "list", "--data", data).ok(t)

			if err := spoil(file); err != nil {
				t.Fatal(err)
			}
			muster(t, "init", "--data", data, "--replace-master-key").ok(t)
			serve(t, data)
			muster(t, "jobs", "list", "--data", data).ok(t)
		})
	}
}

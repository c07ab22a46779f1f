package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"muster/internal/auth/sigv4"
)

// credentialsName is the file in the data folder with the first access key, in
// the form of the shared credentials file of AWS clients.
const credentialsName = "credentials"

// Profiles of the first access key: the one that clients take unasked, and one
// to ask for (aws --profile muster) where AWS_ACCESS_KEY_ID is something else.
var firstProfiles = []string{"default", "muster"}

// saveProfiles stores an access key in profiles of the credentials file at path,
// which only its owner may read. File and folder are made if they are missing.
// Everything else in the file stays as it is.
func saveProfiles(path string, c sigv4.Credentials, profiles ...string) error {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text := string(data)
	for _, p := range profiles {
		text = setProfile(text, p, c)
	}
	if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return err
	}
	return writeFile(path, []byte(text))
}

// setProfile returns the text of a credentials file with an access key in a
// profile, in the place of the one there, if any. Other profiles, other
// settings of this one and comments are kept.
func setProfile(text, profile string, c sigv4.Credentials) string {
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), "\n")
	key := []string{"aws_access_key_id = " + c.KeyID, "aws_secret_access_key = " + c.Secret}
	at := slices.IndexFunc(lines, func(line string) bool { return header(line) == profile })
	if at < 0 {
		if text != "" {
			lines = append(lines, "")
		} else {
			lines = nil
		}
		lines = append(append(lines, "["+profile+"]"), key...)
		return strings.Join(lines, "\n") + "\n"
	}
	end := at + 1
	for end < len(lines) && header(lines[end]) == "" {
		end++
	}
	rest := slices.DeleteFunc(slices.Clone(lines[at+1:end]), isKey)
	lines = slices.Replace(lines, at+1, end, append(key, rest...)...)
	return strings.Join(lines, "\n") + "\n"
}

// header returns the profile whose section line begins, or "".
func header(line string) string {
	name, ok := strings.CutPrefix(strings.TrimSpace(line), "[")
	name, closed := strings.CutSuffix(name, "]")
	if !ok || !closed {
		return ""
	}
	return strings.TrimSpace(name)
}

// isKey reports whether a line of a profile is a part of its access key.
func isKey(line string) bool {
	name, _, _ := strings.Cut(line, "=")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "aws_access_key_id", "aws_secret_access_key", "aws_session_token":
		return true
	}
	return false
}

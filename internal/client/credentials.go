package client

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"muster/internal/auth/sigv4"
)

// ErrNoCredentials is in the error of FindCredentials when there are none anywhere.
var ErrNoCredentials = errors.New("no credentials found")

// Sources are the places where credentials are looked for.
type Sources struct {
	// Getenv reads the environment, as os.Getenv does. nil: no environment.
	Getenv func(string) string
	// Home is the user's home directory, or empty if there is none.
	Home string
	// Data is the data folder of a server on this machine, which keeps the key
	// that was made for it. Empty: none.
	Data string
	// Profile is the profile that the user asked for. Empty: the one that
	// AWS_PROFILE names, or else "default".
	Profile string
}

// FindCredentials returns the first credentials that it finds and the place,
// for messages: in the environment, in the file that AWS tools share, in the
// data folder. A Profile that was asked for is not looked for in the
// environment. The error is ErrNoCredentials with the places that were looked
// at, or that a place is there and broken, which is never passed over.
func FindCredentials(s Sources) (sigv4.Credentials, string, error) {
	getenv := s.Getenv
	if getenv == nil {
		getenv = func(string) string { return "" }
	}
	if s.Profile == "" {
		c, found, err := fromEnvironment(getenv)
		if found || err != nil {
			return c, "environment", err
		}
	}
	profile := cmp.Or(s.Profile, getenv("AWS_PROFILE"), "default")
	files := s.files(getenv)
	for _, path := range files {
		c, found, err := fromFile(path, profile)
		if found || err != nil {
			return c, fmt.Sprintf("profile %s of %s", profile, path), err
		}
	}
	return sigv4.Credentials{}, "", fmt.Errorf(
		"client: %w: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or put a profile %s into %s",
		ErrNoCredentials, profile, strings.Join(files, " or "))
}

// files returns the files to look into, in order.
func (s Sources) files(getenv func(string) string) []string {
	var files []string
	if shared := getenv("AWS_SHARED_CREDENTIALS_FILE"); shared != "" {
		files = append(files, shared)
	} else if s.Home != "" {
		files = append(files, filepath.Join(s.Home, ".aws", "credentials"))
	}
	if s.Data != "" {
		files = append(files, filepath.Join(s.Data, "credentials"))
	}
	return files
}

func fromEnvironment(getenv func(string) string) (c sigv4.Credentials, found bool, err error) {
	c = sigv4.Credentials{
		KeyID:  getenv("AWS_ACCESS_KEY_ID"),
		Secret: getenv("AWS_SECRET_ACCESS_KEY"),
		Token:  getenv("AWS_SESSION_TOKEN"),
	}
	if (c.KeyID == "") != (c.Secret == "") {
		return sigv4.Credentials{}, false, errors.New("client: only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set")
	}
	return c, c.KeyID != "", nil
}

// fromFile looks for a profile in a file, which need not exist.
func fromFile(path, profile string) (c sigv4.Credentials, found bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, false, nil
	}
	if err != nil {
		return c, false, fmt.Errorf("client: credentials: %w", err)
	}
	values, found, err := section(string(text), profile)
	if err != nil {
		return c, false, fmt.Errorf("client: credentials: %s: %w", path, err)
	}
	if !found {
		return c, false, nil
	}
	c = sigv4.Credentials{
		KeyID:  values["aws_access_key_id"],
		Secret: values["aws_secret_access_key"],
		Token:  values["aws_session_token"],
	}
	if c.KeyID == "" || c.Secret == "" {
		return sigv4.Credentials{}, false, fmt.Errorf(
			"client: credentials: %s: profile %s needs aws_access_key_id and aws_secret_access_key", path, profile)
	}
	return c, true, nil
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"muster/internal/auth/sigv4"
	"muster/internal/wire"
)

type keysCmd struct {
	Create  keysCreateCmd  `cmd:"" help:"Make an access key."`
	List    keysListCmd    `cmd:"" help:"List access keys, oldest first."`
	Disable keysDisableCmd `cmd:"" help:"Make an access key useless until it is enabled again."`
	Enable  keysEnableCmd  `cmd:"" help:"Make a disabled access key work again."`
}

// Help describes the command beyond its flags.
func (keysCmd) Help() string {
	return "These commands work on the data folder itself while no server runs on it, and else through that server, " +
		"with the access key in the folder's credentials file."
}

// accessKey is an access key as the API shows it. The secret is there once,
// when it is made.
type accessKey struct {
	ID         string                 `json:"id"`
	Secret     string                 `json:"secret,omitempty"`
	Name       string                 `json:"name,omitempty"`
	CreatedAt  wire.FractionalSeconds `json:"createdAt"`
	DisabledAt wire.FractionalSeconds `json:"disabledAt,omitzero"`
}

func (k accessKey) state() string {
	if k.DisabledAt != 0 {
		return "disabled"
	}
	return "enabled"
}

type keysCreateCmd struct {
	keyFlags
	Name        string `help:"What the key is for, to tell it from others." placeholder:"TEXT"`
	Profile     string `help:"Write the key into this profile of a credentials file, instead of showing the secret." placeholder:"PROFILE"`
	Credentials string `help:"The credentials file that --profile writes to. Default: the one in the data folder." placeholder:"FILE"`
}

// Run makes a key and hands it out, once.
func (c keysCreateCmd) Run(ctx context.Context, sys system) error {
	file, err := c.target(sys)
	if err != nil {
		return err
	}
	return c.with(ctx, sys, func(r keyring) error {
		k, err := r.create(ctx, c.Name)
		if err != nil {
			return err
		}
		if file != "" {
			return c.save(ctx, sys, r, k, file)
		}
		if c.json() {
			return printJSON(sys.stdout, k)
		}
		fmt.Fprintf(sys.stdout, "aws_access_key_id = %s\naws_secret_access_key = %s\n", k.ID, k.Secret)
		fmt.Fprintln(sys.stderr, "This is the only time that the secret is shown.")
		return nil
	})
}

// target returns the credentials file to write to, or "" to show the key.
func (c keysCreateCmd) target(sys system) (string, error) {
	switch {
	case c.Profile == "" && c.Credentials == "":
		return "", nil
	case c.Profile == "":
		return "", errors.New("--credentials needs --profile NAME, the profile to write")
	case c.Credentials == "" && c.url(sys) != "":
		return "", errors.New("--profile needs --credentials FILE, because the server is not found by its data folder")
	}
	cfg, err := c.load(sys)
	return cmp.Or(c.Credentials, filepath.Join(cfg.Data, credentialsName)), err
}

// save writes a new key into the credentials file. A key whose secret got lost
// does not stay enabled.
func (c keysCreateCmd) save(ctx context.Context, sys system, r keyring, k accessKey, file string) error {
	err := saveProfiles(file, sigv4.Credentials{KeyID: k.ID, Secret: k.Secret}, c.Profile)
	if err != nil {
		_, undo := r.disable(ctx, k.ID, true)
		return errors.Join(fmt.Errorf("the new access key %s is of no use and disabled, because it could not be written: %w", k.ID, err), undo)
	}
	k.Secret = ""
	return c.done(sys, k, "access key %s is in profile %s of %s", k.ID, c.Profile, absolute(file))
}

type keysListCmd struct{ keyFlags }

// Run lists the keys, without their secrets.
func (c keysListCmd) Run(ctx context.Context, sys system) error {
	return c.with(ctx, sys, func(r keyring) error {
		keys, err := r.list(ctx)
		if err != nil {
			return err
		}
		return list(sys, c.outputFlags, "keys", all(keys), []string{"KEY", "STATE", "CREATED", "NAME"},
			func(k accessKey) []string { return []string{k.ID, k.state(), timestamp(k.CreatedAt), k.Name} })
	})
}

type keysDisableCmd struct {
	keyFlags
	ID    string `arg:"" help:"The key's id: AKIA…"`
	Force bool   `help:"Disable it even if no other key is enabled."`
}

// Run disables a key.
func (c keysDisableCmd) Run(ctx context.Context, sys system) error {
	return c.with(ctx, sys, func(r keyring) error {
		k, err := r.disable(ctx, c.ID, c.Force)
		if err != nil {
			return err
		}
		return c.done(sys, k, "access key %s is disabled", k.ID)
	})
}

type keysEnableCmd struct {
	keyFlags
	ID string `arg:"" help:"The key's id: AKIA…"`
}

// Run enables a key.
func (c keysEnableCmd) Run(ctx context.Context, sys system) error {
	return c.with(ctx, sys, func(r keyring) error {
		k, err := r.enable(ctx, c.ID)
		if err != nil {
			return err
		}
		return c.done(sys, k, "access key %s is enabled", k.ID)
	})
}

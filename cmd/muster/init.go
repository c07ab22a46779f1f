package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	"muster/internal/config"
)

// folderFlags choose a data folder for commands that open it themselves. They
// read the server's configuration, so that they find what it would find.
type folderFlags struct {
	Config        string `help:"TOML file with settings of the server ($$MUSTER_CONFIG)." placeholder:"FILE"`
	Data          string `help:"Data folder ($$MUSTER_DATA)." placeholder:"./muster-data"`
	Store         string `help:"URL of the PostgreSQL database, if it is not SQLite in the folder ($$MUSTER_STORE)." placeholder:"URL"`
	MasterKeyFile string `help:"File with the key that seals access keys ($$MUSTER_MASTER_KEY_FILE)." placeholder:"FILE"`
}

// load returns the server's configuration.
func (f folderFlags) load(sys system) (config.Config, error) {
	given := make(map[string]string)
	if f.Data != "" {
		given["data"] = f.Data
	}
	if f.Store != "" {
		given["store"] = f.Store
	}
	if f.MasterKeyFile != "" {
		given["masterKeyFile"] = f.MasterKeyFile
	}
	c, err := config.Load(config.Input{File: f.Config, Getenv: sys.getenv, Flags: given})
	if err != nil {
		return config.Config{}, err
	}
	return c.Config, nil
}

type initCmd struct {
	folderFlags
	ReplaceMasterKey bool `help:"Go on without a master key that is lost: make another, and an access key with it. The old access keys work never again."`
}

// Help describes the command beyond its flags.
func (initCmd) Help() string {
	return "muster serve does the same at its first start. A folder that is there already is left as it is, " +
		"so that the command can be run again."
}

// Run makes what is missing of a data folder.
func (c initCmd) Run(ctx context.Context, sys system) (err error) {
	cfg, err := c.load(sys)
	if err != nil {
		return err
	}
	f, err := openFolder(ctx, cfg, nil, nil, c.ReplaceMasterKey)
	if inUse(err) {
		fmt.Fprintf(sys.stdout, "%s is a data folder already, and a server runs on it.\n", absolute(cfg.Data))
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	made := true
	if c.ReplaceMasterKey {
		err = makeKey(ctx, f.keys(), f.path)
	} else {
		made, err = ensureKey(ctx, f.keys(), f.path)
	}
	if err != nil {
		return err
	}
	if !made {
		fmt.Fprintf(sys.stdout, "%s is a data folder with access keys already; nothing changed.\n", absolute(cfg.Data))
		return nil
	}
	fmt.Fprintf(sys.stdout, `Made %s.

  database     %s
  master key   %s  (keep a copy apart: without it no access key opens)
  credentials  %s  (the first access key)

Next: muster serve%s
`, absolute(cfg.Data), databaseOf(cfg), absolute(cfg.MasterKeyFile),
		filepath.Join(absolute(cfg.Data), credentialsName), dataFlag(cfg.Data))
	return nil
}

// databaseOf returns where the database is, for people.
func databaseOf(c config.Config) string {
	if c.Store == "" {
		return filepath.Join(absolute(c.Data), "muster.db")
	}
	u, err := url.Parse(c.Store)
	if err != nil {
		return "PostgreSQL"
	}
	return u.Redacted()
}

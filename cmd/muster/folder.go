package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"muster/internal/auth"
	"muster/internal/auth/sigv4"
	"muster/internal/job"
	"muster/internal/registry"
	"muster/internal/store"
	"muster/internal/store/sqlite"
)

// endpointName is the file in the data folder with the URL of the server that
// runs on it. It is there while the server is.
const endpointName = "endpoint"

// deviceEndpointName is the same with the URLs of the MQTT listeners, one a line.
const deviceEndpointName = "device-endpoints"

// folder is an open data folder: nobody else has it open.
type folder struct {
	path   string
	store  *sqlite.Store
	sealer *auth.Sealer
}

// openFolder opens a data folder, and makes what is missing of it: the database
// and the key that seals secrets. That key is not made anew if there are access
// keys, which would be lost with the old one, unless replaceKey is set.
func openFolder(ctx context.Context, c sqlite.Config, masterKeyFile string, replaceKey bool) (*folder, error) {
	s, err := sqlite.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	sealer, err := openSealer(ctx, s, masterKeyFile, replaceKey)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &folder{path: c.Dir, store: s, sealer: sealer}, nil
}

// openSealer returns the sealer of the access keys in s.
func openSealer(ctx context.Context, s store.Store, masterKeyFile string, replaceKey bool) (*auth.Sealer, error) {
	var keys []store.AccessKey
	err := s.View(ctx, func(r store.Reader) (err error) {
		keys, err = r.Keys()
		return err
	})
	if err != nil {
		return nil, err
	}
	sealed := len(keys) > 0 && !replaceKey
	if _, err := os.Stat(masterKeyFile); sealed && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the master key %s is not there, but access keys are that only it opens: "+
			"put it back, or run muster init --replace-master-key if it is lost", masterKeyFile)
	}
	masterKey, err := auth.LoadOrCreateMasterKey(masterKeyFile)
	if err != nil {
		return nil, err
	}
	sealer, err := auth.NewSealer(masterKey)
	if err != nil {
		return nil, err
	}
	opens := func(k store.AccessKey) bool {
		_, err := sealer.Open(k.ID, k.Sealed)
		return err == nil
	}
	if sealed && !slices.ContainsFunc(keys, opens) {
		return nil, fmt.Errorf("the master key %s opens none of the access keys: put back the one that they were made with, "+
			"or run muster init --replace-master-key if it is lost", masterKeyFile)
	}
	return sealer, nil
}

// keys returns a registry that serves nothing but access keys.
func (f *folder) keys() *registry.Registry {
	return registry.New(registry.Config{Store: f.store, UIDs: new(job.UIDs), Sealer: f.sealer})
}

// Close gives the folder back.
func (f *folder) Close() error { return f.store.Close() }

// exists reports whether path is the data folder of some server, without opening it.
func exists(path string) (bool, error) {
	_, err := os.Stat(filepath.Join(path, "muster.db"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// operator is who a command is that works on the data folder itself: whoever can
// write there can do everything.
var operator = auth.Principal{}

// ensureKey makes the first access key of a folder and writes it into the
// folder's credentials file. It does nothing if the folder has a key, and reports
// whether it had none.
func ensureKey(ctx context.Context, r *registry.Registry, path string) (bool, error) {
	keys, err := r.ListKeys(ctx, operator)
	if err != nil || len(keys) > 0 {
		return false, err
	}
	return true, makeKey(ctx, r, path)
}

// makeKey makes an access key and writes it into the folder's credentials file.
// No key stays behind that works and that nobody knows the secret of.
func makeKey(ctx context.Context, r *registry.Registry, path string) error {
	k, secret, err := r.CreateKey(ctx, operator, "first")
	if err != nil {
		return err
	}
	file := filepath.Join(path, credentialsName)
	if err := saveProfiles(file, sigv4.Credentials{KeyID: k.ID, Secret: secret}, firstProfiles...); err != nil {
		_, undo := r.DisableKey(ctx, operator, k.ID, true)
		return errors.Join(fmt.Errorf("write the first access key: %w", err), undo)
	}
	return nil
}

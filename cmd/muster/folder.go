package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/gofrs/flock"

	"muster/internal/auth"
	"muster/internal/auth/sigv4"
	"muster/internal/config"
	"muster/internal/job"
	"muster/internal/registry"
	"muster/internal/store"
	"muster/internal/store/postgres"
	"muster/internal/store/sqlite"
)

// endpointName is the file in the data folder with the URL of the server that
// runs on it. It is there while the server is.
const endpointName = "endpoint"

// deviceEndpointName is the same with the URLs of the MQTT listeners, one a line.
const deviceEndpointName = "device-endpoints"

// folder is an open data folder, which nobody else has open, or one of a server
// whose database is elsewhere and shared.
type folder struct {
	path      string
	store     store.Store
	lock      *flock.Flock // nil if the store has one
	masterKey []byte
	sealer    *auth.Sealer
}

// openFolder opens a data folder, and makes what is missing of it: the database
// and the key that seals secrets. That key is not made anew if there are access
// keys, which would be lost with the old one, unless replaceKey is set. log and m
// may be nil.
func openFolder(ctx context.Context, c config.Config, log *slog.Logger, m *storeMetrics, replaceKey bool) (*folder, error) {
	f := &folder{path: c.Data}
	err := f.openStore(ctx, c, log, m)
	if err == nil {
		err = f.openSealer(ctx, c.MasterKeyFile, replaceKey)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// openStore opens the database that the configuration names. The folder is there
// and locked in any case: it is where the keys are.
func (f *folder) openStore(ctx context.Context, c config.Config, log *slog.Logger, m *storeMetrics) (err error) {
	if m == nil {
		m = new(storeMetrics)
	}
	if c.Store == "" {
		cfg := sqlite.Config{Dir: c.Data, Log: log}
		if m.calls != nil {
			cfg.OnCommit, cfg.OnCheckpoint = m.committed, m.checkpointed
		}
		f.store, err = orNothing(sqlite.Open(ctx, cfg))
		return err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("the data folder cannot be made: %w: choose another folder, or give write permission", err)
	}
	f.lock = flock.New(filepath.Join(c.Data, "muster.lock"))
	locked, err := f.lock.TryLock()
	if err == nil && !locked {
		err = fmt.Errorf("%s: %w: each server needs a data folder of its own", c.Data, errInUse)
	}
	if err != nil {
		return err
	}
	cfg := postgres.Config{URL: c.Store, MaxConns: int(c.StoreConns), Log: log}
	if m.calls != nil {
		cfg.OnCommit = m.committed
	}
	f.store, err = orNothing(postgres.Open(ctx, cfg))
	return err
}

// orNothing makes a store that could not be opened none at all.
func orNothing[S store.Store](s S, err error) (store.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// errInUse says that another process has the data folder.
var errInUse = errors.New("another server is running on the folder")

// inUse reports whether another process has a data folder.
func inUse(err error) bool { return errors.Is(err, sqlite.ErrInUse) || errors.Is(err, errInUse) }

// openSealer makes the sealer of the access keys in the store.
func (f *folder) openSealer(ctx context.Context, masterKeyFile string, replaceKey bool) error {
	keys, err := f.sealed(ctx)
	if err != nil {
		return err
	}
	sealed := len(keys) > 0 && !replaceKey
	if _, err := os.Stat(masterKeyFile); sealed && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the master key %s is not there, but access keys are that only it opens: "+
			"put it back%s, or run muster init --replace-master-key if it is lost", masterKeyFile, f.fromOthers())
	}
	f.masterKey, err = auth.LoadOrCreateMasterKey(masterKeyFile)
	if err != nil {
		return err
	}
	f.sealer, err = auth.NewSealer(f.masterKey)
	if err != nil {
		return err
	}
	if sealed && !slices.ContainsFunc(keys, f.opens) {
		return fmt.Errorf("the master key %s opens none of the access keys: put back the one that they were made with%s, "+
			"or run muster init --replace-master-key if it is lost", masterKeyFile, f.fromOthers())
	}
	return nil
}

// fromOthers says where else the master key may be.
func (f *folder) fromOthers() string {
	if f.lock == nil {
		return ""
	}
	return ", or copy it from another node,"
}

// sealed returns the access keys as they are stored.
func (f *folder) sealed(ctx context.Context) (keys []store.AccessKey, err error) {
	err = f.store.View(ctx, func(r store.Reader) error {
		keys, err = r.Keys()
		return err
	})
	return keys, err
}

func (f *folder) opens(k store.AccessKey) bool {
	_, err := f.sealer.Open(k.ID, k.Sealed)
	return err == nil
}

// checkShared returns an error if some access key of a shared database cannot be
// opened: then the nodes have different master keys, and each would turn away
// clients of the others.
func (f *folder) checkShared(ctx context.Context, masterKeyFile string) error {
	keys, err := f.sealed(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.DisabledAt == 0 && !f.opens(k) {
			return fmt.Errorf("the master key %s does not open the access key %s: all nodes need the same master key; "+
				"copy the file from the node that has made the key, see masterKeyFile", masterKeyFile, k.ID)
		}
	}
	return nil
}

// keys returns a registry that serves nothing but access keys.
func (f *folder) keys() *registry.Registry {
	return registry.New(registry.Config{Store: f.store, UIDs: new(job.UIDs), Sealer: f.sealer})
}

// Close gives the folder back.
func (f *folder) Close() error {
	var errs []error
	if f.store != nil {
		errs = append(errs, f.store.Close())
	}
	if f.lock != nil {
		errs = append(errs, f.lock.Close())
	}
	return errors.Join(errs...)
}

// exists reports whether the configuration names the data of some server, without
// opening it. A database elsewhere is taken to be there.
func exists(c config.Config) (bool, error) {
	if c.Store != "" {
		return true, nil
	}
	_, err := os.Stat(filepath.Join(c.Data, "muster.db"))
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
	k, secret, made, err := r.CreateFirstKey(ctx, operator, "first")
	if err != nil || !made {
		return false, err
	}
	return true, keepKey(ctx, r, path, k, secret)
}

// makeKey makes an access key and writes it into the folder's credentials file.
// No key stays behind that works and that nobody knows the secret of.
func makeKey(ctx context.Context, r *registry.Registry, path string) error {
	k, secret, err := r.CreateKey(ctx, operator, "first")
	if err != nil {
		return err
	}
	return keepKey(ctx, r, path, k, secret)
}

// keepKey writes a new access key into the folder's credentials file.
func keepKey(ctx context.Context, r *registry.Registry, path string, k registry.Key, secret string) error {
	file := filepath.Join(path, credentialsName)
	if err := saveProfiles(file, sigv4.Credentials{KeyID: k.ID, Secret: secret}, firstProfiles...); err != nil {
		_, undo := r.DisableKey(ctx, operator, k.ID, true)
		return errors.Join(fmt.Errorf("write the first access key: %w", err), undo)
	}
	return nil
}

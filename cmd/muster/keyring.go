package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"muster/internal/client"
	"muster/internal/registry"
	"muster/internal/wire"
)

// keyring keeps access keys: a folder, or the server that runs on it.
type keyring interface {
	create(ctx context.Context, name string) (accessKey, error)
	list(ctx context.Context) ([]accessKey, error)
	disable(ctx context.Context, id string, force bool) (accessKey, error)
	enable(ctx context.Context, id string) (accessKey, error)
}

// keyFlags choose where access keys are kept, and how they are printed.
type keyFlags struct {
	folderFlags
	connectFlags
	outputFlags
}

// with hands do the keyring that the flags mean: the server that was named, the
// data folder if no server runs on it, or else that server.
func (f keyFlags) with(ctx context.Context, sys system, do func(keyring) error) (err error) {
	cfg, err := f.load(sys)
	if err != nil {
		return err
	}
	if f.url(sys) == "" {
		there, err := exists(cfg)
		if err != nil {
			return err
		}
		if !there {
			return fmt.Errorf("%s is not a data folder; muster init makes one", cfg.Data)
		}
		data, err := openFolder(ctx, cfg, nil, nil, false)
		if err == nil {
			return errors.Join(do(folderKeys{data.keys()}), data.Close())
		}
		if !inUse(err) {
			return err
		}
	}
	f.Region = cmp.Or(f.Region, cfg.Region)
	c, err := f.connect(sys, cfg.Data, "")
	if err != nil {
		return err
	}
	return do(serverKeys{c})
}

// folderKeys are the access keys of a folder that this process has open.
type folderKeys struct{ r *registry.Registry }

func (f folderKeys) create(ctx context.Context, name string) (accessKey, error) {
	k, secret, err := f.r.CreateKey(ctx, operator, name)
	out := accessKeyOf(k)
	out.Secret = secret
	return out, err
}

func (f folderKeys) list(ctx context.Context) ([]accessKey, error) {
	keys, err := f.r.ListKeys(ctx, operator)
	var out []accessKey
	for _, k := range keys {
		out = append(out, accessKeyOf(k))
	}
	return out, err
}

func (f folderKeys) disable(ctx context.Context, id string, force bool) (accessKey, error) {
	k, err := f.r.DisableKey(ctx, operator, id, force)
	return accessKeyOf(k), err
}

func (f folderKeys) enable(ctx context.Context, id string) (accessKey, error) {
	k, err := f.r.EnableKey(ctx, operator, id)
	return accessKeyOf(k), err
}

func accessKeyOf(k registry.Key) accessKey {
	return accessKey{
		ID: k.ID, Name: k.Name,
		CreatedAt: wire.FractionalSeconds(k.CreatedAt), DisabledAt: wire.FractionalSeconds(k.DisabledAt),
	}
}

// serverKeys are the access keys of a server.
type serverKeys struct{ c *client.Client }

// keysPath is where the API keeps access keys. Those requests are not among the
// published operations, so they are signed for the control plane by hand.
const keysPath = "/muster/v1/keys"

func (s serverKeys) create(ctx context.Context, name string) (k accessKey, err error) {
	err = s.c.Do(ctx, "iot", http.MethodPost, keysPath, nil, map[string]string{"name": name}, &k)
	return k, err
}

func (s serverKeys) list(ctx context.Context) ([]accessKey, error) {
	var out struct {
		Keys []accessKey `json:"keys"`
	}
	err := s.c.Do(ctx, "iot", http.MethodGet, keysPath, nil, nil, &out)
	return out.Keys, err
}

func (s serverKeys) disable(ctx context.Context, id string, force bool) (k accessKey, err error) {
	var query url.Values
	if force {
		query = url.Values{"force": {"true"}}
	}
	err = s.c.Do(ctx, "iot", http.MethodPost, keysPath+"/"+url.PathEscape(id)+"/disable", query, nil, &k)
	return k, err
}

func (s serverKeys) enable(ctx context.Context, id string) (k accessKey, err error) {
	err = s.c.Do(ctx, "iot", http.MethodPost, keysPath+"/"+url.PathEscape(id)+"/enable", nil, nil, &k)
	return k, err
}

package registry

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/store"
)

// MaxKeyName is the length of an access key's name in characters.
const MaxKeyName = 128

// Key is an access key without its secret.
type Key struct {
	// ID is the public part, such as AKIA….
	ID string
	// Name is what the operator calls it; it may be empty.
	Name string
	// CreatedAt and DisabledAt are in milliseconds since the epoch; DisabledAt is 0 while the key works.
	CreatedAt, DisabledAt int64
}

func keyOf(k store.AccessKey) Key {
	return Key{ID: k.ID, Name: k.Name, CreatedAt: k.CreatedAt, DisabledAt: k.DisabledAt}
}

// CreateKey makes an access key and returns it with its secret, which nobody
// can see again: only its sealed form is stored. It takes no part in what
// DisableKey decides: another key that works does no harm.
func (r *Registry) CreateKey(ctx context.Context, p auth.Principal, name string) (Key, string, error) {
	if err := r.allowAny(ctx, p, "muster:CreateKey"); err != nil {
		return Key{}, "", err
	}
	if !printable(name) {
		return Key{}, "", apierr.New(apierr.Invalid, "name must have at most %d printable characters", MaxKeyName)
	}
	id, secret := auth.NewAccessKey()
	sealed := r.sealer.Seal(id, secret)
	k, err := update(ctx, r, func(tx store.Tx, now int64) (Key, error) {
		k := store.AccessKey{ID: id, Sealed: sealed, Name: name, CreatedAt: now}
		return keyOf(k), tx.InsertKey(k)
	})
	if err != nil {
		return Key{}, "", err
	}
	return k, secret, nil
}

// CreateFirstKey is CreateKey if there is no access key at all; else it does nothing
// and reports false. Of many servers that do it at the same moment one makes a key.
func (r *Registry) CreateFirstKey(ctx context.Context, p auth.Principal, name string) (k Key, secret string, made bool, err error) {
	if err := r.allowAny(ctx, p, "muster:CreateKey"); err != nil {
		return Key{}, "", false, err
	}
	id, secret := auth.NewAccessKey()
	sealed := r.sealer.Seal(id, secret)
	err = r.oneByOne(ctx, func(tx store.Tx, now int64) error {
		made = false
		keys, err := tx.Keys()
		if err != nil || len(keys) > 0 {
			return err
		}
		first := store.AccessKey{ID: id, Sealed: sealed, Name: name, CreatedAt: now}
		k, made = keyOf(first), true
		return tx.InsertKey(first)
	})
	if err != nil || !made {
		return Key{}, "", false, err
	}
	return k, secret, true, nil
}

// oneByOne calls fn in a transaction that comes before or after any other that
// decides by all of the access keys, on any server: two that each read what the
// other one writes would else both pass.
func (r *Registry) oneByOne(ctx context.Context, fn func(tx store.Tx, now int64) error) error {
	now := r.now()
	return r.store.UpdatePart(ctx, 0, 0, func(tx store.Tx) error { return fn(tx, now) })
}

// printable reports whether name can be shown in a terminal as it is.
func printable(name string) bool {
	return utf8.ValidString(name) && utf8.RuneCountInString(name) <= MaxKeyName &&
		!strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) })
}

// ListKeys returns all access keys, oldest first.
func (r *Registry) ListKeys(ctx context.Context, p auth.Principal) ([]Key, error) {
	if err := r.allowAny(ctx, p, "muster:ListKeys"); err != nil {
		return nil, err
	}
	return view(ctx, r, func(rd store.Reader) ([]Key, error) {
		stored, err := rd.Keys()
		if err != nil {
			return nil, err
		}
		keys := make([]Key, len(stored))
		for i, k := range stored {
			keys[i] = keyOf(k)
		}
		return keys, nil
	})
}

// DisableKey makes an access key useless until EnableKey. It fails with
// apierr.Conflict if that would leave no key that works, unless force is set,
// and with apierr.NotFound if there is no such key.
func (r *Registry) DisableKey(ctx context.Context, p auth.Principal, id string, force bool) (Key, error) {
	if err := r.allowAny(ctx, p, "muster:DisableKey"); err != nil {
		return Key{}, err
	}
	return r.updateKey(ctx, id, func(tx store.Tx, k store.AccessKey, now int64) (store.AccessKey, error) {
		if k.DisabledAt != 0 {
			return k, nil
		}
		k.DisabledAt = now
		if force {
			return k, nil
		}
		return k, checkOthers(tx, id)
	})
}

// checkOthers returns apierr.Conflict if no key but the one given works.
func checkOthers(rd store.KeyReader, id string) error {
	keys, err := rd.Keys()
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.ID != id && k.DisabledAt == 0 {
			return nil
		}
	}
	return apierr.New(apierr.Conflict, "access key %s is the last one that works: create another first, or force it", id)
}

// EnableKey makes a disabled access key work again, with the same secret.
func (r *Registry) EnableKey(ctx context.Context, p auth.Principal, id string) (Key, error) {
	if err := r.allowAny(ctx, p, "muster:EnableKey"); err != nil {
		return Key{}, err
	}
	return r.updateKey(ctx, id, func(_ store.Tx, k store.AccessKey, _ int64) (store.AccessKey, error) {
		k.DisabledAt = 0
		return k, nil
	})
}

// updateKey changes an access key. What is known of secrets is forgotten even if
// the call fails: a commit whose answer was lost may have happened.
func (r *Registry) updateKey(ctx context.Context, id string, fn func(tx store.Tx, k store.AccessKey, now int64) (store.AccessKey, error)) (Key, error) {
	defer r.secrets.forget(id)
	var k Key
	err := r.oneByOne(ctx, func(tx store.Tx, now int64) error {
		old, err := tx.Key(id)
		if err != nil {
			return err
		}
		next, err := fn(tx, old, now)
		k = keyOf(next)
		if err != nil {
			return err
		}
		return tx.UpdateKey(next)
	})
	if err != nil {
		return Key{}, err
	}
	return k, nil
}

// Secret returns the secret of an access key that works, for who verifies
// signatures; authorization comes after that. It fails with apierr.UnknownKey if
// there is no such key or it is disabled.
//
// Secrets are remembered for secretLife. What this process changes counts at
// once, what another one does on the same database after that time.
func (r *Registry) Secret(ctx context.Context, id string) (string, error) {
	secret, ticket, ok := r.secrets.get(id)
	if ok {
		return secret, nil
	}
	k, err := view(ctx, r, func(rd store.Reader) (store.AccessKey, error) { return rd.Key(id) })
	if apierr.Is(err, apierr.NotFound) || err == nil && k.DisabledAt != 0 {
		return "", apierr.New(apierr.UnknownKey, "The security token included in the request is invalid.")
	}
	if err != nil {
		return "", err
	}
	secret, err = r.sealer.Open(id, k.Sealed)
	if err != nil {
		return "", err
	}
	r.secrets.put(id, secret, ticket)
	return secret, nil
}

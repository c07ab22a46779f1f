package registry_test

import (
	"bytes"
	stdcmp "cmp"
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/internal/apierr"
	"muster/internal/pgtest"
	"muster/internal/registry"
	"muster/internal/store"
	"muster/internal/store/postgres"
)

func TestKeyLife(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	one, secret, err := b.CreateKey(ctx, operator, "laptop of ops")
	ok(t, err)
	b.clock.advance(time.Second)
	two, _, err := b.CreateKey(ctx, operator, "")
	ok(t, err)
	if one.Name != "laptop of ops" || one.CreatedAt == 0 || one.DisabledAt != 0 {
		t.Errorf("got %+v, want a fresh key with its name", one)
	}
	listed, err := b.ListKeys(ctx, operator)
	ok(t, err)
	if diff := cmp.Diff([]registry.Key{one, two}, listed); diff != "" {
		t.Error(diff)
	}
	got, err := b.Secret(ctx, one.ID)
	ok(t, err)
	if got != secret {
		t.Error("the secret is not the one that was given")
	}

	b.clock.advance(time.Second)
	off, err := b.DisableKey(ctx, operator, one.ID, false)
	ok(t, err)
	if off.DisabledAt != b.clock.ms.Load() {
		t.Errorf("got disabledAt %d, want %d", off.DisabledAt, b.clock.ms.Load())
	}
	_, err = b.Secret(ctx, one.ID)
	refused(t, err, apierr.UnknownKey, "security token")
	b.clock.advance(time.Second)
	again, err := b.DisableKey(ctx, operator, one.ID, false)
	ok(t, err)
	if diff := cmp.Diff(off, again); diff != "" {
		t.Errorf("disabled again, it changed:\n%s", diff)
	}
	_, err = b.EnableKey(ctx, operator, one.ID)
	ok(t, err)
	got, err = b.Secret(ctx, one.ID)
	ok(t, err)
	if got != secret {
		t.Error("the secret is another after the key was disabled")
	}
}

func TestKeysAreRefused(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	_, err := b.Secret(ctx, "AKIANONE")
	refused(t, err, apierr.UnknownKey, "security token")
	_, err = b.DisableKey(ctx, operator, "AKIANONE", true)
	refused(t, err, apierr.NotFound, "AKIANONE")
	_, err = b.EnableKey(ctx, operator, "AKIANONE")
	refused(t, err, apierr.NotFound, "AKIANONE")
	for _, name := range []string{strings.Repeat("é", 129), "a\nb", "a\xffb"} {
		_, _, err = b.CreateKey(ctx, operator, name)
		refused(t, err, apierr.Invalid, "name", "128")
	}
}

func TestLastKeyIsKept(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	one, _, err := b.CreateKey(ctx, operator, "one")
	ok(t, err)
	two, _, err := b.CreateKey(ctx, operator, "two")
	ok(t, err)
	// However many try at once, one key stays.
	errs := together(2, func(i int) error {
		_, err := b.DisableKey(ctx, operator, []string{one.ID, two.ID}[i], false)
		return err
	})
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("got %v and %v, want just one to pass", errs[0], errs[1])
	}
	last := one.ID
	if errs[0] == nil {
		last = two.ID
	}
	_, err = b.DisableKey(ctx, operator, last, false)
	refused(t, err, apierr.Conflict, last, "last one")
	_, err = b.Secret(ctx, last)
	ok(t, err)
	_, err = b.DisableKey(ctx, operator, last, true)
	ok(t, err)
	_, err = b.Secret(ctx, last)
	refused(t, err, apierr.UnknownKey)
}

// TestLastKeyIsKeptOnManyServers has transactions that run side by side, as they do
// on PostgreSQL.
func TestLastKeyIsKeptOnManyServers(t *testing.T) {
	t.Parallel()
	s, err := postgres.Open(t.Context(), postgres.Config{URL: pgtest.URL(t), Parts: 1})
	ok(t, err)
	t.Cleanup(func() { ok(t, s.Close()) })
	b, ctx := setup(t, func(c *registry.Config) { c.Store = s }), t.Context()
	one, _, err := b.CreateKey(ctx, operator, "one")
	ok(t, err)
	two, _, err := b.CreateKey(ctx, operator, "two")
	ok(t, err)
	for range 50 {
		errs := together(2, func(i int) error {
			_, err := b.DisableKey(ctx, operator, []string{one.ID, two.ID}[i], false)
			return err
		})
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("got %v and %v, want just one to pass", errs[0], errs[1])
		}
		refused(t, stdcmp.Or(errs...), apierr.Conflict, "last one")
		for _, k := range []registry.Key{one, two} {
			_, err = b.EnableKey(ctx, operator, k.ID)
			ok(t, err)
		}
	}
}

func TestSecretsAreSealedAtRest(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	k, secret, err := b.CreateKey(ctx, operator, "")
	ok(t, err)
	b.read(t, func(rd store.Reader) error {
		stored, err := rd.Key(k.ID)
		if err != nil {
			return err
		}
		if len(stored.Sealed) == 0 || bytes.Contains(stored.Sealed, []byte(secret)) {
			t.Errorf("the store sees the secret of %s", k.ID)
		}
		return nil
	})
}

// Another process on the same database is believed for five seconds at most,
// by the wall clock: the engine clock may stand still.
func TestSecretsOfAnotherProcessExpire(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	k, _, err := b.CreateKey(ctx, operator, "")
	ok(t, err)
	_, err = b.Secret(ctx, k.ID)
	ok(t, err)
	other := registry.New(b.config)
	_, err = other.DisableKey(ctx, operator, k.ID, true)
	ok(t, err)
	b.wall.advance(5*time.Second - time.Millisecond)
	_, err = b.Secret(ctx, k.ID)
	ok(t, err)
	b.wall.advance(time.Millisecond)
	_, err = b.Secret(ctx, k.ID)
	refused(t, err, apierr.UnknownKey)
}

// reads counts the reads of a store, and calls after once one has been done.
type reads struct {
	store.Store
	n     atomic.Int64
	after func()
}

func (s *reads) View(ctx context.Context, fn func(store.Reader) error) error {
	s.n.Add(1)
	err := s.Store.View(ctx, fn)
	if s.after != nil {
		s.after()
	}
	return err
}

func TestSecretsAreRemembered(t *testing.T) {
	t.Parallel()
	var counted *reads
	b := setup(t, func(c *registry.Config) {
		counted = &reads{Store: c.Store}
		c.Store = counted
	})
	ctx := t.Context()
	k, _, err := b.CreateKey(ctx, operator, "")
	ok(t, err)
	for range 1000 {
		_, err = b.Secret(ctx, k.ID)
		ok(t, err)
	}
	if got := counted.n.Load(); got != 1 {
		t.Errorf("got %d reads for 1,000 requests, want 1", got)
	}
}

// A key that is disabled between the read of its secret and its being remembered
// is not remembered.
func TestSecretReadBeforeADisableIsNotRemembered(t *testing.T) {
	t.Parallel()
	var slow *reads
	b := setup(t, func(c *registry.Config) {
		slow = &reads{Store: c.Store}
		c.Store = slow
	})
	ctx := t.Context()
	k, _, err := b.CreateKey(ctx, operator, "")
	ok(t, err)
	slow.after = func() {
		slow.after = nil
		_, err := b.DisableKey(ctx, operator, k.ID, true)
		ok(t, err)
	}
	_, err = b.Secret(ctx, k.ID)
	ok(t, err) // this request was under way
	_, err = b.Secret(ctx, k.ID)
	refused(t, err, apierr.UnknownKey)
}

func TestOneOfManyMakesTheFirstKey(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	var made atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			k, secret, mine, err := b.CreateFirstKey(ctx, operator, "first")
			if err != nil || mine != (secret != "") || mine != (k.ID != "") {
				t.Errorf("got %+v, a secret: %t, made: %t, %v", k, secret != "", mine, err)
			}
			if mine {
				made.Add(1)
			}
		})
	}
	wg.Wait()
	keys, err := b.ListKeys(ctx, operator)
	ok(t, err)
	if made.Load() != 1 || len(keys) != 1 {
		t.Errorf("%d were made, %d are there, want one", made.Load(), len(keys))
	}
}

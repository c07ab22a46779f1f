package sigv4_test

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"muster/internal/apierr"
	"muster/internal/auth/sigv4"
)

func TestSecretChanges(t *testing.T) {
	t.Parallel()
	current := "first"
	cfg := config()
	cfg.Secret = func(context.Context, string) (string, error) { return current, nil }
	v := newVerifier(t, cfg)
	first, second := call{secret: "first"}.signed(t), call{secret: "second"}.signed(t)
	for range 2 {
		if _, err := authenticate(t, v, first); err != nil {
			t.Fatal(err)
		}
	}
	current = "second"
	_, err := authenticate(t, v, first)
	checkRefused(t, err, apierr.InvalidSignature, msgMismatch)
	if _, err := authenticate(t, v, second); err != nil {
		t.Error(err)
	}
	if got := v.CachedKeys(); got != 1 {
		t.Errorf("got %d cached keys, want 1: the new one replaces the old one", got)
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.AnyRegion = true
	v := newVerifier(t, cfg)
	if _, err := authenticate(t, v, call{secret: "forged"}.signed(t)); err == nil {
		t.Fatal("a forged request was accepted")
	}
	if got := v.CachedKeys(); got != 0 {
		t.Fatalf("a forged request left %d keys in the cache", got)
	}
	var signer sigv4.Signer
	for i := range sigv4.MaxKeys + 10 {
		r := call{}.orDefault().outgoing(t)
		region := "region-" + strconv.Itoa(i)
		if err := signer.Sign(r, nil, sigv4.Credentials{KeyID: keyID, Secret: secret}, region, "iot", t0); err != nil {
			t.Fatal(err)
		}
		if _, err := authenticate(t, v, parse(t, wireForm(t, r))); err != nil {
			t.Fatal(err)
		}
	}
	if got := v.CachedKeys(); got != sigv4.MaxKeys {
		t.Errorf("got %d cached keys, want %d", got, sigv4.MaxKeys)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, config())
	requests := []call{{}, {service: "iotdata"}, {target: "/jobs"}}
	var wg sync.WaitGroup
	for i := range 8 {
		r := requests[i%len(requests)].signed(t)
		wg.Go(func() {
			for range 50 {
				if _, err := v.Authenticate(r, nil); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

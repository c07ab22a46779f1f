package httpapi_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/engine"
	"muster/internal/httpapi"
	"muster/internal/job"
	"muster/internal/registry"
	"muster/internal/store"
	"muster/internal/store/sqlite"

	"github.com/prometheus/client_golang/prometheus"
)

// t0 is the fixed test time: 2023-11-14T22:13:20.123Z.
const t0 = 1_700_000_000_123

const account = "123456789012"

// world is the whole API over a real store, on a clock that stands still.
type world struct {
	setup
	t        testing.TB
	store    store.Store
	engine   *engine.Engine
	registry *registry.Registry
	sweep    engine.Loop
	clock    atomic.Int64 // milliseconds since the epoch
	held     *atomic.Bool

	token, key string            // the last ones told
	names      *strings.Replacer // of them
}

// newWorld returns a world; tune changes what it is made of.
func newWorld(t testing.TB, tune ...func(*engine.Config, *registry.Config)) *world {
	t.Helper()
	w := &world{t: t, held: new(atomic.Bool), names: strings.NewReplacer()}
	w.clock.Store(t0)
	db, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	w.store = holding{db, w.held}
	uids := new(job.UIDs)
	now := func() time.Time { return time.UnixMilli(w.clock.Load()) }
	sealer, err := auth.NewSealer(make([]byte, auth.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	ec := engine.Config{
		Store: w.store, UIDs: uids, Account: account, Clock: engine.Clock{Now: now, Wait: engine.WallClock().Wait},
	}
	rc := registry.Config{
		Store: w.store, UIDs: uids, Now: now, Sealer: sealer, Account: account, Endpoint: "iot.example.com",
		DeleteTypeWait: 5 * time.Minute, Changed: func(parts ...int) { w.engine.Kick(parts...) },
	}
	for _, f := range tune {
		f(&ec, &rc)
	}
	w.engine, err = engine.New(t.Context(), ec)
	if err != nil {
		t.Fatal(err)
	}
	w.registry = registry.New(rc)
	sweep := w.registry.GroupSweep()
	w.sweep = engine.Loop{Name: "groups", Next: sweep.Next, Once: sweep.Once}
	w.setup = setup{log: new(bytes.Buffer), reg: prometheus.NewRegistry()}
	w.Server = httptest.NewServer(w.api(byHeader{}))
	t.Cleanup(func() {
		w.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// api returns the API with an authenticator; tune changes its configuration.
func (w *world) api(a auth.Authenticator, tune ...func(*httpapi.Config)) *httpapi.API {
	w.t.Helper()
	c := httpapi.Config{Engine: w.engine, Registry: w.registry, Auth: a, Log: slog.New(slog.DiscardHandler)}
	for _, f := range tune {
		f(&c)
	}
	api, err := httpapi.New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return api
}

// holding is a store whose loops fail while they are held.
type holding struct {
	store.Store
	held *atomic.Bool
}

func (h holding) UpdatePart(ctx context.Context, part int, fence int64, fn func(store.Tx) error) error {
	if h.held.Load() {
		return apierr.New(apierr.Unavailable, "held")
	}
	return h.Store.UpdatePart(ctx, part, fence, fn)
}

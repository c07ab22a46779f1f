package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"muster/internal/auth/sigv4"
	"muster/internal/client"
	"muster/internal/pgtest"
	"muster/internal/wire"
	"muster/test/internal/harness"
)

// TestNodesStartAtOnce starts three nodes at once on an empty database, with no
// master key yet: one of them makes everything, and they are one cluster.
func TestNodesStartAtOnce(t *testing.T) {
	if harness.OnPostgres() {
		t.Skip("has its turn when the others are on SQLite")
	}
	for range 4 {
		t.Run("", func(t *testing.T) {
			database, keys := pgtest.URL(t), filepath.Join(t.TempDir(), "master.key")
			c := &cluster{nodes: make([]*gateway, 3), out: make([]bool, 3)}
			errs := make([]error, 3)
			var wg sync.WaitGroup
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			for i := range c.nodes {
				c.nodes[i] = new(gateway)
				cfg := harness.Config{
					Data: t.TempDir(), Args: []string{"--cluster", "127.0.0.1:0", "--master-key-file", keys},
					Env: []string{"MUSTER_STORE=" + database},
				}
				wg.Go(func() { c.nodes[i].Server, errs[i] = harness.Start(ctx, program, cfg) })
			}
			wg.Wait()
			check(t, "start", errors.Join(errs...))
			defer func() {
				for _, g := range c.nodes {
					check(t, "stop", errors.Join(g.Stop(ctx), g.Discard()))
				}
			}()
			c.shared(t, takeover)
			var credentials []sigv4.Credentials
			for _, g := range c.nodes {
				if found, err := g.Credentials(); err == nil {
					credentials = append(credentials, found)
				}
			}
			if len(credentials) != 1 {
				t.Fatalf("%d nodes have made a first access key", len(credentials))
			}
			for i, g := range c.nodes {
				own, err := client.New(client.Config{Endpoint: g.URL(), Region: harness.Region, Credentials: credentials[0], Attempts: 1})
				check(t, "client", err)
				t.Cleanup(own.CloseIdleConnections)
				_, err = own.CreateThing(ctx, &wire.CreateThingRequest{ThingName: fmt.Sprint("thing-", i)})
				check(t, fmt.Sprint("create thing on node ", i), err)
			}
		})
	}
}

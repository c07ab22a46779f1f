package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"muster/internal/client"
	"muster/internal/pgtest"
	"muster/test/internal/harness"
)

// patience is how long a client waits for an answer.
const patience = 15 * time.Second

// takeover bounds how long parts may be nobody's: the lease of five seconds, the
// ten after which the database ends a statement that a node which hangs has sent
// by half, with its locks, and what a busy machine adds.
const takeover = 20 * time.Second

// cluster is several servers that share a database. A relay stands between each
// of them and the database.
type cluster struct {
	keys     string // the file of the master key
	database string // URL
	relays   []*harness.Relay
	configs  []harness.Config
	nodes    []*gateway // guarded by mu while there is traffic
	out      []bool     // nodes that clients know to avoid; guarded by mu
	mu       sync.Mutex
}

// newCluster starts nodes on an empty database. with, if not nil, may change
// their settings.
func newCluster(t *testing.T, nodes int, database string, with func(i int, c *harness.Config)) *cluster {
	t.Helper()
	if harness.OnPostgres() {
		t.Skip("has its turn when the others are on SQLite")
	}
	c := &cluster{keys: filepath.Join(t.TempDir(), "master.key"), database: database, nodes: make([]*gateway, nodes), out: make([]bool, nodes)}
	u, err := url.Parse(database)
	check(t, "address of the database", err)
	for i := range nodes {
		c.relays = append(c.relays, harness.NewRelay(t, u.Host))
		cfg := harness.Config{
			Data: t.TempDir(), Args: []string{"--cluster", "127.0.0.1:0", "--master-key-file", c.keys},
			Env: []string{"MUSTER_STORE=" + through(u, c.relays[i])},
		}
		if with != nil {
			with(i, &cfg)
		}
		c.configs = append(c.configs, cfg)
	}
	for i := range nodes {
		c.serve(t, i)
	}
	c.shared(t, takeover)
	return c
}

// through returns the address of a database behind a relay.
func through(u *url.URL, r *harness.Relay) string {
	relayed := *u
	relayed.Host = r.Addr()
	return relayed.String()
}

// durable returns the address of an empty database that keeps what it has acknowledged.
func durable(t *testing.T) string {
	t.Helper()
	if harness.OnPostgres() {
		t.Skip("has its turn when the others are on SQLite")
	}
	return pgtest.Start(t).URL(t)
}

// serve starts a node, on the folder that it has had before.
func (c *cluster) serve(t *testing.T, i int) {
	t.Helper()
	g := new(gateway)
	g.Server = harness.Serve(t, program, c.configs[i])
	g.listeners(t)
	credentials, err := g.Credentials()
	if err != nil { // the first node has them
		credentials, err = c.nodes[0].Credentials()
	}
	check(t, "credentials", err)
	g.own, err = client.New(client.Config{
		Endpoint: g.URL(), Region: harness.Region, Credentials: credentials, Attempts: 1, Timeout: patience,
	})
	check(t, "client", err)
	t.Cleanup(g.own.CloseIdleConnections)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[i], c.out[i] = g, false
}

// node returns a node as it is now.
func (c *cluster) node(i int) *gateway {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[i%len(c.nodes)]
}

// near returns node i, or the next one that clients do not avoid.
func (c *cluster) near(i int) *gateway {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := range c.nodes {
		if n = (i + n) % len(c.nodes); !c.out[n] {
			return c.nodes[n]
		}
	}
	return c.nodes[i%len(c.nodes)]
}

// avoid says that clients know that a node is out, or back.
func (c *cluster) avoid(i int, out bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out[i] = out
}

// shared waits until the nodes that are not out share all parts evenly, and
// returns how long that took.
func (c *cluster) shared(t *testing.T, within time.Duration) time.Duration {
	t.Helper()
	start := time.Now()
	harness.Wait(t, within, "parts to be shared evenly", func(ctx context.Context) error {
		var parts []int
		sum, least, most := 0, 1<<20, 0
		for i, g := range c.nodes {
			if c.out[i] {
				continue
			}
			n, err := gauge(ctx, g.Server, "muster_cluster_parts")
			if err != nil {
				return err
			}
			parts = append(parts, n)
			sum, least, most = sum+n, min(least, n), max(most, n)
		}
		if sum != 64 || most-least > 1 {
			return fmt.Errorf("nodes have %v parts", parts)
		}
		return nil
	})
	return time.Since(start)
}

// gauge returns a number that a server tells of itself.
func gauge(ctx context.Context, s *harness.Server, name string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	status, body, err := s.Get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(`(?m)^` + name + ` (\d+)$`).FindStringSubmatch(body)
	if status != http.StatusOK || m == nil {
		return 0, fmt.Errorf("no %s: status %d", name, status)
	}
	return strconv.Atoi(m[1])
}

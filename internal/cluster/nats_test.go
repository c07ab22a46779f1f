package cluster_test

import (
	"log/slog"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"muster/internal/cluster"
)

var secret = []byte("a secret of the nodes")

func openNATS(t *testing.T, cfg cluster.NATSConfig) *cluster.NATS {
	t.Helper()
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	b, err := cluster.OpenNATS(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// openEmbedded opens the buses of three nodes that are connected. change, if not
// nil, changes the settings of each.
func openEmbedded(t *testing.T, change func(i int, cfg *cluster.NATSConfig)) [3]*cluster.NATS {
	t.Helper()
	var b [3]*cluster.NATS
	for i := range b {
		cfg := cluster.NATSConfig{Name: "three", Listen: "127.0.0.1:0", Secret: secret}
		if change != nil {
			change(i, &cfg)
		}
		b[i] = openNATS(t, cfg)
	}
	connect(t, b[:]...)
	return b
}

// connect tells nodes of each other and waits until they are connected.
func connect(t *testing.T, all ...*cluster.NATS) {
	t.Helper()
	var addresses []string
	for _, b := range all {
		addresses = append(addresses, b.Address())
	}
	for _, b := range all {
		if err := b.SetPeers(addresses); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range all {
		eventually(t, b.Healthy)
	}
}

func buses(bs [3]*cluster.NATS) (all [3]cluster.Bus) {
	for i, b := range bs {
		all[i] = b
	}
	return all
}

// startNATS starts a server that is not ours.
func startNATS(t *testing.T, o server.Options) *server.Server {
	t.Helper()
	o.Host, o.NoSigs, o.NoLog = "127.0.0.1", true, true
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	s, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	return s
}

func openExternal(t *testing.T) (all [3]cluster.Bus) {
	s := startNATS(t, server.Options{Username: "u", Password: "p"})
	url := "nats://u:p@" + s.Addr().String()
	for i := range all {
		all[i] = openNATS(t, cluster.NATSConfig{Name: "ours", URL: url})
	}
	return all
}

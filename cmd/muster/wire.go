package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"muster/internal/auth/sigv4"
	"muster/internal/config"
	"muster/internal/engine"
	"muster/internal/httpapi"
	"muster/internal/job"
	"muster/internal/mqttapi"
	"muster/internal/registry"
)

// newServer builds everything that a server consists of, once, from the inside
// out: folder, engine and registry, API. Nothing runs yet. The listener belongs
// to the server; if this fails, it is closed like all that was opened.
func newServer(ctx context.Context, c config.Config, l net.Listener, log *slog.Logger) (*server, error) {
	metrics, storeMetrics := newRegistry()
	f, err := openFolder(ctx, c, log, storeMetrics, false)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s := &server{cfg: c, folder: f, listener: l, log: log}
	s.members, err = join(ctx, c, f, log)
	if err != nil {
		return nil, errors.Join(err, l.Close(), f.Close())
	}
	s.devices, err = openDevices(ctx, c, s.members.now())
	if err != nil {
		return nil, errors.Join(err, l.Close(), s.members.close(), f.Close())
	}
	if err := s.build(ctx, metrics); err != nil {
		return nil, errors.Join(err, l.Close(), s.devices.closeListeners(), s.members.close(), f.Close())
	}
	return s, nil
}

// build makes what answers requests, from the open folder and listener.
func (s *server) build(ctx context.Context, metrics *prometheus.Registry) error {
	uids := new(job.UIDs)
	publisher, err := mqttapi.NewPublisher(mqttapi.PublisherConfig{
		Broker: s.devices, Inspector: s.devices.inspector, Log: s.log, Metrics: metrics,
	})
	if err != nil {
		return err
	}
	c := engine.Config{
		Store: s.folder.store, UIDs: uids, Account: s.cfg.Account, StrictTerminal: s.cfg.StrictTerminal, Log: s.log,
		Publisher: publisher,
	}
	s.members.configure(&c, s.devices)
	s.engine, err = engine.New(ctx, c)
	if err != nil {
		return err
	}
	s.members.follow(s.engine, uids)
	metrics.MustRegister(s.members.metrics()...)
	metrics.MustRegister(loopFailures(s.engine.LoopFailures), newEngineMetrics(s.engine, s.folder.store))
	r := registry.New(registry.Config{
		Store: s.folder.store, UIDs: uids, Now: s.engine.Now, Sealer: s.folder.sealer, Account: s.cfg.Account,
		Endpoint: s.cfg.Endpoint, DeleteTypeWait: s.cfg.DeleteThingTypeWait,
		Changed: s.engine.Kick, Log: s.log,
	})
	s.loops = s.members.led(r.GroupSweep())
	if s.newKey, err = ensureKey(ctx, r, s.cfg.Data); err != nil {
		return err
	}
	if s.members != nil {
		err = s.folder.checkShared(ctx, s.cfg.MasterKeyFile)
		if err != nil {
			return err
		}
	}
	s.devices.verifier, err = s.verifierOf(r)
	if err != nil {
		return err
	}
	if s.members != nil {
		s.devices.active = whileLeader(s.members.node)
	}
	err = s.devices.build(ctx, s, s.engine, metrics)
	if err == nil {
		err = s.members.serve(s.engine)
	}
	if err != nil {
		return err
	}
	said := messages{s.devices.inspector, s.members, s.log}
	err = said.serve()
	if err != nil {
		return err
	}
	api, err := httpapi.New(httpapi.Config{
		Engine: s.engine, Registry: r, Auth: s.devices.verifier, Messages: said.list,
		Metrics: metrics, BodyLimit: s.cfg.BodyLimit, Log: s.log,
	})
	if err != nil {
		return err
	}
	if !s.cfg.Metrics {
		metrics = nil
	}
	s.http = &http.Server{
		Handler:           withOps(api, s.folder.store, &s.stopping, metrics, s.devices.webSocket()),
		ReadHeaderTimeout: s.cfg.ReadHeaderTimeout,
		ReadTimeout:       max(readTimeout, s.cfg.ReadHeaderTimeout),
		WriteTimeout:      writeTimeout,
		IdleTimeout:       s.cfg.IdleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	return nil
}

// verifierOf returns what checks the signatures of requests.
func (s *server) verifierOf(r *registry.Registry) (*sigv4.Verifier, error) {
	return sigv4.NewVerifier(sigv4.Config{
		Secret: r.Secret, Region: s.cfg.Region, AnyRegion: s.cfg.AnyRegion, Account: s.cfg.Account,
		Host: s.cfg.SignedHost, UnsignedPayload: isLoopback(s.listener.Addr()), Skew: s.cfg.SkewWindow,
	})
}

// isLoopback reports whether only this machine reaches an address.
func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

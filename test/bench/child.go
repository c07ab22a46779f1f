package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/pprof"

	"github.com/prometheus/client_golang/prometheus"

	"muster/internal/auth"
	"muster/internal/auth/sigv4"
	"muster/internal/engine"
	"muster/internal/httpapi"
	"muster/internal/job"
	"muster/internal/registry"
	"muster/internal/store/sqlite"
)

// childVariable makes this program serve instead of measure. It holds childOptions.
const childVariable = "MUSTER_BENCH_CHILD"

const account = "123456789012"

// childOptions say what a child serves. The key is made for this run alone.
type childOptions struct {
	Serve         string // one of the constants below
	KeyID, Secret string // over HTTP
	Dir           string // of the store
	TLS           string // over MQTT: folder of an authority; empty for none
	Profile       string // file for a CPU profile; empty for none
}

// What a child serves.
const (
	serveHandler  = "bare signed handler"
	serveAPI      = "Muster's API over HTTP, on a store"
	serveEndpoint = "bare MQTT endpoint"
	serveDevices  = "Muster's jobs API over MQTT, on a store"
	serveAccepts  = "bare connections"
)

// String returns the options in the form that child reads.
func (o childOptions) String() string {
	b, err := json.Marshal(o)
	if err != nil {
		return ""
	}
	return string(b)
}

// child serves until its standard input is closed.
func child(ctx context.Context, options string) (err error) {
	var o childOptions
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return err
	}
	switch o.Serve {
	case serveEndpoint, serveDevices:
		return mqttChild(ctx, o)
	case serveAccepts:
		return acceptChild(ctx, o)
	}
	v, err := sigv4.NewVerifier(sigv4.Config{
		Secret: func(context.Context, string) (string, error) { return o.Secret, nil }, Region: region, Account: account,
	})
	if err != nil {
		return err
	}
	var handler http.Handler = bareHandler{v}
	if o.Serve == serveAPI {
		api, done, err := openAPI(ctx, o.Dir, v)
		if err != nil {
			return err
		}
		handler = api
		defer func() { err = errors.Join(err, done()) }()
	}
	return serveUntilEOF(ctx, handler, o.Profile)
}

func serveUntilEOF(ctx context.Context, h http.Handler, profile string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, IdleTimeout: patience,
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	fmt.Println(l.Addr())
	stop, err := startProfile(profile)
	if err != nil {
		return err
	}
	err = answerUntilEOF(os.Stdin, os.Stdout)
	err = errors.Join(err, stop(), s.Close())
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// startProfile profiles the CPU into a file until the function that it returns
// is called; not if file is empty.
func startProfile(file string) (stop func() error, err error) {
	if file == "" {
		return func() error { return nil }, nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// bareHandler is what no server of signed JSON requests can go without: read,
// verify, decode, encode, answer.
type bareHandler struct{ auth auth.Authenticator }

// ServeHTTP answers one update with nothing done.
func (h bareHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		_, err = h.auth.Authenticate(r, body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	var in struct {
		Status          string            `json:"status"`
		StatusDetails   map[string]string `json:"statusDetails"`
		ExpectedVersion *int64            `json:"expectedVersion"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out, err := json.Marshal(struct {
		ExecutionState *struct{} `json:"executionState,omitempty"`
	}{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(out) // the loader sees what is missing
}

// openAPI returns the API on the store in dir, put together as cmd/muster does
// but for the log and the devices, and how to close it.
func openAPI(ctx context.Context, dir string, v auth.Authenticator) (http.Handler, func() error, error) {
	s, err := sqlite.Open(ctx, sqlite.Config{Dir: dir})
	if err != nil {
		return nil, nil, err
	}
	uids := new(job.UIDs)
	e, err := engine.New(ctx, engine.Config{Store: s, UIDs: uids, Account: account, Publisher: new(counter)})
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	r := registry.New(registry.Config{Store: s, UIDs: uids, Now: e.Now, Account: account, Changed: e.Kick})
	api, err := httpapi.New(httpapi.Config{Engine: e, Registry: r, Auth: v, Metrics: prometheus.NewRegistry()})
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	ran := make(chan error, 1)
	go func() { ran <- e.Run(ctx) }()
	return api, func() error {
		cancel()
		return errors.Join(<-ran, s.Close())
	}, nil
}

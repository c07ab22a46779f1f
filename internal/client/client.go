// Package client is the HTTP client of Muster's own commands and simulated
// devices. It speaks the same API as the AWS clients, signed in the same way,
// and sees of a server no more than they do.
//
// Methods are named after their operations and take and return the structs of
// package wire. Operations that have no method of their own go through Call.
package client

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"muster/internal/auth/sigv4"
	"muster/internal/wire"
)

// The services that requests are signed for.
const (
	control = "iot"           // of operators
	device  = "iot-jobs-data" // of devices
)

// Config says which server to talk to, and as whom. Endpoint, Region and
// Credentials are required.
type Config struct {
	// Endpoint is the URL of the server, such as http://127.0.0.1:8080. It may
	// have a path, below which the API lies.
	Endpoint string
	// Region is the region that requests are signed for.
	Region string
	// Credentials are the access key that requests are signed with.
	Credentials sigv4.Credentials
	// Attempts is how often a request is sent at most; 0 means 4. See Do for
	// what is sent again.
	Attempts int
	// Timeout is how long one attempt may take; 0 means 30 seconds.
	Timeout time.Duration
	// Transport carries the requests; nil means one of its own, with enough idle
	// connections for a simulated fleet.
	Transport http.RoundTripper
	// Now is the clock of the signatures; nil means time.Now.
	Now func() time.Time
}

// Client sends signed requests. It is safe for concurrent use.
type Client struct {
	endpoint    string // without a slash at the end
	region      string
	credentials sigv4.Credentials
	attempts    int
	timeout     time.Duration
	now         func() time.Time
	http        *http.Client
	signer      sigv4.Signer
	operations  map[operationKey]wire.Operation
}

// operationKey names an operation: names alone are not unique.
type operationKey struct{ service, name string }

// New returns a client. It fails if the endpoint is not a URL, or if region or
// credentials are missing; it does not connect.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("client: endpoint %q: must be a URL such as http://127.0.0.1:8080", c.Endpoint)
	}
	if c.Region == "" {
		return nil, errors.New("client: no region")
	}
	if c.Credentials.KeyID == "" || c.Credentials.Secret == "" {
		return nil, errors.New("client: no credentials")
	}
	client := &Client{
		endpoint:    strings.TrimRight(c.Endpoint, "/"),
		region:      c.Region,
		credentials: c.Credentials,
		attempts:    cmp.Or(c.Attempts, 4),
		timeout:     cmp.Or(c.Timeout, 30*time.Second),
		now:         c.Now,
		http: &http.Client{
			Transport: c.Transport,
			// A signature is for one address; following would only get it refused there.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		operations: make(map[operationKey]wire.Operation),
	}
	if client.now == nil {
		client.now = time.Now
	}
	if client.http.Transport == nil {
		client.http.Transport = newTransport()
	}
	for _, op := range wire.Operations() {
		client.operations[operationKey{op.Service, op.Name}] = op
	}
	return client, nil
}

// newTransport returns the standard transport with room for many devices that
// talk to one host.
func newTransport() http.RoundTripper {
	standard, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport // somebody has wrapped it, and will know why
	}
	t := standard.Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, 1024
	return t
}

// CloseIdleConnections gives up the connections that no request is using.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

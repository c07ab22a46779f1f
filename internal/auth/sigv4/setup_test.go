package sigv4_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/auth/sigv4"
)

const (
	keyID   = "AKIAZZZZZZZZ22222222"
	secret  = "not-a-secret/used+in-tests-of-sigv4-only"
	account = "123456789012"
)

var t0 = time.Date(2025, 1, 1, 0, 11, 0, 0, time.UTC)

// config accepts keyID in us-east-1 at t0.
func config() sigv4.Config {
	return sigv4.Config{
		Secret: func(_ context.Context, id string) (string, error) {
			if id != keyID {
				return "", apierr.New(apierr.UnknownKey, "access key %s does not exist", id)
			}
			return secret, nil
		},
		Region:  "us-east-1",
		Account: account,
		Now:     func() time.Time { return t0 },
	}
}

func newVerifier(t testing.TB, cfg sigv4.Config) *sigv4.Verifier {
	t.Helper()
	v, err := sigv4.NewVerifier(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// call is a request to sign with the official signer. Empty fields have the
// defaults of orDefault.
type call struct {
	method, target, body          string
	header                        http.Header
	keyID, secret, token          string
	region, service, payload      string
	at                            time.Time
	expires                       string // presigned form only
	singleEncoding, tokenUnsigned bool
}

func (c call) orDefault() call {
	c.method = cmp.Or(c.method, http.MethodPost)
	c.target = cmp.Or(c.target, "/things/t1/jobs/$next")
	c.keyID, c.secret = cmp.Or(c.keyID, keyID), cmp.Or(c.secret, secret)
	c.region, c.service = cmp.Or(c.region, "us-east-1"), cmp.Or(c.service, "iot")
	c.payload = cmp.Or(c.payload, hash(c.body))
	if c.at.IsZero() {
		c.at = t0
	}
	return c
}

func hash(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// outgoing returns the request without a signature.
func (c call) outgoing(t testing.TB) *http.Request {
	t.Helper()
	r, err := http.NewRequest(c.method, "http://127.0.0.1:8080"+c.target, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range c.header {
		r.Header[name] = values
	}
	return r
}

func (c call) credentials() aws.Credentials {
	return aws.Credentials{AccessKeyID: c.keyID, SecretAccessKey: c.secret, SessionToken: c.token}
}

func (c call) options(o *v4.SignerOptions) {
	o.DisableURIPathEscaping = c.singleEncoding
	o.DisableSessionToken = c.tokenUnsigned
}

// signed returns the request as a server reads it, signed in its header.
func (c call) signed(t testing.TB) *http.Request {
	t.Helper()
	return parse(t, c.signedWire(t))
}

// presigned returns the request as a server reads it, signed in its query.
func (c call) presigned(t testing.TB) *http.Request {
	t.Helper()
	return parse(t, c.presignedWire(t))
}

func (c call) signedWire(t testing.TB) string {
	t.Helper()
	c = c.orDefault()
	r := c.outgoing(t)
	err := v4.NewSigner().SignHTTP(t.Context(), c.credentials(), r, c.payload, c.service, c.region, c.at, c.options)
	if err != nil {
		t.Fatal(err)
	}
	return wireForm(t, r)
}

func (c call) presignedWire(t testing.TB) string {
	t.Helper()
	c = c.orDefault()
	r := c.outgoing(t)
	if c.expires != "" {
		q := r.URL.Query()
		q.Set("X-Amz-Expires", c.expires)
		r.URL.RawQuery = q.Encode()
	}
	signedURL, header, err := v4.NewSigner().PresignHTTP(t.Context(), c.credentials(), r, c.payload, c.service, c.region, c.at, c.options)
	if err != nil {
		t.Fatal(err)
	}
	if c.tokenUnsigned {
		signedURL += "&X-Amz-Security-Token=" + url.QueryEscape(c.token)
	}
	out, err := http.NewRequest(c.method, signedURL, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	out.Header = header
	return wireForm(t, out)
}

// wireForm returns what a client sends for r.
func wireForm(t testing.TB, r *http.Request) string {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	return wire.String()
}

// parse returns what a server makes of a request.
func parse(t testing.TB, wire string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
	if err != nil {
		t.Fatalf("request does not parse: %v\n%s", err, wire)
	}
	return r
}

// authenticate reads the body and asks v.
func authenticate(t testing.TB, v *sigv4.Verifier, r *http.Request) (auth.Principal, error) {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return v.Authenticate(r, body)
}

// signText is a signer of its own for canonical requests that no client makes.
func signText(secret, stamp, region, service, canonical string) string {
	scope := stamp[:8] + "/" + region + "/" + service + "/aws4_request"
	key := []byte("AWS4" + secret)
	for _, part := range append(strings.Split(scope, "/"), "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+hash(canonical)) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return hex.EncodeToString(key)
}

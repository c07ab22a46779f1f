package sigv4_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"pgregory.net/rapid"

	"muster/internal/auth/sigv4"
)

var credentials = sigv4.Credentials{KeyID: keyID, Secret: secret}

func TestOwnSignaturesVerify(t *testing.T) {
	t.Parallel()
	v := anyRegionVerifier(t)
	var signer sigv4.Signer
	rapid.Check(t, func(rt *rapid.T) {
		c := calls.Draw(rt, "call").orDefault()
		r := c.outgoing(t)
		if err := signer.Sign(r, []byte(c.body), credentials, c.region, c.service, c.at); err != nil {
			rt.Fatal(err)
		}
		r = parse(t, wireForm(t, r))
		checkAccepted(rt, t, v, r, c)
		name := rapid.SampledFrom(mutationNames).Draw(rt, "mutation")
		right := r.Header.Get("Authorization")
		if mutations[name](rt, r) {
			checkMutant(rt, t, v, r, right[len(right)-64:])
		}
	})
}

func TestSignReplacesAnOldSignature(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, config())
	var signer sigv4.Signer
	c := call{header: http.Header{"Content-Type": {"application/json"}}}.orDefault()
	r := c.outgoing(t)
	withToken := credentials
	withToken.Token = "token"
	for _, creds := range []sigv4.Credentials{withToken, credentials} {
		if err := signer.Sign(r, nil, creds, c.region, c.service, t0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := authenticate(t, v, parse(t, wireForm(t, r))); err != nil {
		t.Error(err)
	}
	want := "SignedHeaders=content-type;host;x-amz-date,"
	if got := r.Header.Get("Authorization"); !strings.Contains(got, want) {
		t.Errorf("got %s, want it to contain %s", got, want)
	}
}

// TestSignWithToken compares with the official signer: no verifier here takes a
// session token, but another server may.
func TestSignWithToken(t *testing.T) {
	t.Parallel()
	c := call{keyID: "ASIAZZZZZZZZ22222222", token: "session/token+1=="}.orDefault()
	want := c.signed(t).Header.Get("Authorization")
	r := c.outgoing(t)
	creds := sigv4.Credentials{KeyID: c.keyID, Secret: c.secret, Token: c.token}
	if err := new(sigv4.Signer).Sign(r, nil, creds, c.region, c.service, c.at); err != nil {
		t.Fatal(err)
	}
	if got := r.Header.Get("Authorization"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := r.Header.Get("X-Amz-Security-Token"); got != c.token {
		t.Errorf("got token %q, want %q", got, c.token)
	}
}

func TestSignFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		creds  sigv4.Credentials
		change func(*http.Request)
		want   string
	}{
		{"no credentials", sigv4.Credentials{KeyID: keyID}, func(*http.Request) {}, "sigv4: no credentials to sign with"},
		{"no host", credentials, func(r *http.Request) { r.Host, r.URL.Host = "", "" }, "sigv4: request has no host"},
		{"a malformed query", credentials, func(r *http.Request) { r.URL.RawQuery = "a=%" }, "sigv4: query has a malformed escape"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var signer sigv4.Signer
			r := call{}.orDefault().outgoing(t)
			tt.change(r)
			err := signer.Sign(r, nil, tt.creds, "us-east-1", "iot", t0)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestCredentialsDoNotPrintTheSecret(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := credentials
	c.Token = "the-token"
	fmt.Fprintf(&out, "%v %+v %#v %s", c, c, c, c)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("", "credentials", c)
	slog.New(slog.NewTextHandler(&out, nil)).Info("", "credentials", c)
	if s := out.String(); strings.Contains(s, secret) || strings.Contains(s, "the-token") {
		t.Errorf("the secret is printed: %s", s)
	}
}

// TestLoopback sends signed requests through a real client and server, whose
// libraries are the ones that might touch the path.
func TestLoopback(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Now = nil
	v := newVerifier(t, cfg)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = v.Authenticate(r, body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
		}
	}))
	t.Cleanup(server.Close)

	var own sigv4.Signer
	official := v4.NewSigner()
	signers := map[string]func(r *http.Request, body string) error{
		"own": func(r *http.Request, body string) error {
			return own.Sign(r, []byte(body), credentials, "us-east-1", "iot", time.Now())
		},
		"official": func(r *http.Request, body string) error {
			c := call{}.orDefault()
			return official.SignHTTP(t.Context(), c.credentials(), r, hash(body), "iot", "us-east-1", time.Now())
		},
	}
	targets := []string{
		"", "/", "/things/t1/jobs/$next", "/things/t%3A1_a-b/jobs/%24next?includeJobDocument=true", "/attached-policies/arn%3Aaws%3Aiot%3Aus-east-1%3Acert%2Fabc",
		"/topics/a%2Fb%20c/%C3%A9", "//a//b/", "/a/./b/../c", "/jobs?a=1&a=&b&c=%20%2B&%C3%A9=/", "/jobs?",
	}
	for name, sign := range signers {
		for _, target := range targets {
			for _, body := range []string{"", `{"a":1}`} {
				t.Run(name+" "+target+" "+body, func(t *testing.T) {
					t.Parallel()
					r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+target, strings.NewReader(body))
					if err != nil {
						t.Fatal(err)
					}
					if err := sign(r, body); err != nil {
						t.Fatal(err)
					}
					answer, err := server.Client().Do(r)
					if err != nil {
						t.Fatal(err)
					}
					text, err := io.ReadAll(answer.Body)
					if err != nil {
						t.Fatal(err)
					}
					if err := answer.Body.Close(); err != nil {
						t.Fatal(err)
					}
					if answer.StatusCode != http.StatusOK {
						t.Errorf("%s: %s", answer.Status, text)
					}
				})
			}
		}
	}
}

package sigv4_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/auth/sigv4"
)

var _ auth.Authenticator = (*sigv4.Verifier)(nil)

const (
	msgMismatch = "The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	msgUnknownKey = "The security token included in the request is invalid."
	msgForm       = "Authorization header must have the form: AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=..."
	msgHeaders    = "SignedHeaders must be lower-case header names, sorted, without repeats, separated by semicolons."
	msgDate       = "Date must be in ISO-8601 'basic format', such as 20060102T150405Z."
)

func TestPrincipal(t *testing.T) {
	t.Parallel()
	anyRegion := config()
	anyRegion.AnyRegion = true
	tests := []struct {
		name string
		cfg  sigv4.Config
		call call
		want auth.Principal
	}{
		{"control plane", config(), call{}, auth.Principal{Kind: auth.AccessKey, ID: keyID, Account: account, Region: "us-east-1", Service: "iot"}},
		{"data plane", config(), call{service: "iot-jobs-data"}, auth.Principal{Kind: auth.AccessKey, ID: keyID, Account: account, Region: "us-east-1", Service: "iot-jobs-data"}},
		{"any region is served under its name", anyRegion, call{region: "eu-west-1"}, auth.Principal{Kind: auth.AccessKey, ID: keyID, Account: account, Region: "eu-west-1", Service: "iot"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := newVerifier(t, tt.cfg)
			for _, r := range []*http.Request{tt.call.signed(t), tt.call.presigned(t)} {
				got, err := authenticate(t, v, r)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// setAuthorization replaces old in the Authorization header.
func setAuthorization(old, replacement string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, replacement, 1))
	}
}

func setHeader(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[name] = values }
}

func TestHeaderFormRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		call    call
		change  func(*http.Request) // after signing; may be nil
		kind    apierr.Kind
		message string
	}{
		{"no credentials", call{}, func(r *http.Request) { r.Header.Del("Authorization") },
			apierr.MissingToken, "Missing Authentication Token"},

		{"another scheme", call{}, setHeader("Authorization", "Basic dTpw"),
			apierr.IncompleteSignature, "Unsupported AWS 'algorithm': only AWS4-HMAC-SHA256 is accepted."},
		{"another algorithm", call{}, setAuthorization("HMAC-SHA256", "HMAC-SHA512"),
			apierr.IncompleteSignature, "Unsupported AWS 'algorithm': only AWS4-HMAC-SHA256 is accepted."},
		{"an algorithm that begins like ours", call{}, setAuthorization("SHA256", "SHA256-PAYLOAD"),
			apierr.IncompleteSignature, "Unsupported AWS 'algorithm': only AWS4-HMAC-SHA256 is accepted."},
		{"nothing but the algorithm", call{}, setHeader("Authorization", "AWS4-HMAC-SHA256"),
			apierr.IncompleteSignature, "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter."},
		{"no signature", call{}, setAuthorization(", Signature=", ", "),
			apierr.IncompleteSignature, msgForm},
		{"an empty signature", call{}, setHeader("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature="),
			apierr.IncompleteSignature, "Authorization header requires 'Signature' parameter."},
		{"a part given twice", call{}, setAuthorization("SignedHeaders=", "SignedHeaders=host, SignedHeaders="),
			apierr.IncompleteSignature, msgForm},
		{"an unknown part", call{}, setAuthorization("SignedHeaders=", "Extra=1, SignedHeaders="),
			apierr.IncompleteSignature, msgForm},
		{"two Authorization headers", call{}, setHeader("Authorization", "AWS4-HMAC-SHA256 a", "AWS4-HMAC-SHA256 b"),
			apierr.IncompleteSignature, "Authorization header must be given once."},
		{"both forms at once", call{}, func(r *http.Request) { r.URL.RawQuery = "X-Amz-Signature=1" },
			apierr.IncompleteSignature, "Only one of the Authorization header and the X-Amz-Algorithm query parameters may be given."},
		{"a credential of four parts", call{}, setAuthorization("/us-east-1", ""),
			apierr.IncompleteSignature, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."},
		{"a credential of six parts", call{}, setAuthorization("/us-east-1", "/us-east-1/x"),
			apierr.IncompleteSignature, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."},
		{"a credential without a key", call{}, setAuthorization(keyID, ""),
			apierr.IncompleteSignature, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."},
		{"signed headers in upper case", call{}, setAuthorization("=host", "=Host"),
			apierr.IncompleteSignature, msgHeaders},
		{"signed headers out of order", call{}, setAuthorization("host;x-amz-date", "x-amz-date;host"),
			apierr.IncompleteSignature, msgHeaders},
		{"signed headers repeated", call{}, setAuthorization("host;x-amz-date", "host;host;x-amz-date"),
			apierr.IncompleteSignature, msgHeaders},
		{"an empty signed header", call{}, setAuthorization("host;x-amz-date", ";host;x-amz-date"),
			apierr.IncompleteSignature, msgHeaders},
		{"no date at all", call{}, func(r *http.Request) { r.Header.Del("X-Amz-Date") },
			apierr.IncompleteSignature, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."},
		{"a date in another form", call{}, setHeader("X-Amz-Date", "2025-01-01T00:11:00Z"), apierr.IncompleteSignature, msgDate},
		{"a date with a fraction", call{}, setHeader("X-Amz-Date", "20250101T001100.5Z"), apierr.IncompleteSignature, msgDate},
		{"a date that does not exist", call{}, setHeader("X-Amz-Date", "20251301T001100Z"), apierr.IncompleteSignature, msgDate},
		{"two dates", call{}, setHeader("X-Amz-Date", "20250101T001100Z", "20250101T001100Z"),
			apierr.IncompleteSignature, "X-Amz-Date header must be given once."},
		{"two body hashes", call{}, setHeader("X-Amz-Content-Sha256", "a", "b"),
			apierr.IncompleteSignature, "X-Amz-Content-Sha256 header must be given once."},

		{"an unknown key", call{keyID: "AKIAZZZZZZZZ33333333"}, nil, apierr.UnknownKey, msgUnknownKey},
		{"a key id with strange characters", call{keyID: "AKIA\u00e9"}, nil, apierr.UnknownKey, msgUnknownKey},
		{"a key id that is too long", call{keyID: strings.Repeat("A", 129)}, nil, apierr.UnknownKey, msgUnknownKey},
		{"a temporary key, as there are no sessions", call{keyID: "ASIAZZZZZZZZ22222222", token: "t"}, nil, apierr.UnknownKey, msgUnknownKey},
		{"a temporary key without a token", call{keyID: "ASIAZZZZZZZZ22222222"}, nil, apierr.UnknownKey, msgUnknownKey},
		{"a lasting key with a token", call{token: "t"}, nil, apierr.UnknownKey, msgUnknownKey},

		{"another service", call{service: "s3"}, nil, apierr.InvalidSignature, "Credential should be scoped to correct service: 'iot'."},
		{"another region", call{region: "eu-west-1"}, nil, apierr.InvalidSignature, "Credential should be scoped to a valid region, not 'eu-west-1'."},
		{"a region that is none", call{region: "a:b"}, nil, apierr.InvalidSignature, "Credential should be scoped to a valid region."},
		{"an empty region", call{}, setAuthorization("us-east-1", ""), apierr.InvalidSignature, "Credential should be scoped to a valid region."},
		{"another terminator", call{}, setAuthorization("aws4_request", "aws5_request"),
			apierr.InvalidSignature, "Credential should be scoped with a valid terminator: 'aws4_request'."},
		{"a scope of another day", call{}, setAuthorization("/20250101/", "/20250102/"),
			apierr.InvalidSignature, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP."},
		{"signed too long ago", call{at: t0.Add(-11 * time.Minute)}, nil,
			apierr.InvalidSignature, "Signature expired: 20250101T000000Z is now earlier than 20250101T000600Z (20250101T001100Z - 5 min.)"},
		{"signed in the future", call{at: t0.Add(6 * time.Minute)}, nil,
			apierr.InvalidSignature, "Signature not yet current: 20250101T001700Z is still later than 20250101T001600Z (20250101T001100Z + 5 min.)"},
		{"host not signed", call{}, setAuthorization("host;", ""),
			apierr.InvalidSignature, "'Host' must be a 'SignedHeader' in the AWS Authorization."},

		{"another secret", call{secret: "x"}, nil, apierr.InvalidSignature, msgMismatch},
		{"another host", call{}, func(r *http.Request) { r.Host = "example.com" }, apierr.InvalidSignature, msgMismatch},
		{"no host", call{}, func(r *http.Request) { r.Host = "" }, apierr.InvalidSignature, msgMismatch},
		{"another method", call{}, func(r *http.Request) { r.Method = http.MethodPut }, apierr.InvalidSignature, msgMismatch},
		{"a signed header is gone", call{header: http.Header{"X-Amz-Meta": {""}}}, func(r *http.Request) { r.Header.Del("X-Amz-Meta") },
			apierr.InvalidSignature, msgMismatch},
		{"a body hash that is not of the body", call{header: http.Header{"X-Amz-Content-Sha256": {hash("x")}}, payload: hash("x")}, nil,
			apierr.InvalidSignature, msgMismatch},
		{"a body that is not the signed one", call{payload: hash("x")}, nil, apierr.InvalidSignature, msgMismatch},
		{"a malformed query", call{}, func(r *http.Request) { r.URL.RawQuery = "a=%zz" }, apierr.InvalidSignature, msgMismatch},
		{"a shorter signature", call{}, func(r *http.Request) {
			a := r.Header.Get("Authorization")
			r.Header.Set("Authorization", a[:len(a)-1])
		}, apierr.InvalidSignature, msgMismatch},
		{"a body that is not signed, without TLS", call{header: http.Header{"X-Amz-Content-Sha256": {"UNSIGNED-PAYLOAD"}}, payload: "UNSIGNED-PAYLOAD"}, nil,
			apierr.InvalidSignature, "UNSIGNED-PAYLOAD is only accepted over TLS."},
		{"chunked signing", call{header: http.Header{"X-Amz-Content-Sha256": {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}}, payload: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}, nil,
			apierr.InvalidSignature, msgMismatch},
	}
	v := newVerifier(t, config())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := tt.call.signed(t)
			if tt.change != nil {
				tt.change(r)
			}
			_, err := authenticate(t, v, r)
			checkRefused(t, err, tt.kind, tt.message)
		})
	}
}

func checkRefused(t *testing.T, err error, kind apierr.Kind, message string) {
	t.Helper()
	e, ok := errors.AsType[*apierr.Error](err)
	if !ok {
		t.Fatalf("got error %v, want an *apierr.Error", err)
	}
	if e.Kind != kind || e.Message != message {
		t.Errorf("got  %v: %s\nwant %v: %s", e.Kind, e.Message, kind, message)
	}
}

func TestHeaderFormAccepted(t *testing.T) {
	t.Parallel()
	behindProxy := config()
	behindProxy.Host = "127.0.0.1:8080"
	pastProxy := config()
	pastProxy.Host = "iot.example.com"
	wide := config()
	wide.Skew = sigv4.MaxSkew
	unsigned := config()
	unsigned.UnsignedPayload = true
	tests := []struct {
		name   string
		cfg    sigv4.Config
		call   call
		change func(*http.Request)
	}{
		{"at the end of the skew window", config(), call{at: t0.Add(-5 * time.Minute)}, nil},
		{"at the start of the skew window", config(), call{at: t0.Add(5 * time.Minute)}, nil},
		{"a wider window", wide, call{at: t0.Add(-15 * time.Minute)}, nil},
		{"midnight between signing and arrival", withNow(config(), t0.Add(-11*time.Minute)), call{at: t0.Add(-12 * time.Minute)}, nil},
		{"commas without spaces", config(), call{}, func(r *http.Request) {
			r.Header.Set("Authorization", strings.ReplaceAll(r.Header.Get("Authorization"), ", ", ","))
		}},
		{"parts in another order", config(), call{}, func(r *http.Request) {
			rest := strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
			parts := strings.Split(rest, ", ")
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 "+parts[2]+", "+parts[1]+", "+parts[0])
		}},
		{"a host that a proxy has rewritten", behindProxy, call{}, func(r *http.Request) { r.Host = "backend:1" }},
		{"a host that came past the proxy", pastProxy, call{}, nil},
		{"white space in a header changes", config(), call{header: http.Header{"X-A": {"a  b"}}}, setHeader("X-A", " \ta   b  ")},
		{"a header split in two", config(), call{header: http.Header{"X-A": {"a,b"}}}, setHeader("X-A", "a", "b")},
		{"a header that is not signed", config(), call{}, setHeader("X-Forwarded-For", "10.0.0.1")},
		{"another spelling of the query", config(), call{target: "/jobs?a=x+y&%62=%2f&c"}, func(r *http.Request) { r.URL.RawQuery = "&c=&b=%2F&&a=x%20y" }},
		{"a request in absolute form", config(), call{}, func(r *http.Request) { r.RequestURI = "http://elsewhere" + r.RequestURI }},
		{"a path rewritten by the surface", config(), call{}, func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/rewritten", "" }},
		{"a path encoded only once", config(), call{target: "/things/t%3A1/jobs/%24next", singleEncoding: true}, nil},
		{"a path as on the wire", config(), call{target: "/things/t:1/jobs/$next", singleEncoding: true}, nil},
		{"a path signed in its encoded form", config(), call{target: "/things/t%3A1/jobs/%24next", singleEncoding: true}, func(r *http.Request) {
			r.RequestURI = "/things/t%3A1/jobs/$next"
		}},
		{"a body hash in its header", config(), call{body: "{}", header: http.Header{"X-Amz-Content-Sha256": {hash("{}")}}}, nil},
		{"a body that is not signed, over TLS", config(), call{body: "{}", header: http.Header{"X-Amz-Content-Sha256": {"UNSIGNED-PAYLOAD"}}, payload: "UNSIGNED-PAYLOAD"},
			func(r *http.Request) { r.TLS = &tls.ConnectionState{} }},
		{"a body that is not signed, where configured", unsigned, call{body: "{}", header: http.Header{"X-Amz-Content-Sha256": {"UNSIGNED-PAYLOAD"}}, payload: "UNSIGNED-PAYLOAD"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := tt.call.signed(t)
			if tt.change != nil {
				tt.change(r)
			}
			if _, err := authenticate(t, newVerifier(t, tt.cfg), r); err != nil {
				t.Error(err)
			}
		})
	}
}

func withNow(cfg sigv4.Config, now time.Time) sigv4.Config {
	cfg.Now = func() time.Time { return now }
	return cfg
}

// Some clients send Date alone; the signature then covers its ISO form.
func TestDateHeader(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, config())
	for _, date := range []string{"Wed, 01 Jan 2025 00:11:00 GMT", "20250101T001100Z"} {
		const stamp = "20250101T001100Z"
		canonical := "GET\n/\n\ndate:" + date + "\nhost:h\n\ndate;host\n" + hash("")
		signature := signText(secret, stamp, "us-east-1", "iot", canonical)
		r := parse(t, "GET / HTTP/1.1\nHost: h\nDate: "+date+"\nAuthorization: AWS4-HMAC-SHA256 Credential="+keyID+
			"/20250101/us-east-1/iot/aws4_request, SignedHeaders=date;host, Signature="+signature+"\n\n")
		if _, err := authenticate(t, v, r); err != nil {
			t.Errorf("Date %q: %v", date, err)
		}
		r.Header.Set("X-Amz-Date", "20250101T001101Z") // takes precedence
		_, err := authenticate(t, v, r)
		checkRefused(t, err, apierr.InvalidSignature, msgMismatch)
	}
}

func TestSecretFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		secret  string
		err     error
		kind    apierr.Kind
		message string
	}{
		{"a disabled key looks like a missing one", "", apierr.New(apierr.UnknownKey, "access key is disabled"), apierr.UnknownKey, msgUnknownKey},
		{"a passing fault stays one", "", apierr.New(apierr.Unavailable, "disk is full"), apierr.Unavailable, "disk is full"},
		{"any other error is a fault of the server", "", errors.New("row 7 is damaged"), apierr.Internal, "look up access key"},
		{"an empty secret verifies nothing", "", nil, apierr.Internal, "look up access key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := config()
			cfg.Secret = func(context.Context, string) (string, error) { return tt.secret, tt.err }
			_, err := authenticate(t, newVerifier(t, cfg), call{secret: "x"}.signed(t))
			checkRefused(t, err, tt.kind, tt.message)
			if tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("%v does not wrap %v", err, tt.err)
			}
		})
	}
}

func TestNewVerifierReportsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := sigv4.NewVerifier(sigv4.Config{Region: "US", Account: "1", Skew: time.Hour})
	want := `sigv4: no source of secrets
sigv4: region "US": must be 1 to 32 characters of a-z, 0-9 and -
sigv4: account "1": must be 12 digits
sigv4: skew 1h0m0s: must be from 0 to 15m0s`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestSkewThatIsNotWholeMinutes(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Skew = 90 * time.Second
	_, err := authenticate(t, newVerifier(t, cfg), call{at: t0.Add(-2 * time.Minute)}.signed(t))
	checkRefused(t, err, apierr.InvalidSignature,
		"Signature expired: 20250101T000900Z is now earlier than 20250101T000930Z (20250101T001100Z - 1m30s.)")
}

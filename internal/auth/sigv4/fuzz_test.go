package sigv4_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"muster/internal/apierr"
	"muster/internal/auth"
)

// Nothing that a fuzzer makes up can be signed with the right secret, so
// whatever comes in must be refused, in a proper way.

// FuzzParseAuthorization varies the Authorization header of a request that is
// good otherwise.
func FuzzParseAuthorization(f *testing.F) {
	good := call{secret: "forged"}.signed(f).Header.Get("Authorization")
	for _, seed := range []string{
		"", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 ", "Basic dTpw", good, strings.ReplaceAll(good, ", ", ","), good + ",", good + ", Signature=x",
		strings.Replace(good, "host;", "", 1), strings.Replace(good, "/us-east-1/", "//", 1), strings.Replace(good, "=", "", 1), good[:len(good)-1],
	} {
		f.Add(seed)
	}
	v := newVerifier(f, config())
	f.Fuzz(func(t *testing.T, authorization string) {
		r := parse(t, "GET /jobs HTTP/1.1\nHost: h\nX-Amz-Date: 20250101T001100Z\n\n")
		r.Header["Authorization"] = []string{authorization}
		p, err := v.Authenticate(r, nil)
		checkFuzzed(t, p, err)
	})
}

// FuzzVerify varies everything that is on the wire.
func FuzzVerify(f *testing.F) {
	for _, c := range []call{
		{secret: "forged"},
		{secret: "forged", target: "/things/t%3A1/../jobs/$next?b=1&a=%20&a", body: "{}", header: http.Header{"X-A": {" a  b", "c"}}},
		{secret: "forged", target: "/mqtt", service: "iotdevicegateway", expires: "86400"},
	} {
		f.Add(c.signedWire(f))
		f.Add(c.presignedWire(f))
	}
	v := newVerifier(f, config())
	f.Fuzz(func(t *testing.T, wire string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
		if err != nil {
			return
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		if err != nil {
			return
		}
		p, err := v.Authenticate(r, body)
		checkFuzzed(t, p, err)
	})
}

func checkFuzzed(t *testing.T, p auth.Principal, err error) {
	t.Helper()
	if err == nil || p != (auth.Principal{}) {
		t.Fatalf("accepted as %+v, error %v", p, err)
	}
	e, ok := errors.AsType[*apierr.Error](err)
	switch {
	case !ok:
		t.Fatalf("error %v is not an *apierr.Error", err)
	case e.Kind == apierr.Internal, e.Kind == apierr.ExpiredToken, e.Message == "":
		t.Fatalf("refused as %v: %q", e.Kind, e.Message)
	case strings.Contains(err.Error(), secret):
		t.Fatalf("the error holds the secret: %v", err)
	}
}

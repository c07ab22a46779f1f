package sigv4_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/auth/sigv4"
)

// Requests are drawn at random, signed by the official signer, sent through
// their wire form, and then changed in one place.

var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch}

// segments are path segments as they are on the wire, among them all the odd
// ones that clients send.
var segments = rapid.OneOf(
	rapid.SampledFrom([]string{
		"things", "jobs", "t1", "$next", "%24next", "t%3A1_a-b", "t:1", "a%2Fb", "arn%3Aaws%3Aiot%3Aus-east-1",
		"%C3%A9", "%20", "%25", "%252F", "a+b", "a=b", "a;b", "a,b", "~", "@", "&", "!*'()", "%7E", "%3f", "", ".", "..", "...",
	}),
	rapid.Map(rapid.StringN(1, 8, -1), url.PathEscape),
)

var paths = rapid.Map(rapid.SliceOfN(segments, 0, 5), func(s []string) string { return "/" + strings.Join(s, "/") })

// queryTexts are keys and values before they are encoded.
var queryTexts = rapid.OneOf(
	rapid.SampledFrom([]string{"a", "b", "maxResults", "250", "", " ", "+", "%", "&", "=", "/", "a-b", "a/b", "\u1234", "true"}),
	rapid.StringN(0, 6, -1),
)

var queries = rapid.Custom(func(t *rapid.T) string {
	pairs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
		key, value := url.QueryEscape(queryTexts.Draw(t, "key")), url.QueryEscape(queryTexts.Draw(t, "value"))
		if value == "" && rapid.Bool().Draw(t, "bare") {
			return key
		}
		return key + "=" + value
	}), 0, 4).Draw(t, "pairs")
	return strings.Join(pairs, "&")
})

var headers = rapid.Custom(func(t *rapid.T) http.Header {
	h := http.Header{}
	names := rapid.SampledFrom([]string{"Accept", "Amz-Sdk-Request", "Content-Type", "Cookie", "X-A", "X-Amz-Meta-A", "X-Amz-User-Agent"})
	for _, name := range rapid.SliceOfNDistinct(names, 0, 4, rapid.ID[string]).Draw(t, "names") {
		h[name] = rapid.SliceOfN(rapid.StringMatching(`[ -~]{0,12}( {1,3}[!-~é]{1,4}){0,2}`), 1, 2).Draw(t, "values")
	}
	return h
})

var calls = rapid.Custom(func(t *rapid.T) call {
	target := paths.Draw(t, "path")
	if q := queries.Draw(t, "query"); q != "" {
		target += "?" + q
	}
	return call{
		method:  rapid.SampledFrom(methods).Draw(t, "method"),
		target:  target,
		header:  headers.Draw(t, "header"),
		body:    rapid.OneOf(rapid.Just(""), rapid.String()).Draw(t, "body"),
		region:  rapid.SampledFrom([]string{"us-east-1", "eu-central-1", "local"}).Draw(t, "region"),
		service: rapid.SampledFrom(auth.Services()).Draw(t, "service"),
		at:      t0.Add(time.Duration(rapid.IntRange(-290, 290).Draw(t, "seconds")) * time.Second),
	}
})

func anyRegionVerifier(t testing.TB) *sigv4.Verifier {
	cfg := config()
	cfg.AnyRegion = true
	return newVerifier(t, cfg)
}

func TestOfficialHeaderSignaturesVerify(t *testing.T) {
	t.Parallel()
	v := anyRegionVerifier(t)
	rapid.Check(t, func(rt *rapid.T) {
		c := calls.Draw(rt, "call")
		r := c.signed(t)
		checkAccepted(rt, t, v, r, c)
		name := rapid.SampledFrom(mutationNames).Draw(rt, "mutation")
		right := r.Header.Get("Authorization")
		if mutations[name](rt, r) {
			checkMutant(rt, t, v, r, right[len(right)-64:])
		}
	})
}

func TestOfficialQuerySignaturesVerify(t *testing.T) {
	t.Parallel()
	v := anyRegionVerifier(t)
	rapid.Check(t, func(rt *rapid.T) {
		c := calls.Draw(rt, "call")
		c.expires = rapid.SampledFrom([]string{"", "301", "604800"}).Draw(rt, "expires")
		r := c.presigned(t)
		checkAccepted(rt, t, v, r, c)
		name := rapid.SampledFrom(mutationNames).Draw(rt, "mutation")
		right := r.URL.Query().Get("X-Amz-Signature")
		if mutations[name](rt, r) {
			checkMutant(rt, t, v, r, right)
		}
	})
}

func checkAccepted(rt *rapid.T, t *testing.T, v *sigv4.Verifier, r *http.Request, c call) {
	got, err := authenticate(t, v, r)
	if err != nil {
		rt.Fatalf("%s %s: %v", r.Method, r.RequestURI, err)
	}
	want := auth.Principal{Kind: auth.AccessKey, ID: keyID, Account: account, Region: c.region, Service: c.service}
	if got != want {
		rt.Fatalf("got %+v, want %+v", got, want)
	}
}

// checkMutant wants a refusal that gives nothing away.
func checkMutant(rt *rapid.T, t *testing.T, v *sigv4.Verifier, r *http.Request, right string) {
	got, err := authenticate(t, v, r)
	switch {
	case err == nil:
		rt.Fatalf("%s %s was accepted", r.Method, r.RequestURI)
	case got != auth.Principal{}:
		rt.Fatalf("refused, but with the principal %+v", got)
	case apierr.KindOf(err) != apierr.InvalidSignature && apierr.KindOf(err) != apierr.IncompleteSignature && apierr.KindOf(err) != apierr.UnknownKey:
		rt.Fatalf("refused as %v: %v", apierr.KindOf(err), err)
	case strings.Contains(err.Error(), secret), strings.Contains(err.Error(), right):
		rt.Fatalf("the error gives a secret away: %v", err)
	}
}

// TestSignatureCoversResolvedPath tries every short path against every other:
// two that have a spelling in common must name the same resource.
func TestSignatureCoversResolvedPath(t *testing.T) {
	t.Parallel()
	tokens := []string{"/", "a", "$", ":", "%24", "%2524", "%25", "%2F", "%2f", "%252F", ".", "..", "%2e", "é", "%C3%A9"}
	owner := map[string]string{} // spelling to the first path that has it
	var try func(path string, depth int)
	try = func(path string, depth int) {
		for s := range sigv4.PathSpellings(path) {
			other, ok := owner[s]
			if !ok {
				owner[s] = path
			} else if !slices.Equal(resolve(t, path), resolve(t, other)) {
				t.Errorf("a signature for %q verifies for %q", other, path)
			}
		}
		if depth > 0 {
			for _, token := range tokens {
				try(path+token, depth-1)
			}
		}
	}
	try("/", 4)
}

// resolve returns the decoded segments that path names.
func resolve(t *testing.T, path string) []string {
	var out []string
	for _, seg := range strings.Split(path, "/") {
		s, err := url.PathUnescape(seg)
		if err != nil {
			t.Fatal(err)
		}
		switch s {
		case "", ".":
		case "..":
			out = out[:max(0, len(out)-1)]
		default:
			out = append(out, s)
		}
	}
	return out
}

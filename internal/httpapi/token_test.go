package httpapi_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"muster/internal/apierr"
	"muster/internal/httpapi"

	"pgregory.net/rapid"
)

func TestTokensAreInverseAndBound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"ListJobs", "ListThings"})
		filter := rapid.SampledFrom([]string{"", "a", "b", "ab"})
		listing := func(which string) [3]string {
			return [3]string{name.Draw(t, which), filter.Draw(t, which+" 1"), filter.Draw(t, which+" 2")}
		}
		mine, other := listing("mine"), listing("other")
		position := rapid.StringN(1, 40, 200).Draw(t, "position")

		token := httpapi.Token(position, mine[0], mine[1], mine[2])
		got, err := httpapi.Position(token, other[0], other[1], other[2])
		switch {
		case mine == other && (err != nil || got != position):
			t.Fatalf("got %q, %v, want %q", got, err, position)
		case mine != other && !apierr.Is(err, apierr.Invalid):
			t.Fatalf("a token of %v is good for %v: %q", mine, other, got)
		}
	})
}

func TestForgedTokensAreRefused(t *testing.T) {
	t.Parallel()
	good, err := base64.RawURLEncoding.DecodeString(httpapi.Token("1.2.3", "ListJobs"))
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	version := append([]byte{good[0] + 1}, good[1:]...)
	tests := []struct{ name, token string }{
		{"another version", encode(version)},
		{"nothing behind the head", encode(good[:9])},
		{"cut off in the head", encode(good[:5])},
		{"the position alone", encode([]byte("1.2.3"))},
		{"not base64", "***"},
		{"padded", base64.URLEncoding.EncodeToString(good)},
		{"spare bits set", strings.TrimSuffix(encode(good), "M") + "N"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, err := httpapi.Position(tt.token, "ListJobs"); !apierr.Is(err, apierr.Invalid) {
				t.Errorf("got %q, %v, want it refused", got, err)
			}
		})
	}
	if httpapi.Token("", "ListJobs") != "" {
		t.Error("the end of a list has a token")
	}
	if got, err := httpapi.Position("", "ListJobs"); got != "" || err != nil {
		t.Errorf("got %q, %v, want the beginning without a token", got, err)
	}
}

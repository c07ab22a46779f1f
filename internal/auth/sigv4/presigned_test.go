package sigv4_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"muster/internal/apierr"
)

// setParam changes the query of a received request; an empty value removes.
func setParam(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		q := r.URL.Query()
		q.Set(name, value)
		if value == "" {
			q.Del(name)
		}
		r.URL.RawQuery = q.Encode()
	}
}

func TestQueryFormRefused(t *testing.T) {
	t.Parallel()
	mqtt := call{method: http.MethodGet, target: "/mqtt", service: "iotdevicegateway"}
	old := mqtt
	old.at = t0.Add(-time.Hour)
	expired := old
	expired.expires = "3599"
	future := mqtt
	future.at, future.expires = t0.Add(301*time.Second), "3600"
	stranger := mqtt
	stranger.keyID = "AKIAZZZZZZZZ33333333"
	token := mqtt
	token.token = "t"
	appended := token
	appended.tokenUnsigned = true
	const expires = "X-Amz-Expires must be a number of seconds from 1 to 604800."
	tests := []struct {
		name    string
		call    call
		change  func(*http.Request)
		kind    apierr.Kind
		message string
	}{
		{"no credentials", mqtt, func(r *http.Request) { r.URL.RawQuery = "X-Amz-Date=20250101T001100Z" }, apierr.MissingToken, "Missing Authentication Token"},
		{"no algorithm", mqtt, setParam("X-Amz-Algorithm", ""), apierr.IncompleteSignature, "AWS query-string parameters must include 'X-Amz-Algorithm'."},
		{"another algorithm", mqtt, setParam("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256"), apierr.IncompleteSignature, "Unsupported AWS 'algorithm': only AWS4-HMAC-SHA256 is accepted."},
		{"no credential", mqtt, setParam("X-Amz-Credential", ""), apierr.IncompleteSignature, "AWS query-string parameters must include 'X-Amz-Credential'."},
		{"no signature", mqtt, setParam("X-Amz-Signature", ""), apierr.IncompleteSignature, "AWS query-string parameters must include 'X-Amz-Signature'."},
		{"no signed headers", mqtt, setParam("X-Amz-SignedHeaders", ""), apierr.IncompleteSignature, "AWS query-string parameters must include 'X-Amz-SignedHeaders'."},
		{"no date", mqtt, setParam("X-Amz-Date", ""), apierr.IncompleteSignature, msgDate},
		{"a malformed credential", mqtt, setParam("X-Amz-Credential", "a/b"), apierr.IncompleteSignature, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."},
		{"a signature given twice", mqtt, func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Signature=1" }, apierr.IncompleteSignature, "X-Amz-Signature query parameter must be given once."},
		{"a date given twice", mqtt, func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Date=1" }, apierr.IncompleteSignature, "X-Amz-Date query parameter must be given once."},
		{"two body hashes", mqtt, setHeader("X-Amz-Content-Sha256", "a", "b"), apierr.IncompleteSignature, "X-Amz-Content-Sha256 header must be given once."},
		{"host not signed", mqtt, setParam("X-Amz-SignedHeaders", "x-a"), apierr.InvalidSignature, "'Host' must be a 'SignedHeader' in the AWS Authorization."},
		{"never expires", mqtt, setParam("X-Amz-Expires", "0"), apierr.IncompleteSignature, expires},
		{"expires too late", mqtt, setParam("X-Amz-Expires", "604801"), apierr.IncompleteSignature, expires},
		{"expires at no number", mqtt, setParam("X-Amz-Expires", "1h"), apierr.IncompleteSignature, expires},
		{"expires before it was signed", mqtt, setParam("X-Amz-Expires", "-1"), apierr.IncompleteSignature, expires},
		{"an unknown key", stranger, nil, apierr.UnknownKey, msgUnknownKey},
		{"a lasting key with a token", token, nil, apierr.UnknownKey, msgUnknownKey},
		{"a lasting key with a token that is not signed", appended, nil, apierr.UnknownKey, msgUnknownKey},
		{"old, without an expiry", old, nil, apierr.InvalidSignature,
			"Signature expired: 20241231T231100Z is now earlier than 20250101T000600Z (20250101T001100Z - 5 min.)"},
		{"expired", expired, nil, apierr.InvalidSignature,
			"Signature expired: 20250101T001059Z is now earlier than 20250101T001100Z"},
		{"signed in the future", future, nil, apierr.InvalidSignature,
			"Signature not yet current: 20250101T001601Z is still later than 20250101T001600Z (20250101T001100Z + 5 min.)"},
		{"a longer expiry than was signed", expired, setParam("X-Amz-Expires", "604800"), apierr.InvalidSignature, msgMismatch},
		{"a parameter more", mqtt, setParam("a", "b"), apierr.InvalidSignature, msgMismatch},
		{"another path", mqtt, func(r *http.Request) { r.RequestURI = "/other" }, apierr.InvalidSignature, msgMismatch},
		{"a body where none was signed", mqtt, setHeader("X-Amz-Content-Sha256", hash("x")), apierr.InvalidSignature, msgMismatch},
		{"a body hash that stops covering the body", mqtt, setHeader("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"), apierr.InvalidSignature, "UNSIGNED-PAYLOAD is only accepted over TLS."},
	}
	v := newVerifier(t, config())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := tt.call.presigned(t)
			if tt.change != nil {
				tt.change(r)
			}
			_, err := authenticate(t, v, r)
			checkRefused(t, err, tt.kind, tt.message)
		})
	}
}

func TestQueryFormAccepted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		call call
	}{
		{"without an expiry, inside the skew window", call{at: t0.Add(-5 * time.Minute)}},
		{"until it expires", call{at: t0.Add(-time.Hour), expires: "3600"}},
		{"for a week", call{at: t0.Add(-7 * 24 * time.Hour), expires: "604800"}},
		{"from a signer whose clock is ahead", call{at: t0.Add(5 * time.Minute), expires: "1"}},
		{"a body hash in its header", call{body: "{}", header: http.Header{"X-Amz-Content-Sha256": {hash("{}")}}}},
		{"a request for a WebSocket", call{method: http.MethodGet, target: "/mqtt", service: "iotdevicegateway", expires: "86400",
			header: http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}}}},
	}
	v := newVerifier(t, config())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := authenticate(t, v, tt.call.presigned(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

// The JavaScript signers move the hash of the body into the query.
func TestBodyHashInQuery(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, config())
	c := call{body: "{}", target: "/jobs/j?X-Amz-Content-Sha256=" + hash("{}")}
	if _, err := authenticate(t, v, c.presigned(t)); err != nil {
		t.Error(err)
	}
	c.body, c.payload = "{ }", hash("{}")
	_, err := authenticate(t, v, c.presigned(t))
	checkRefused(t, err, apierr.InvalidSignature, msgMismatch)
}

// Code that always appends the token appends nothing for a lasting key.
func TestEmptyTokenAppended(t *testing.T) {
	t.Parallel()
	r := call{method: http.MethodGet, target: "/mqtt", service: "iotdevicegateway"}.presigned(t)
	r.URL.RawQuery += "&X-Amz-Security-Token=" + url.QueryEscape("")
	if _, err := authenticate(t, newVerifier(t, config()), r); err != nil {
		t.Error(err)
	}
}

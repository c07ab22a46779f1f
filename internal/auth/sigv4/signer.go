package sigv4

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// Credentials are an access key to sign with. They print as their key id alone.
type Credentials struct {
	KeyID  string
	Secret string
	// Token is the session token of a temporary key, else empty.
	Token string
}

// String returns the key id.
func (c Credentials) String() string { return "access key " + c.KeyID }

// GoString returns the key id.
func (c Credentials) GoString() string { return c.String() }

// LogValue returns the key id.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Signer signs outgoing requests. The zero value is ready; it is safe for
// concurrent use, and worth sharing because it remembers derived keys.
type Signer struct {
	keys keyCache
}

// Sign signs r, whose body will be body, for service in region at time now. It
// sets the headers X-Amz-Date, X-Amz-Security-Token (if there is a token) and
// Authorization, in place of any there. The signature covers those, the host,
// the Content-Type (if set), method, path, query and body, which must not be
// changed afterwards; other headers may.
//
// It fails if the request has no host or its query has a malformed escape, or if
// the credentials are empty.
func (s *Signer) Sign(r *http.Request, body []byte, c Credentials, region, service string, now time.Time) error {
	if c.KeyID == "" || c.Secret == "" {
		return errors.New("sigv4: no credentials to sign with")
	}
	host := cmp.Or(r.Host, r.URL.Host)
	if host == "" {
		return errors.New("sigv4: request has no host")
	}
	query, ok := parseQuery(r.URL.RawQuery)
	if !ok {
		return errors.New("sigv4: query has a malformed escape")
	}
	stamp := formatStamp(now)
	signed := setHeaders(r.Header, stamp, c.Token)
	headers, _ := appendHeaders(nil, r, host, signed) // all of them are there
	sum := sha256.Sum256(body)
	text := canonical{
		method: cmp.Or(r.Method, http.MethodGet), query: query, headers: headers, signed: signed,
		payload: hex.EncodeToString(sum[:]),
	}.appendTo(nil, standardSpelling(wirePath(r)))

	sc := scope{keyID: c.KeyID, date: stamp[:dateLength], region: region, service: service}
	key, cached := s.keys.get(c.Secret, sc)
	if !cached {
		s.keys.put(c.Secret, sc, key)
	}
	scopeText := strings.Join([]string{sc.date, region, service, terminator}, "/")
	r.Header.Set("Authorization", algorithm+" Credential="+c.KeyID+"/"+scopeText+
		", SignedHeaders="+signed+", Signature="+string(key.sign(stamp, scopeText, text)))
	return nil
}

// setHeaders sets the headers that are part of the signature and returns the
// names of all that are signed.
func setHeaders(h http.Header, stamp, token string) string {
	h.Set(nameDate, stamp)
	signed := "host;x-amz-date"
	if len(h.Values("Content-Type")) > 0 {
		signed = "content-type;" + signed
	}
	h.Del(nameSecurityToken)
	if token != "" {
		h.Set(nameSecurityToken, token)
		signed += ";x-amz-security-token"
	}
	return signed
}

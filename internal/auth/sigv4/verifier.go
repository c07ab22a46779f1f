package sigv4

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"muster/internal/apierr"
	"muster/internal/auth"
)

// Verifier authenticates requests by their signature. It is an
// auth.Authenticator and safe for concurrent use.
type Verifier struct {
	cfg  Config
	keys keyCache
}

// NewVerifier returns a Verifier, or every fault of cfg.
func NewVerifier(cfg Config) (*Verifier, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.Services = slices.Clone(cfg.Services)
	return &Verifier{cfg: cfg}, nil
}

// Authenticate verifies the signature of r, whose body has been read into body,
// and returns the access key that made it. The cheap checks come first: form,
// scope and time need no secret.
//
// The error's chain always holds an *apierr.Error, of kind MissingToken (not
// signed), IncompleteSignature (malformed), UnknownKey (access key or session
// token), InvalidSignature (everything else), or what Config.Secret returned:
// Internal if that is not an *apierr.Error.
func (v *Verifier) Authenticate(r *http.Request, body []byte) (auth.Principal, error) {
	s, err := parse(r)
	if err != nil {
		return auth.Principal{}, err
	}
	if err := v.checkScope(s.scope); err != nil {
		return auth.Principal{}, err
	}
	if err := v.checkTime(s); err != nil {
		return auth.Principal{}, err
	}
	secret, err := v.secret(r.Context(), s)
	if err != nil {
		return auth.Principal{}, err
	}
	payload, err := v.payload(r, s, body)
	if err != nil {
		return auth.Principal{}, err
	}
	key, cached := v.keys.get(secret, s.scope)
	if !v.matches(r, s, payload, key) {
		return auth.Principal{}, mismatch()
	}
	if !cached { // only now, so that forged requests cannot push out good keys
		v.keys.put(secret, s.scope, key)
	}
	return auth.Principal{
		Kind: auth.AccessKey, ID: s.keyID, Account: v.cfg.Account, Region: s.region, Service: s.service,
	}, nil
}

func (v *Verifier) checkScope(s scope) error {
	if !slices.Contains(v.cfg.Services, s.service) {
		return invalid("Credential should be scoped to correct service: '%s'.", v.cfg.Services[0])
	}
	switch {
	case s.region == v.cfg.Region:
		return nil
	case !isRegion(s.region):
		return invalid("Credential should be scoped to a valid region.")
	case !v.cfg.AnyRegion:
		return invalid("Credential should be scoped to a valid region, not '%s'.", s.region)
	}
	return nil
}

// checkTime compares whole seconds, since stamps have no more.
func (v *Verifier) checkTime(s *signature) error {
	now, skew := v.cfg.Now().Truncate(time.Second), v.cfg.Skew
	latest, earliest := now.Add(skew), now.Add(-skew)
	switch {
	case s.at.After(latest):
		return invalid("Signature not yet current: %s is still later than %s (%s + %s)",
			s.stamp, formatStamp(latest), formatStamp(now), formatSkew(skew))
	case s.expires == 0 && s.at.Before(earliest):
		return invalid("Signature expired: %s is now earlier than %s (%s - %s)",
			s.stamp, formatStamp(earliest), formatStamp(now), formatSkew(skew))
	case s.expires > 0 && now.After(s.at.Add(s.expires)):
		return invalid("Signature expired: %s is now earlier than %s", formatStamp(s.at.Add(s.expires)), formatStamp(now))
	}
	return nil
}

// secret looks the access key up. There are no sessions: temporary keys and
// session tokens are nobody's.
func (v *Verifier) secret(ctx context.Context, s *signature) (string, error) {
	if !isKeyID(s.keyID) || strings.HasPrefix(s.keyID, "ASIA") || s.token != "" {
		return "", unknownKey(nil)
	}
	secret, err := v.cfg.Secret(ctx, s.keyID)
	if err == nil && secret == "" {
		err = errors.New("the secret is empty")
	}
	switch _, safe := errors.AsType[*apierr.Error](err); {
	case err == nil:
		return secret, nil
	case apierr.Is(err, apierr.UnknownKey):
		return "", unknownKey(err) // missing and disabled keys look the same
	case safe:
		return "", err
	default:
		return "", apierr.Wrap(apierr.Internal, err, "look up access key")
	}
}

// payload returns what stands for the body in the canonical request. A hash
// that the request declares must be that of the body.
func (v *Verifier) payload(r *http.Request, s *signature, body []byte) (string, error) {
	declared := s.payload
	if declared == unsignedPayload {
		if r.TLS == nil && !v.cfg.UnsignedPayload {
			return "", invalid("%s is only accepted over TLS.", unsignedPayload)
		}
		return declared, nil
	}
	sum := sha256.Sum256(body)
	actual := hex.EncodeToString(sum[:])
	if declared != "" && declared != actual {
		return "", mismatch()
	}
	return actual, nil
}

// matches reports whether key made the signature over one of the canonical
// texts of the request, under the host that it was sent to or the one that it
// came with.
func (v *Verifier) matches(r *http.Request, s *signature, payload string, key *signingKey) bool {
	if v.cfg.Host != "" && v.cfg.Host != r.Host && v.matchesAt(v.cfg.Host, r, s, payload, key) {
		return true
	}
	return r.Host != "" && v.matchesAt(r.Host, r, s, payload, key)
}

func (v *Verifier) matchesAt(host string, r *http.Request, s *signature, payload string, key *signingKey) bool {
	headers, ok := appendHeaders(make([]byte, 0, 512), r, host, s.signed)
	if !ok {
		return false
	}
	c := canonical{method: r.Method, headers: headers, signed: s.signed, payload: payload}
	given, text := []byte(s.hex), make([]byte, 0, 1024)
	for _, c.query = range s.queries() {
		for path := range pathSpellings(wirePath(r)) {
			text = c.appendTo(text[:0], path)
			if hmac.Equal(key.sign(s.stamp, s.scopeText, text), given) {
				return true
			}
		}
	}
	return false
}

package sigv4

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muster/internal/auth"
)

// The bounds of Config.Skew.
const (
	DefaultSkew = 5 * time.Minute
	MaxSkew     = 15 * time.Minute
)

// Config says what a Verifier accepts. Secret, Region and Account are required.
type Config struct {
	// Secret returns the secret of an access key. It fails with kind UnknownKey
	// if the key does not exist or is disabled. It is called once for every
	// request that is signed in good form, so it should be fast. The secret
	// may change from one call to the next.
	Secret func(ctx context.Context, keyID string) (string, error)

	// Region is the region of the server, which requests must be signed for.
	Region string
	// AnyRegion accepts requests signed for any region.
	AnyRegion bool
	// Account is the 12-digit account that all keys belong to.
	Account string
	// Services are those that requests may be signed for; empty means
	// auth.Services. The first is the one that an error names.
	Services []string

	// Host is what clients sign as the host if a proxy rewrites that header,
	// with the port unless it is the default. The host of the request is
	// accepted besides, for clients that come past the proxy; empty means that
	// alone.
	Host string
	// UnsignedPayload accepts requests whose signature does not cover the body
	// on connections without TLS. It is meant for loopback and for servers
	// behind a proxy that ends TLS.
	UnsignedPayload bool

	// Skew is how far the time of signing may be from now, up to MaxSkew;
	// 0 means DefaultSkew.
	Skew time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// validate fills in the defaults and reports every fault at once.
func (c *Config) validate() error {
	if len(c.Services) == 0 {
		c.Services = auth.Services()
	}
	if c.Skew == 0 {
		c.Skew = DefaultSkew
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	var errs []error
	if c.Secret == nil {
		errs = append(errs, errors.New("sigv4: no source of secrets"))
	}
	if !isRegion(c.Region) {
		errs = append(errs, fmt.Errorf("sigv4: region %q: must be 1 to 32 characters of a-z, 0-9 and -", c.Region))
	}
	if len(c.Account) != 12 || !digits.containsAll(c.Account) {
		errs = append(errs, fmt.Errorf("sigv4: account %q: must be 12 digits", c.Account))
	}
	if c.Skew < 0 || c.Skew > MaxSkew {
		errs = append(errs, fmt.Errorf("sigv4: skew %v: must be from 0 to %v", c.Skew, MaxSkew))
	}
	return errors.Join(errs...)
}

var (
	digits      = byteSet("0123456789")
	regionBytes = byteSet("abcdefghijklmnopqrstuvwxyz0123456789-")
	keyIDBytes  = byteSet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
)

// isRegion keeps everything out of ARNs that is not shaped like a region.
func isRegion(s string) bool {
	return s != "" && len(s) <= 32 && regionBytes.containsAll(s)
}

// isKeyID keeps everything out of lookups and logs that is not shaped like an
// access key id.
func isKeyID(s string) bool {
	return s != "" && len(s) <= 128 && keyIDBytes.containsAll(s)
}

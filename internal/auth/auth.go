// Package auth says who calls and keeps the secrets that prove it.
//
// A surface hands each request to an Authenticator and gets a Principal, or a
// safe error that it spells in its own way. What the principal may do is asked
// of an Authorizer by the packages that own the rules. The package also makes
// access keys, and seals their secrets so that a stolen database is no use
// without the master key file.
//
// Nothing here logs, and no error holds a secret.
package auth

import (
	"context"
	"net/http"

	"muster/internal/apierr"
)

// Authenticator finds out who sent a request.
type Authenticator interface {
	// Authenticate returns the principal that r and its body prove. The body
	// is the whole body, already read; it is not modified and not kept. The
	// error's chain holds an *apierr.Error: of kind MissingToken if r carries
	// no credentials, of another kind if those it carries do not hold.
	// It is safe for concurrent use.
	Authenticate(r *http.Request, body []byte) (Principal, error)
}

// Authorizer decides whether p may perform action, such as "iot:CreateJob", on
// resource, an ARN. It returns nil to allow and an *apierr.Error of kind Denied
// (see Denied) to refuse. It must be safe for concurrent use.
//
// The nil Authorizer allows everything; call Authorize to get that right.
type Authorizer func(ctx context.Context, p Principal, action, resource string) error

// Authorize asks a, or allows if a is nil.
func (a Authorizer) Authorize(ctx context.Context, p Principal, action, resource string) error {
	if a == nil {
		return nil
	}
	return a(ctx, p, action, resource)
}

// Denied returns the error with which an Authorizer refuses.
func Denied(p Principal, action, resource string) *apierr.Error {
	return apierr.New(apierr.Denied, "User: %s is not authorized to perform: %s on resource: %s", p.ARN(), action, resource)
}

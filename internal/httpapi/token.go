package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"muster/internal/apierr"
	"muster/internal/registry"
)

const (
	tokenVersion = 1
	tokenScope   = 8 // bytes
)

// listing is one list operation under certain filters. Its tokens hold a
// position of the list, and are of no use to another operation or under other
// filters: there the position would mean something else.
type listing struct {
	head [1 + tokenScope]byte
}

// list returns the listing of an operation under the filters given: strings,
// booleans and pointers to them, of which nil counts, too.
func list(operation string, filters ...any) listing {
	name, _ := json.Marshal(append([]any{operation}, filters...)) // strings and booleans always can be
	sum := sha256.Sum256(name)
	l := listing{head: [1 + tokenScope]byte{tokenVersion}}
	copy(l.head[1:], sum[:])
	return l
}

// token returns the nextToken for a position, empty for the empty one: the end.
// It is safe in a query without escaping.
func (l listing) token(position string) string {
	if position == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(l.head[:], position...))
}

// position is the inverse of token. It fails with Invalid on what is not a token
// of this listing.
func (l listing) position(token string) (string, error) {
	if token == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	rest, ok := bytes.CutPrefix(raw, l.head[:])
	if err != nil || !ok || len(rest) == 0 {
		return "", apierr.New(apierr.Invalid, "Invalid nextToken: it is not from this operation with these filters.")
	}
	return string(rest), nil
}

// page returns the page of a registry's list that a request asks for. It fails
// as position does.
func (l listing) page(token string, limit int) (registry.Page, error) {
	after, err := l.position(token)
	return registry.Page{After: after, Limit: limit}, err
}

// text returns what p points to, or nothing.
func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// orNil returns a member that is left out when it is empty.
func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

package registry

import (
	"strconv"

	"muster/internal/apierr"
	"muster/internal/store"
	"muster/internal/thing"
)

// MaxPage is the largest and the default size of a page [iot-api, RegistryMaxResults].
const MaxPage = 250

// Page asks for a part of a list.
type Page struct {
	// After is the position that the previous page ended with; empty is the beginning.
	After string
	// Limit is how many entries there may be, up to MaxPage; 0 is MaxPage. A page
	// may be shorter and still have a next one.
	Limit int
}

func (p Page) limit() (int, error) {
	if p.Limit < 0 || p.Limit > MaxPage {
		return 0, apierr.New(apierr.Invalid, "maxResults must be 1 to %d", MaxPage)
	}
	if p.Limit == 0 {
		return MaxPage, nil
	}
	return p.Limit, nil
}

// byName returns the page of a list whose positions are names.
func (p Page) byName() (store.Page[string], error) {
	limit, err := p.limit()
	if err != nil {
		return store.Page[string]{}, err
	}
	if p.After != "" && !thing.IsName(p.After) {
		return store.Page[string]{}, badPosition()
	}
	return store.Page[string]{After: p.After, Limit: limit}, nil
}

// byUID returns the page of a list whose positions are uids.
func (p Page) byUID() (store.Page[int64], error) {
	limit, err := p.limit()
	if err != nil || p.After == "" {
		return store.Page[int64]{Limit: limit}, err
	}
	after, ok := parseUID(p.After)
	if !ok {
		return store.Page[int64]{}, badPosition()
	}
	return store.Page[int64]{After: after, Limit: limit}, nil
}

// parseUID returns the uid that s spells in its one canonical form.
func parseUID(s string) (int64, bool) {
	uid, err := strconv.ParseInt(s, 10, 64)
	return uid, err == nil && uid > 0 && formatUID(uid) == s
}

func formatUID(uid int64) string { return strconv.FormatInt(uid, 10) }

func badPosition() error {
	return apierr.New(apierr.Invalid, "nextToken is not one that this list has given")
}

// List is a page of a list.
type List[T any] struct {
	Items []T
	// Next is the position to go on after, or empty if this is the last page.
	Next string
}

// nextIf returns the position to hand out.
func nextIf(more bool, position string) string {
	if more {
		return position
	}
	return ""
}

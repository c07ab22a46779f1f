package registry

import (
	"context"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/store"
	"muster/internal/thing"
)

// MayListMessages refuses callers who may not see the messages of a thing, and
// reports whether a thing has the name: some are about names that none has.
func (r *Registry) MayListMessages(ctx context.Context, p auth.Principal, name string) (bool, error) {
	if err := r.allow(ctx, p, "muster:ListMessages", thing.ThingKind, name); err != nil {
		return false, err
	}
	return view(ctx, r, func(rd store.Reader) (bool, error) {
		_, err := rd.ThingByName(name)
		if apierr.Is(err, apierr.NotFound) {
			return false, nil
		}
		return err == nil, err
	})
}

package httpapi_test

import (
	"testing"

	"muster/internal/thing"
	"muster/internal/wire"

	"pgregory.net/rapid"
)

// TestNamesAreTheSameEverywhere compares the two who say what a name is: wire for
// the members of requests, thing for names taken out of ARNs and tokens, which
// know nothing of each other.
func TestNamesAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(
			rapid.StringMatching(`[a-zA-Z0-9:_-]{0,3}`),
			rapid.StringMatching(`[a-zA-Z0-9:_-]{126,130}`),
			rapid.StringN(0, 3, -1),
			rapid.StringOfN(rapid.RuneFrom([]rune("aZ09:_-./ $@[`{é\x00")), 1, 3, -1),
		).Draw(t, "name")
		for member, request := range map[string]any{
			"thingName": new(wire.CreateThingRequest), "thingTypeName": new(wire.CreateThingTypeRequest),
			"thingGroupName": new(wire.CreateThingGroupRequest),
		} {
			err := wire.Decode(request, wire.Params{{Name: member, Value: name}}, nil, nil)
			if (err == nil) != thing.IsName(name) {
				t.Errorf("%q: wire says %v of it as %s, thing says %v", name, err, member, thing.IsName(name))
			}
		}
	})
}

package httpapi_test

import (
	"strings"
	"testing"

	"muster/internal/auth"
	"muster/internal/httpapi"
	"muster/internal/wire"
)

func TestRoutesStandWhereTheyArePublished(t *testing.T) {
	t.Parallel()
	type key struct {
		plane     auth.Plane
		operation string
	}
	published := make(map[key]string)
	for _, op := range wire.Operations() {
		plane, ok := auth.PlaneOf(op.Service)
		if !ok {
			t.Errorf("%s: no plane serves %s", op.Name, op.Service)
		}
		published[key{plane, op.Name}] = op.Method + " " + op.URI
	}
	for _, r := range httpapi.Routes() {
		if strings.HasPrefix(r.Action, "muster:") {
			continue // our own, published by nobody
		}
		if want := published[key{r.Plane, r.Operation}]; r.Pattern != want {
			t.Errorf("%v, %s: got %q, want %q", r.Plane, r.Operation, r.Pattern, want)
		}
	}
}

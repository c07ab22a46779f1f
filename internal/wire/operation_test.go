package wire_test

import (
	"slices"
	"strings"
	"testing"

	"muster/internal/wire"
)

func TestOperationsAreWellFormedAndUnique(t *testing.T) {
	t.Parallel()
	all := wire.Operations()
	seen := map[string]bool{}
	for _, op := range all {
		key := op.Service + " " + op.Name
		if seen[key] {
			t.Errorf("%s is there twice", key)
		}
		seen[key] = true
		if !slices.Contains([]string{"iot", "iot-jobs-data", "iotdata"}, op.Service) {
			t.Errorf("%s: unknown service", key)
		}
		if !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, op.Method) || !strings.HasPrefix(op.URI, "/") {
			t.Errorf("%s: got %s %s", key, op.Method, op.URI)
		}
	}
	if len(all) < 150 {
		t.Errorf("got %d operations, want all that are published", len(all))
	}
	for operation := range requests {
		if !seen[operation] {
			t.Errorf("%s is served but not published", operation)
		}
	}
}

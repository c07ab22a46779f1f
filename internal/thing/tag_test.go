package thing_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/apierr"
	"muster/internal/thing"
)

type tags = []thing.Tag

func manyTags(n int) tags {
	var ts tags
	for i := range n {
		ts = append(ts, thing.Tag{Key: fmt.Sprintf("k%02d", i), Value: "v"})
	}
	return ts
}

func TestAddTags(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		has, add tags
		want     tags
		kind     apierr.Kind
		words    []string // of the refusal; nil for none
	}{
		{"tags are stored by key", nil, tags{{"b", "2"}, {"a", "1"}}, tags{{"a", "1"}, {"b", "2"}}, 0, nil},
		{"the last value of a key wins", nil, tags{{"a", "1"}, {"a", "2"}}, tags{{"a", "2"}}, 0, nil},
		{"fifty tags are the most", manyTags(49), tags{{"new", ""}}, tags{{"new", ""}}, 0, nil},
		{"the fifty-first is too many", manyTags(50), tags{{"new", ""}}, nil, apierr.LimitExceeded, []string{"tags", "51", "limit of 50"}},
		{"a key that is there already does not count again", manyTags(50), tags{{"k01", "new"}}, tags{{"k01", "new"}}, 0, nil},
		{"repeats do not count", manyTags(49), tags{{"new", "1"}, {"new", "2"}}, tags{{"new", "2"}}, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := thing.AddTags(tt.has, tt.add)
			if tt.words != nil {
				refused(t, err, tt.kind, tt.words...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

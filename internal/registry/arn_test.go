package registry_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/registry"
	"muster/internal/thing"
)

func TestParseARN(t *testing.T) {
	t.Parallel()
	r := registry.New(registry.Config{Account: account})
	tests := []struct {
		name string
		in   string
		want string // of the refusal; empty for none
	}{
		{"an ARN of the region and account passes", "arn:aws:iot:us-east-1:123456789012:thing/t1", ""},
		{"another region is refused", "arn:aws:iot:eu-west-1:123456789012:thing/t1", "us-east-1"},
		{"another account is refused", "arn:aws:iot:us-east-1:999999999999:thing/t1", account},
		{"what is no ARN is refused", "t1", "not an ARN"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := r.ParseARN(operator, "targets", tt.in)
			if tt.want != "" {
				refused(t, err, apierr.Invalid, "targets", tt.in, tt.want)
				return
			}
			ok(t, err)
			want := thing.ARN{Region: "us-east-1", Account: account, Kind: thing.ThingKind, Name: "t1"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if s := r.ARN(operator, got.Kind, got.Name); s != tt.in {
				t.Errorf("got %s, want %s", s, tt.in)
			}
		})
	}
}

// A server of any region answers in the region that it was asked in.
func TestARNIsOfTheCallersRegion(t *testing.T) {
	t.Parallel()
	r := registry.New(registry.Config{Account: account})
	p := auth.Principal{Region: "eu-west-1"}
	if got, want := r.ARN(p, thing.GroupKind, "g"), "arn:aws:iot:eu-west-1:123456789012:thinggroup/g"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	_, err := r.ParseARN(p, "thingArn", "arn:aws:iot:us-east-1:123456789012:thing/t1")
	refused(t, err, apierr.Invalid, "thingArn", "eu-west-1")
}

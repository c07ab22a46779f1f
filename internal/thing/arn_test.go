package thing_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/thing"
)

func TestParseARN(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   string
		want thing.ARN
		ok   bool
	}{
		{"a thing", "arn:aws:iot:us-east-1:123456789012:thing/t1", thing.ARN{Region: "us-east-1", Account: "123456789012", Kind: thing.ThingKind, Name: "t1"}, true},
		{"a name may hold colons", "arn:aws:iot:us-east-1:123456789012:thing/a:b:c", thing.ARN{Region: "us-east-1", Account: "123456789012", Kind: thing.ThingKind, Name: "a:b:c"}, true},
		{"a group", "arn:aws:iot:eu-west-1:1:thinggroup/g", thing.ARN{Region: "eu-west-1", Account: "1", Kind: thing.GroupKind, Name: "g"}, true},
		{"a kind that Muster does not keep parses", "arn:aws:iot:r:1:cert/c", thing.ARN{Region: "r", Account: "1", Kind: "cert", Name: "c"}, true},
		{"another service does not", "arn:aws:s3:r:1:thing/t", thing.ARN{}, false},
		{"a bare name does not", "t1", thing.ARN{}, false},
		{"without a name it does not", "arn:aws:iot:r:1:thing/", thing.ARN{}, false},
		{"without a kind it does not", "arn:aws:iot:r:1:/t", thing.ARN{}, false},
		{"without an account it does not", "arn:aws:iot:r::thing/t", thing.ARN{}, false},
		{"without a region it does not", "arn:aws:iot::1:thing/t", thing.ARN{}, false},
		{"cut short it does not", "arn:aws:iot:r", thing.ARN{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := thing.ParseARN(tt.in)
			if ok != tt.ok {
				t.Fatalf("got %v, want %v", ok, tt.ok)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzParseARN shows that what parses prints as it was.
func FuzzParseARN(f *testing.F) {
	f.Add("arn:aws:iot:us-east-1:123456789012:thing/a:b/c")
	f.Add("arn:aws:iot:::/")
	f.Fuzz(func(t *testing.T, s string) {
		a, ok := thing.ParseARN(s)
		if ok && a.String() != s {
			t.Errorf("ParseARN(%q).String() = %q", s, a.String())
		}
	})
}

package thing_test

import (
	"strings"
	"testing"

	"muster/internal/apierr"
	"muster/internal/thing"
)

func TestIsName(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   string
		ok   bool
	}{
		{"letters, digits, colon, underscore and dash make a name", "aZ09:_-", true},
		{"one character is enough", "x", true},
		{"128 characters are the most", strings.Repeat("n", 128), true},
		{"129 characters are too many", strings.Repeat("n", 129), false},
		{"the empty name is none", "", false},
		{"a space is refused", "two words", false},
		{"a slash is refused", "a/b", false},
		{"a letter outside ASCII is refused", "Gerät", false},
		{"a NUL is refused", "a\x00", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := thing.IsName(tt.in); got != tt.ok {
				t.Errorf("got %v for %q, want %v", got, tt.in, tt.ok)
			}
		})
	}
}

// refused holds an error to its kind and to words that its message must have.
func refused(t *testing.T, err error, kind apierr.Kind, words ...string) {
	t.Helper()
	if !apierr.Is(err, kind) {
		t.Fatalf("got %v, want kind %v", err, kind)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("got message %q, want %q in it", err, w)
		}
	}
}

func ptr[T any](v T) *T { return &v }

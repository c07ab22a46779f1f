package auth_test

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"muster/internal/auth"
)

func newSealer(t *testing.T, fill byte) *auth.Sealer {
	t.Helper()
	s, err := auth.NewSealer(bytes.Repeat([]byte{fill}, auth.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealedSecretsOpenOnlyUnchanged(t *testing.T) {
	t.Parallel()
	s, other := newSealer(t, 1), newSealer(t, 2)
	rapid.Check(t, func(rt *rapid.T) {
		id, secret := rapid.String().Draw(rt, "id"), rapid.String().Draw(rt, "secret")
		sealed := s.Seal(id, secret)
		if got, err := s.Open(id, sealed); err != nil || got != secret {
			rt.Fatalf("got %q, %v, want %q", got, err, secret)
		}
		if _, err := s.Open(id+"x", sealed); err == nil {
			rt.Fatal("opened for another id")
		}
		if _, err := other.Open(id, sealed); err == nil {
			rt.Fatal("opened with another master key")
		}
		if _, err := s.Open(id, sealed[:rapid.IntRange(0, len(sealed)-1).Draw(rt, "length")]); err == nil {
			rt.Fatal("opened when cut short")
		}
		sealed[rapid.IntRange(0, len(sealed)-1).Draw(rt, "at")] ^= byte(rapid.IntRange(1, 255).Draw(rt, "bits"))
		if _, err := s.Open(id, sealed); err == nil {
			rt.Fatal("opened after a change")
		}
	})
}

func TestSealHidesAndNeverRepeats(t *testing.T) {
	t.Parallel()
	s := newSealer(t, 1)
	a, b := s.Seal("id", "the secret"), s.Seal("id", "the secret")
	if bytes.Equal(a, b) {
		t.Error("sealing twice gave the same bytes")
	}
	if bytes.Contains(a, []byte("secret")) {
		t.Error("the secret can be read in its sealed form")
	}
}

func TestOpenErrorsNameTheKey(t *testing.T) {
	t.Parallel()
	s := newSealer(t, 1)
	tests := []struct {
		name   string
		sealed []byte
		want   string
	}{
		{"nothing", nil, "auth: sealed secret of AKIAX has an unknown form"},
		{"a later version", append([]byte{2}, s.Seal("AKIAX", "secret")[1:]...), "auth: sealed secret of AKIAX has an unknown form"},
		{"another key's secret", s.Seal("AKIAY", "secret"), "auth: sealed secret of AKIAX does not open: damaged, or sealed with another master key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := s.Open("AKIAX", tt.sealed); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestNewSealerWantsAWholeKey(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 16, 31, 33} {
		if _, err := auth.NewSealer(make([]byte, n)); err == nil || !strings.Contains(err.Error(), "want 32") {
			t.Errorf("%d bytes: got %v", n, err)
		}
	}
}

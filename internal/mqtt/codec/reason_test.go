package codec_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"muster/internal/mqtt/codec"

	"github.com/google/go-cmp/cmp"
)

// reasonsOf lists the codes of each packet, from the tables of the standard.
var reasonsOf = map[codec.Type][]codec.Reason{
	codec.TypeConnack: {0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99,
		0x9A, 0x9B, 0x9C, 0x9D, 0x9F},
	codec.TypePuback:   {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99},
	codec.TypeSuback:   {0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2},
	codec.TypeUnsuback: {0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91},
	codec.TypeDisconnect: {0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96,
		0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2},
	codec.TypeAuth: {0x00, 0x18, 0x19},
}

func TestReasonIn(t *testing.T) {
	t.Parallel()
	for typ := range codec.TypeAuth + 2 {
		for r := range 256 {
			want := slices.Contains(reasonsOf[typ], codec.Reason(r))
			if got := codec.Reason(r).In(typ); got != want {
				t.Errorf("0x%02x in %v: got %v, want %v", r, typ, got, want)
			}
		}
	}
}

func TestReasonIsAnError(t *testing.T) {
	t.Parallel()
	names := make(map[string]codec.Reason)
	for r := range codec.WildcardsNotSupported + 1 {
		name := r.Error()
		if strings.HasPrefix(name, "reason 0x") {
			continue
		}
		if other, ok := names[name]; ok {
			t.Errorf("%02x and %02x are both %q", uint8(r), uint8(other), name)
		}
		names[name] = r
		if r.Failed() != (r >= 0x80) {
			t.Errorf("%v: failed is %v", r, r.Failed())
		}
	}
	for _, r := range slices.Concat(slices.Collect(maps.Values(reasonsOf))...) {
		if _, ok := names[r.Error()]; !ok {
			t.Errorf("0x%02x has no name", uint8(r))
		}
	}
	if got, want := codec.Reason(0xfe).Error(), "reason 0xFE"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	err := fmt.Errorf("session: %w", codec.SessionTakenOver)
	if !errors.Is(err, codec.SessionTakenOver) || codec.ReasonOf(err) != codec.SessionTakenOver {
		t.Errorf("%v is not found in its chain", err)
	}
	if got := codec.ReasonOf(errors.New("disk full")); got != codec.UnspecifiedError {
		t.Errorf("got %v of another error, want %v", got, codec.UnspecifiedError)
	}
}

// TestReturnCode shows which refusals MQTT 3.1.1 can tell, and that each code
// is read as the reason it was made of.
func TestReturnCode(t *testing.T) {
	t.Parallel()
	got := make(map[byte][]codec.Reason)
	for _, r := range reasonsOf[codec.TypeConnack] {
		if code, ok := r.ReturnCode(); ok {
			got[code] = append(got[code], r)
		}
	}
	want := map[byte][]codec.Reason{
		0: {codec.Success},
		1: {codec.UnsupportedVersion},
		2: {codec.ClientIDNotValid},
		3: {codec.ServerUnavailable, codec.ServerBusy, codec.QuotaExceeded, codec.UseAnotherServer, codec.ServerMoved, codec.ConnectionRateExceeded},
		4: {codec.BadUserNameOrPassword},
		5: {codec.NotAuthorized, codec.Banned, codec.BadAuthenticationMethod},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	for code, reasons := range want {
		wire, err := (&codec.Connack{Reason: reasons[0]}).Append(nil, codec.V311)
		if err != nil {
			t.Fatal(err)
		}
		var p codec.Connack
		if err := p.Decode(cut(t, wire), codec.V311); err != nil || p.Reason != reasons[0] || wire[3] != code {
			t.Errorf("%x: got %v, %v, want %v", wire, p.Reason, err, reasons[0])
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		got  fmt.Stringer
		want string
	}{
		{codec.TypePublish, "PUBLISH"}, {codec.TypeAuth, "AUTH"}, {codec.Type(0), "type 0"}, {codec.Type(16), "type 16"},
		{codec.V311, "3.1.1"}, {codec.V5, "5"}, {codec.Version(3), "level 3"},
	} {
		if tt.got.String() != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
}

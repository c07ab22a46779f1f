package codec_test

import (
	"slices"
	"strings"
	"testing"

	"muster/internal/mqtt/codec"
	"muster/internal/mqtt/codec/codectest"

	"github.com/google/go-cmp/cmp"
)

func TestCloneSharesNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range codectest.Fixtures() {
		want, ok := tt.Packet.(*codec.Publish)
		if !ok {
			continue
		}
		t.Run(tt.Name, func(t *testing.T) {
			t.Parallel()
			wire := []byte(tt.Wire)
			var p codec.Publish
			if err := p.Decode(cut(t, wire), tt.Version); err != nil {
				t.Fatal(err)
			}
			got := p.Clone()
			user := p.User.Clone()
			clear(wire)
			if diff := cmp.Diff(want.Message, got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			if !user.Equal(want.User) {
				t.Error("clone of the user properties has changed")
			}
			_ = append(got.Topic, "xxxx"...)
			if diff := cmp.Diff(want.Message, got); diff != "" {
				t.Errorf("after appending to the topic, want -, got +:\n%s", diff)
			}
		})
	}
}

func TestDecodedPacketsShareTheFrame(t *testing.T) {
	t.Parallel()
	wire := []byte("\x30\x06\x00\x03a/bx")
	var p codec.Publish
	if err := p.Decode(cut(t, wire), codec.V311); err != nil {
		t.Fatal(err)
	}
	copy(wire[4:], "c/dy")
	if string(p.Topic) != "c/d" || string(p.Payload) != "y" {
		t.Errorf("got %s, %s, want what the buffer now holds", p.Topic, p.Payload)
	}
}

// pairs returns the user properties as name=value.
func pairs(u codec.UserProperties) []string {
	var list []string
	for name, value := range u.All() {
		list = append(list, string(name)+"="+string(value))
	}
	return list
}

func TestUserProperties(t *testing.T) {
	t.Parallel()
	var u codec.UserProperties
	if u.Size() != 0 || pairs(u) != nil || !u.Equal(codec.UserProperties{}) {
		t.Fatalf("got %d bytes, %v, want none", u.Size(), pairs(u))
	}
	for _, s := range []string{"b=1", "a=2", "b=3", "="} {
		name, value, _ := strings.Cut(s, "=")
		if err := u.Add(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := pairs(u), []string{"b=1", "a=2", "b=3", "="}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if want := 3*7 + 5; u.Size() != want {
		t.Errorf("got %d bytes, want %d", u.Size(), want)
	}
	for range u.All() {
		break // must not go on
	}
}

func TestUserPropertiesRefuse(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 65536)
	for _, pair := range [][2]string{{long, ""}, {"", long}, {"\x00", ""}, {"", "\x00"}, {"\xff", ""}, {"", "\xed\xa0\x80"}} {
		u := codectest.User("a", "b")
		if err := u.Add(pair[0], pair[1]); err == nil {
			t.Errorf("%.5q=%.5q was added", pair[0], pair[1])
		}
		if got := pairs(u); !slices.Equal(got, []string{"a=b"}) {
			t.Errorf("after a refusal: got %v", got)
		}
	}
	var u codec.UserProperties
	if err := u.Add(long[1:], long[1:]); err != nil {
		t.Errorf("the longest pair: %v", err)
	}
}

// TestAddToSharedUserProperties shows that adding to the properties of a decoded
// packet neither writes to its buffer nor to another copy.
func TestAddToSharedUserProperties(t *testing.T) {
	t.Parallel()
	wire := "\x30\x0d\x00\x01t\x07\x26\x00\x01k\x00\x01vhi"
	buf := []byte(wire)
	var p codec.Publish
	if err := p.Decode(cut(t, buf), codec.V5); err != nil {
		t.Fatal(err)
	}
	one, two := p.User, p.User
	if err := one.Add("one", "1"); err != nil {
		t.Fatal(err)
	}
	if err := two.Add("two", "2"); err != nil {
		t.Fatal(err)
	}
	if string(buf) != wire {
		t.Errorf("got buffer %q, want %q", buf, wire)
	}
	if diff := cmp.Diff([][]string{{"k=v"}, {"k=v", "one=1"}, {"k=v", "two=2"}}, [][]string{pairs(p.User), pairs(one), pairs(two)}); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestCheckClient(t *testing.T) {
	t.Parallel()
	wantReason(t, (&codec.Publish{}).CheckClient(), codec.Success)
	wantReason(t, (&codec.Publish{SubscriptionIDs: []uint32{1}}).CheckClient(), codec.ProtocolError)
	wantReason(t, (&codec.Disconnect{ServerReference: []byte{}}).CheckClient(), codec.ProtocolError)
	// [MQTT 5, 3.14.2.1], sent by clients.
	byClients := []codec.Reason{0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99}
	for _, r := range reasonsOf[codec.TypeDisconnect] {
		want := codec.ProtocolError
		if slices.Contains(byClients, r) {
			want = codec.Success
		}
		t.Run(r.Error(), func(t *testing.T) { wantReason(t, (&codec.Disconnect{Reason: r}).CheckClient(), want) })
	}
}

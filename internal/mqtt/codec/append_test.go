package codec_test

import (
	"bytes"
	"errors"
	"testing"

	"muster/internal/mqtt/codec"
	"muster/internal/mqtt/codec/codectest"
)

var (
	tooLong = make([]byte, 65536)
	topic   = []byte("t")
	filter  = []codec.Subscription{{Filter: topic}}
)

func message(m codec.Message) codec.Message {
	m.Topic = topic
	return m
}

// TestAppendRefuses lists what is no packet, whatever its text.
func TestAppendRefuses(t *testing.T) {
	t.Parallel()
	will := func(m codec.Message) *codec.Connect {
		return &codec.Connect{Version: codec.V5, HasWill: true, Will: codec.Will{Message: m}}
	}
	tests := []struct {
		name   string
		v      codec.Version
		packet codec.Packet
	}{
		{"connection without a version", codec.V5, &codec.Connect{}},
		{"connection of another version", codec.V5, &codec.Connect{Version: 3}},
		{"will of QoS 2", codec.V5, will(message(codec.Message{QoS: codec.QoS2}))},
		{"will without a topic", codec.V5, will(codec.Message{})},
		{"will that is too long", codec.V5, will(message(codec.Message{Payload: tooLong}))},
		{"password without a user name in 3.1.1", codec.V311, &codec.Connect{Version: codec.V311, CleanStart: true, Password: topic}},
		{"lasting session without a client id in 3.1.1", codec.V311, &codec.Connect{Version: codec.V311}},
		{"connection with data but no method", codec.V5, &codec.Connect{Version: codec.V5, AuthData: topic}},
		{"client id that is too long", codec.V5, &codec.Connect{Version: codec.V5, ClientID: tooLong}},
		{"method that is too long", codec.V5, &codec.Connect{Version: codec.V5, AuthMethod: tooLong}},
		{"acceptance for a reason of others", codec.V5, &codec.Connack{Reason: codec.SessionTakenOver}},
		{"refusal that 3.1.1 cannot tell", codec.V311, &codec.Connack{Reason: codec.PacketTooLarge}},
		{"refusal with a session", codec.V5, &codec.Connack{Reason: codec.NotAuthorized, SessionPresent: true}},
		{"acceptance of QoS 2", codec.V5, &codec.Connack{HasMaximumQoS: true, MaximumQoS: codec.QoS2}},
		{"message of QoS 2", codec.V5, &codec.Publish{PacketID: 1, Message: message(codec.Message{QoS: codec.QoS2})}},
		{"message of QoS 3", codec.V5, &codec.Publish{PacketID: 1, Message: message(codec.Message{QoS: 3})}},
		{"message of QoS 1 without a packet id", codec.V311, &codec.Publish{Message: message(codec.Message{QoS: codec.QoS1})}},
		{"message of QoS 0 with a packet id", codec.V311, &codec.Publish{PacketID: 1, Message: message(codec.Message{})}},
		{"message of QoS 0 sent again", codec.V311, &codec.Publish{Dup: true, Message: message(codec.Message{})}},
		{"message without a topic", codec.V5, &codec.Publish{}},
		{"message with only an alias in 3.1.1", codec.V311, &codec.Publish{Alias: 1}},
		{"topic that is too long", codec.V311, &codec.Publish{Message: codec.Message{Topic: tooLong}}},
		{"content type that is too long", codec.V5, &codec.Publish{Message: message(codec.Message{ContentType: tooLong})}},
		{"subscription id 0", codec.V5, &codec.Publish{Message: message(codec.Message{}), SubscriptionIDs: []uint32{0}}},
		{"subscription id of 29 bits", codec.V5, &codec.Publish{Message: message(codec.Message{}), SubscriptionIDs: []uint32{1 << 28}}},
		{"acknowledgement of nothing", codec.V5, &codec.Puback{}},
		{"acknowledgement for a reason of others", codec.V5, &codec.Puback{PacketID: 1, Reason: codec.GrantedQoS1}},
		{"refusal of a message in 3.1.1", codec.V311, &codec.Puback{PacketID: 1, Reason: codec.NotAuthorized}},
		{"reason that is too long", codec.V5, &codec.Puback{PacketID: 1, ReasonString: tooLong}},
		{"subscription without a packet id", codec.V5, &codec.Subscribe{Filters: filter}},
		{"subscription to nothing", codec.V5, &codec.Subscribe{PacketID: 1}},
		{"subscription of QoS 3", codec.V311, &codec.Subscribe{PacketID: 1, Filters: []codec.Subscription{{Filter: topic, QoS: 3}}}},
		{"retain handling 3", codec.V5, &codec.Subscribe{PacketID: 1, Filters: []codec.Subscription{{Filter: topic, RetainHandling: 3}}}},
		{"shared, but not one's own", codec.V5, &codec.Subscribe{PacketID: 1, Filters: []codec.Subscription{{Filter: []byte("$share/s/t"), NoLocal: true}}}},
		{"filter that is too long", codec.V5, &codec.Subscribe{PacketID: 1, Filters: []codec.Subscription{{Filter: tooLong}}}},
		{"subscription under an id of 29 bits", codec.V5, &codec.Subscribe{PacketID: 1, SubscriptionID: 1 << 28, Filters: filter}},
		{"grant without a packet id", codec.V5, &codec.Suback{Reasons: []codec.Reason{0}}},
		{"grant of nothing", codec.V311, &codec.Suback{PacketID: 1}},
		{"grant for a reason of others", codec.V311, &codec.Suback{PacketID: 1, Reasons: []codec.Reason{codec.PacketTooLarge}}},
		{"unsubscription without a packet id", codec.V5, &codec.Unsubscribe{Filters: [][]byte{topic}}},
		{"unsubscription from nothing", codec.V5, &codec.Unsubscribe{PacketID: 1}},
		{"unsubscription from what is too long", codec.V311, &codec.Unsubscribe{PacketID: 1, Filters: [][]byte{tooLong}}},
		{"answer to an unsubscription without a packet id", codec.V311, &codec.Unsuback{}},
		{"answer to an unsubscription of nothing", codec.V5, &codec.Unsuback{PacketID: 1}},
		{"answer to an unsubscription for a reason of others", codec.V5, &codec.Unsuback{PacketID: 1, Reasons: []codec.Reason{codec.GrantedQoS1}}},
		{"end for a reason of others", codec.V5, &codec.Disconnect{Reason: codec.Banned}},
		{"end with a reason in 3.1.1", codec.V311, &codec.Disconnect{Reason: codec.SessionTakenOver}},
		{"authentication in 3.1.1", codec.V311, &codec.Auth{}},
		{"authentication for a reason of others", codec.V5, &codec.Auth{Reason: codec.NotAuthorized, Method: topic}},
		{"authentication without a method", codec.V5, &codec.Auth{Reason: codec.ContinueAuthentication}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dst := []byte("before")
			got, err := tt.packet.Append(dst, tt.v)
			if err == nil {
				t.Errorf("got %.20x, want an error", got)
			}
			if string(got) != "before" {
				t.Errorf("got %.20q beside the error, want what was there before", got)
			}
			tt.packet.Size(tt.v) // must not panic
		})
	}
}

func TestAppendRefusesWhatIsLongerThanTheProtocol(t *testing.T) {
	t.Parallel()
	// A payload of 256 MiB would do, but so do many filters that share memory.
	p := codec.Unsubscribe{PacketID: 1}
	for range 1<<28/65535 + 1 {
		p.Filters = append(p.Filters, tooLong[:65535])
	}
	if _, err := p.Append(nil, codec.V311); !errors.Is(err, codec.PacketTooLarge) {
		t.Errorf("got %v, want too large", err)
	}
}

// TestAppendGrowsOnce shows that a buffer without room grows once, by what is
// needed, and that one with room is used.
func TestAppendGrowsOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range codectest.Fixtures() {
		size := tt.Packet.Size(tt.Version)
		room := make([]byte, 3, 3+size)
		got, err := tt.Packet.Append(room, tt.Version)
		if err != nil {
			t.Fatal(err)
		}
		if &got[0] != &room[0] || len(got) != cap(room) {
			t.Errorf("%s: got %d bytes elsewhere, want %d in place", tt.Name, len(got), cap(room))
		}
	}
}

func TestAppendHeader(t *testing.T) {
	t.Parallel()
	for _, tt := range codectest.Fixtures() {
		p, ok := tt.Packet.(*codec.Publish)
		if !ok {
			continue
		}
		head, err := p.AppendHeader([]byte("before"), tt.Version)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(head)+string(p.Payload), "before"+tt.Written(); got != want {
			t.Errorf("%s: got %q, want %q", tt.Name, got, want)
		}
	}
	large := &codec.Publish{Message: codec.Message{Topic: topic, Payload: make([]byte, 1<<20)}}
	head, err := large.AppendHeader(nil, codec.V5)
	if err != nil || cap(head) > 64 {
		t.Errorf("got room for %d bytes, %v, want little", cap(head), err)
	}
	if got, err := (&codec.Publish{}).AppendHeader([]byte("before"), codec.V5); err == nil || !bytes.Equal(got, []byte("before")) {
		t.Errorf("got %q, %v, want an error", got, err)
	}
}

// TestPropertiesAreLeftOut shows that a message of MQTT 5 reaches a client of
// 3.1.1 without its properties.
func TestPropertiesAreLeftOut(t *testing.T) {
	t.Parallel()
	p := &codec.Publish{
		Alias: 3,
		Message: codec.Message{
			Topic: topic, Payload: []byte("x"), HasExpiry: true, ContentType: topic, ResponseTopic: topic, CorrelationData: topic,
			PayloadIsText: true, User: codectest.User("k", "v"),
		},
	}
	got, err := p.Append(nil, codec.V311)
	if want := "\x30\x04\x00\x01tx"; err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	// [MQTT-3.9.3-2] of 3.1.1 knows one failure alone.
	got, err = (&codec.Suback{PacketID: 1, Reasons: []codec.Reason{0, codec.PacketIDInUse}}).Append(nil, codec.V311)
	if want := "\x90\x04\x00\x01\x00\x80"; err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

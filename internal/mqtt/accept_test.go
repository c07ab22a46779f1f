package mqtt_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/auth"
	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

func TestConnackTellsTheLimits(t *testing.T) {
	t.Parallel()
	e := start(t, mqtt.Config{})
	p, a := e.open(&codec.Connect{Version: 5, SessionExpiry: codec.SessionNeverExpires, KeepAlive: 5})
	if !strings.HasPrefix(string(a.AssignedClientID), "auto-") {
		t.Errorf("assigned id: got %q", a.AssignedClientID)
	}
	a.AssignedClientID = nil
	want := &codec.Connack{
		HasSessionExpiry: true, SessionExpiry: 3600, ReceiveMaximum: 100, HasMaximumQoS: true, MaximumQoS: 1,
		MaximumPacketSize: 149504, TopicAliasMaximum: 8, HasServerKeepAlive: true, ServerKeepAlive: 30, NoSubscriptionIDs: true,
	}
	if diff := cmp.Diff(want, a, cmp.AllowUnexported(codec.UserProperties{})); diff != "" {
		t.Errorf("CONNACK (-want +got):\n%s", diff)
	}
	p.quiet()
	for keepAlive, want := range map[uint16]uint16{0: 1200, 1: 30, 30: 30, 31: 31, 1200: 1200, 1201: 1200, 65535: 1200} {
		_, a := e.open(&codec.Connect{Version: 5, KeepAlive: keepAlive})
		if a.ServerKeepAlive != want {
			t.Errorf("keep alive of %d: got %d, want %d", keepAlive, a.ServerKeepAlive, want)
		}
	}
}

func TestRefusedConnects(t *testing.T) {
	t.Parallel()
	e := start(t, mqtt.Config{Hooks: mqtt.Hooks{Connect: func(_ context.Context, r *mqtt.ConnectRequest) (auth.Principal, error) {
		switch r.ClientID {
		case "stranger":
			return auth.Principal{}, mqtt.BadCredentials
		case "forbidden":
			return auth.Principal{}, mqtt.NotAuthorized
		case "fault":
			return auth.Principal{}, errors.New("secret trouble")
		}
		return auth.Principal{ID: r.ClientID}, nil
	}}})
	for _, c := range []struct {
		name    string
		connect codec.Connect
		v3, v5  codec.Reason
	}{
		{"unknown credentials", codec.Connect{ClientID: []byte("stranger")}, codec.BadUserNameOrPassword, codec.BadUserNameOrPassword},
		{"not authorized", codec.Connect{ClientID: []byte("forbidden")}, codec.NotAuthorized, codec.NotAuthorized},
		{"fault of the hook", codec.Connect{ClientID: []byte("fault")}, codec.ServerUnavailable, codec.ServerUnavailable},
		{"reserved client id", codec.Connect{ClientID: []byte("$a")}, codec.ClientIDNotValid, codec.ClientIDNotValid},
		{"long client id", codec.Connect{ClientID: []byte(strings.Repeat("x", 129))}, codec.ClientIDNotValid, codec.ClientIDNotValid},
		{"will to a reserved topic", codec.Connect{
			ClientID: []byte("c"), HasWill: true, Will: codec.Will{Message: codec.Message{Topic: []byte("$aws/x")}},
		}, 0, codec.TopicNameInvalid},
		{"extended authentication", codec.Connect{ClientID: []byte("c"), AuthMethod: []byte("x")}, codec.Success, codec.BadAuthenticationMethod},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for v, want := range map[codec.Version]codec.Reason{codec.V311: c.v3, codec.V5: c.v5} {
				c.connect.Version, c.connect.CleanStart = v, true
				p := e.dial(v)
				p.send(&c.connect)
				if v == codec.V311 && c.connect.HasWill {
					p.ended() // it has no word for it
					continue
				}
				if got := expect[*codec.Connack](p).Reason; got != want {
					t.Errorf("%v: got %v, want %v", v, got, want)
				}
				if want != codec.Success {
					p.ended()
				}
			}
		})
	}
	t.Run("another version of the protocol", func(t *testing.T) {
		t.Parallel()
		p := e.dial(codec.V311)
		p.write([]byte{0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 3, 2, 0, 0, 0, 0})
		if got := expect[*codec.Connack](p).Reason; got != codec.UnsupportedVersion {
			t.Errorf("got %v", got)
		}
		p.ended()
	})
	t.Run("something else first", func(t *testing.T) {
		t.Parallel()
		p := e.dial(codec.V311)
		p.send(&codec.Pingreq{})
		p.ended()
	})
	t.Run("CONNECT twice", func(t *testing.T) {
		t.Parallel()
		p := e.connect(codec.V5, "twice")
		p.send(&codec.Connect{Version: 5, ClientID: []byte("twice")})
		p.refused(codec.ProtocolError)
	})
}

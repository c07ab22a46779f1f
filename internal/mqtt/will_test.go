package mqtt_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

// ticking returns a clock that moves whenever it is read, as every clock may.
func ticking() func() time.Time {
	var read atomic.Int64
	begun := time.Now()
	return func() time.Time { return begun.Add(time.Duration(read.Add(1)) * time.Millisecond) }
}

// deserted are the peers of a server that is the only one left.
type deserted struct{}

var _ mqtt.Peers = deserted{}

func (deserted) Interest(string, mqtt.Interest)                 {}
func (deserted) Settle(context.Context, []string)               {}
func (deserted) Inherit([]string, time.Time)                    {}
func (deserted) Unsettled([]string) bool                        { return false }
func (deserted) Stray()                                         {}
func (deserted) Wanted(string) bool                             { return false }
func (deserted) Online(string) bool                             { return false }
func (deserted) Number() uint64                                 { return 0 }
func (deserted) Forward(*mqtt.Message, mqtt.Routed)             {}
func (deserted) Marks() map[string]uint64                       { return nil }
func (deserted) Claim(context.Context, mqtt.Claim) mqtt.Claimed { return mqtt.Claimed{} }

func TestWillOfASessionThatIsTakenOver(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(e *endpoint, v codec.Version){
		"by a connection": func(e *endpoint, v codec.Version) {
			if _, resumed := e.persistent(v, "c"); !resumed {
				e.t.Error("the session is gone")
			}
		},
		"by another node": func(e *endpoint, v codec.Version) {
			e.Release(e.t.Context(), mqtt.Claim{ClientID: "c", Stamp: mqtt.Stamp{At: time.Now().Add(time.Hour).UnixNano(), Node: "b"}, Version: byte(v)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			versions(t, func(t *testing.T, v codec.Version) {
				e := start(t, mqtt.Config{Now: ticking(), Peers: deserted{}, Node: "a"})
				w := e.connect(v, "w")
				w.subscribe(codec.QoS1, "will")
				c := &codec.Connect{
					Version: v, ClientID: []byte("c"), KeepAlive: 60, HasWill: true,
					Will: codec.Will{Message: codec.Message{Topic: []byte("will"), Payload: []byte("gone"), QoS: 1}},
				}
				if v == codec.V5 {
					c.SessionExpiry = 3600
				}
				e.open(c)
				take(e, v)
				w.receive("will", "gone")
			})
		})
	}
}

// full is a Sessions that can keep no session.
type full struct{ mqtt.Memory }

func (*full) Put(_ mqtt.SessionState, done func(error)) { done(errors.New("disk is full")) }

func TestWillOfAClientThatWasRefused(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, v codec.Version) {
		e := start(t, mqtt.Config{Sessions: new(full)})
		w := e.connect(v, "w")
		w.subscribe(codec.QoS1, "will", "$aws/events/presence/+/c")
		c := &codec.Connect{
			Version: v, ClientID: []byte("c"), KeepAlive: 60, HasWill: true,
			Will: codec.Will{Message: codec.Message{Topic: []byte("will"), Payload: []byte("gone"), QoS: 1}},
		}
		if v == codec.V5 {
			c.SessionExpiry = 3600
		}
		p := e.dial(v)
		p.send(c)
		if a := expect[*codec.Connack](p); a.Reason != codec.ServerUnavailable {
			t.Errorf("got %v", a.Reason)
		}
		p.ended()
		w.quiet()
	})
}

package mqtt_test

import (
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

func TestWillOfASessionThatIsTakenOver(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(e *endpoint, v codec.Version){
		"by a connection": func(e *endpoint, v codec.Version) {
			if _, resumed := e.persistent(v, "c"); !resumed {
				e.t.Error("the session is gone")
			}
		},
		"by another node": func(e *endpoint, v codec.Version) {
			e.Release(e.t.Context(), mqtt.Claim{ClientID: "c", Stamp: mqtt.Stamp{At: time.Now().UnixNano(), Node: "b"}, Version: byte(v)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			versions(t, func(t *testing.T, v codec.Version) {
				e := start(t, mqtt.Config{Now: ticking(), Sessions: new(mqtt.Memory)})
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

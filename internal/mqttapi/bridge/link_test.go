package bridge_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/mqtt/codec"
	"muster/internal/mqttapi/bridge"
)

func TestNewRefusesWhatIsNoBroker(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "broker", "http://broker", "mqtt://", "mqtt://:1883", "mqtts://user:secret@broker", "mqtt://a b", "\x00"} {
		_, err := bridge.New(bridge.Config{URL: url})
		if err == nil {
			t.Errorf("%q: no error", url)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

// TestSilentBroker is left after a while, and another connection is tried, with
// growing delays while there is none.
func TestSilentBroker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, err := bridge.New(bridge.Config{URL: "mqtt://nowhere", Mode: bridge.Single})
		if err != nil {
			t.Fatal(err)
		}
		type dialed struct {
			nc net.Conn
			at time.Time
		}
		conns := make(chan dialed)
		b.Over(func(ctx context.Context) (net.Conn, error) {
			near, far := net.Pipe()
			select {
			case conns <- dialed{far, time.Now()}:
				return near, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error)
		go func() { served <- b.Serve(ctx, echo) }()

		// The two links come in any order. The broker answers CONNECT and
		// SUBSCRIBE, then nothing.
		for range 2 {
			c := <-conns
			p := &peer{t: t, nc: c.nc}
			hello, err := p.next()
			if err != nil {
				t.Fatal(err)
			}
			p.send(&codec.Connack{})
			if h, ok := hello.(*codec.Connect); ok && strings.Contains(string(h.ClientID), "requests") {
				p.granted()
			}
			if err := c.nc.SetReadDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
			go func() { // it reads, and says nothing
				buf := make([]byte, 1000)
				for {
					if _, err := c.nc.Read(buf); err != nil {
						return
					}
				}
			}()
		}
		synctest.Wait()
		if !b.Ready() {
			t.Fatal("it is not connected")
		}
		begin := time.Now()
		c := <-conns
		if took := c.at.Sub(begin); took < 20*time.Second || took > 35*time.Second {
			t.Errorf("a silent broker is left after %s", took)
		}
		// From now on it hangs up at once.
		count := 0
		for time.Since(begin) < 5*time.Minute {
			_ = c.nc.Close()
			count++
			c = <-conns
		}
		_ = c.nc.Close()
		if count < 2*5*60/15 || count > 2*5*60/3 {
			t.Errorf("%d attempts in five minutes", count)
		}
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

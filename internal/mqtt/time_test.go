package mqtt_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

func TestConnectMustComeInTime(t *testing.T) {
	t.Parallel()
	inBubble(t, mqtt.Config{}, func(b *bubble) {
		begun := time.Now()
		silent, half := b.dial(codec.V311), b.dial(codec.V311)
		half.write([]byte{0x10, 12, 0})
		for _, p := range []*peer{silent, half} {
			if _, err := p.nc.Read(make([]byte, 1)); err == nil {
				t.Error("there was an answer")
			}
		}
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestKeepAlive(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		seconds uint16
		want    time.Duration
	}{
		"as asked for":           {60, 90 * time.Second},
		"raised to the minimum":  {1, 45 * time.Second},
		"none is the maximum":    {0, 1800 * time.Second},
		"capped, no overflow":    {65535, 1800 * time.Second},
		"the most that is given": {1200, 1800 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, mqtt.Config{}, func(b *bubble) {
				p := b.open(&codec.Connect{Version: 5, KeepAlive: c.seconds, ClientID: []byte("c")})
				time.Sleep(c.want - time.Second) //nolint:forbidigo // time is made up
				p.quiet()
				begun := time.Now()
				_ = p.nc.SetReadDeadline(time.Time{})
				chunk := make([]byte, 16)
				n, err := p.nc.Read(chunk)
				if took := time.Since(begun); err != nil || took != c.want || codec.Reason(chunk[2]) != codec.KeepAliveTimeout {
					t.Errorf("ended after %v with % x, %v; want %v", took, chunk[:n], err, c.want)
				}
			})
		})
	}
}

func TestHalfAPacketDoesNotKeepTheConnection(t *testing.T) {
	t.Parallel()
	inBubble(t, mqtt.Config{}, func(b *bubble) {
		p := b.open(&codec.Connect{Version: 4, ClientID: []byte("c"), CleanStart: true})
		begun := time.Now()
		p.write([]byte{0x30, 20, 0, 1, 'a'})
		_ = p.nc.SetReadDeadline(time.Time{})
		var drip sync.WaitGroup
		defer drip.Wait()
		drip.Go(func() {
			for range 15 { // a byte now and then does not help
				time.Sleep(5 * time.Second) //nolint:forbidigo // time is made up
				if _, err := p.nc.Write([]byte{0}); err != nil {
					return
				}
			}
		})
		_, _ = p.nc.Read(make([]byte, 1))
		if took := time.Since(begun); took != 30*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestSessionExpires(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		connect codec.Connect
		after   time.Duration
		want    bool
	}{
		"3.1.1 within the hour":       {codec.Connect{Version: 4}, 59 * time.Minute, true},
		"3.1.1 after it":              {codec.Connect{Version: 4}, 61 * time.Minute, false},
		"5 within its interval":       {codec.Connect{Version: 5, SessionExpiry: 60}, 59 * time.Second, true},
		"5 after it":                  {codec.Connect{Version: 5, SessionExpiry: 60}, 61 * time.Second, false},
		"5 for ever, which is capped": {codec.Connect{Version: 5, SessionExpiry: codec.SessionNeverExpires}, 61 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, mqtt.Config{Sessions: new(mqtt.Memory)}, func(b *bubble) {
				c.connect.ClientID = []byte("c")
				p := b.open(&c.connect)
				p.subscribe(codec.QoS1, "a")
				_ = p.nc.Close()
				time.Sleep(c.after) //nolint:forbidigo // time is made up
				q := b.dial(c.connect.Version)
				q.send(&c.connect)
				if got := expect[*codec.Connack](q).SessionPresent; got != c.want {
					t.Errorf("session present: got %v", got)
				}
			})
		})
	}
}

func TestWill(t *testing.T) {
	t.Parallel()
	will := func(delay uint32) codec.Connect {
		return codec.Connect{
			Version: 5, ClientID: []byte("c"), SessionExpiry: 60, KeepAlive: 30, HasWill: true,
			Will: codec.Will{Message: codec.Message{Topic: []byte("will"), Payload: []byte("w"), QoS: 1}, Delay: delay},
		}
	}
	drop := func(_ *bubble, p *peer) { _ = p.nc.Close() }
	for name, c := range map[string]struct {
		connect codec.Connect
		end     func(*bubble, *peer)
		want    time.Duration // negative: never
	}{
		"a lost connection publishes it": {will(0), drop, 0},
		"a packet that breaks the rules, too": {will(0), func(_ *bubble, p *peer) {
			p.write([]byte{0xFF, 0})
			_ = expect[*codec.Disconnect](p)
		}, 0},
		"DISCONNECT takes it back": {will(0), func(_ *bubble, p *peer) {
			p.send(&codec.Disconnect{})
			p.ended()
		}, -1},
		"DISCONNECT with will does not": {will(0), func(_ *bubble, p *peer) {
			p.send(&codec.Disconnect{Reason: codec.DisconnectWithWill})
			p.ended()
		}, 0},
		"it waits for its delay":          {will(20), drop, 20 * time.Second},
		"but not longer than the session": {will(1000), drop, 60 * time.Second},
		"a resumption in time takes it back": {will(20), func(b *bubble, p *peer) {
			_ = p.nc.Close()
			synctest.Wait()
			c := will(0)
			c.HasWill = false
			b.open(&c)
		}, -1},
		"a new session does not": {will(20), func(b *bubble, p *peer) {
			_ = p.nc.Close()
			synctest.Wait()
			c := will(0)
			c.HasWill = false
			c.CleanStart = true
			b.open(&c)
		}, 0},
		"a takeover publishes it":                {will(0), func(b *bubble, p *peer) { go func() { _, _ = p.read() }(); c := will(0); c.HasWill = false; b.open(&c) }, 0},
		"a takeover is a resumption for a delay": {will(20), func(b *bubble, p *peer) { go func() { _, _ = p.read() }(); c := will(0); c.HasWill = false; b.open(&c) }, -1},
		"a keep alive that is missed publishes it": {will(0), func(_ *bubble, p *peer) {
			_ = p.nc.SetReadDeadline(time.Time{})
			_, _ = p.nc.Read(make([]byte, 16))
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, mqtt.Config{}, func(b *bubble) {
				w := b.open(&codec.Connect{Version: 4, ClientID: []byte("w"), CleanStart: true, KeepAlive: 1200})
				w.subscribe(codec.QoS0, "will")
				p := b.open(&c.connect)
				c.end(b, p)
				ended := time.Now()
				if c.want < 0 {
					time.Sleep(100 * time.Second) //nolint:forbidigo // time is made up
					w.quiet()
					return
				}
				_ = w.nc.SetReadDeadline(time.Time{})
				chunk := make([]byte, 64)
				n, err := w.nc.Read(chunk)
				if took := time.Since(ended); err != nil || n != 9 || took != c.want {
					t.Errorf("after %v: got %q, %v; want it after %v", took, chunk[:n], err, c.want)
				}
			})
		})
	}
}

func TestMessageExpires(t *testing.T) {
	t.Parallel()
	inBubble(t, mqtt.Config{}, func(b *bubble) {
		connect := codec.Connect{Version: 5, ClientID: []byte("c"), SessionExpiry: 3600}
		p := b.open(&connect)
		p.subscribe(codec.QoS1, "a")
		_ = p.nc.Close()
		synctest.Wait()
		pub := b.open(&codec.Connect{Version: 5, ClientID: []byte("pub")})
		for i, expiry := range []uint32{10, 100, 0xFFFFFFFF} {
			pub.send(&codec.Publish{
				Message:  codec.Message{Topic: []byte("a"), QoS: 1, HasExpiry: true, Expiry: expiry, Payload: []byte{'0' + byte(i)}},
				PacketID: 1,
			})
			expect[*codec.Puback](pub)
		}
		time.Sleep(30 * time.Second) //nolint:forbidigo // time is made up
		p = b.open(&connect)
		for i, want := range []uint32{70, 604770} {
			m := p.receive("a", string(rune('1'+i)))
			if m.Expiry != want {
				t.Errorf("%s: got %d s left, want %d", m.Payload, m.Expiry, want)
			}
		}
		p.quiet()
	})
}

func TestRateLimitSlowsTheReaderDown(t *testing.T) {
	t.Parallel()
	inBubble(t, mqtt.Config{Limits: mqtt.Limits{PublishRate: 10}}, func(b *bubble) {
		p := b.open(&codec.Connect{Version: 4, ClientID: []byte("c"), CleanStart: true})
		begun := time.Now()
		for range 110 {
			p.publish(codec.QoS1, "a", "x")
		}
		if took := time.Since(begun); took < 9*time.Second || took > 11*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"muster/test/internal/harness"
)

const pumpJobs = "$aws/things/pump/jobs/"

// TestMQTTSession misses notifications and gets them when it comes back, in
// order: while the server runs, after it was stopped, and after it was killed
// right behind the acknowledgement of a job, when not even the session knows of it.
func TestMQTTSession(t *testing.T) {
	t.Parallel()
	for _, version := range []int{3, 5} {
		t.Run(fmt.Sprint("mqtt", version), func(t *testing.T) {
			t.Parallel()
			g := plainGateway(t, "")
			g.thing(t, "pump")
			d := dialing{version: version, id: "pump", keep: true, plain: g.plain}
			l := connect(t, d)
			if l.resumed {
				t.Error("a new client has a session")
			}
			check(t, "subscribe", l.subscribe(t.Context(), pumpJobs+"notify", pumpJobs+"notify-next"))
			missed := []struct {
				name string
				away func()
			}{
				{"disconnected", func() {}},
				{"stopped", func() { harness.StopNow(t, g.Server) }},
				{"killed", func() { check(t, "kill", g.Kill()) }},
			}
			for _, m := range missed {
				l.close()
				g.job(t, m.name, "pump")
				m.away()
				if g.Ended() {
					g.serve(t, harness.Config{Data: g.Data()})
					d.plain = g.plain
				}
				l = connect(t, d)
				if !l.resumed {
					t.Errorf("%s: the session is lost", m.name)
				}
				l.expectJob(t, m.name)
				check(t, "finish", l.publish(t.Context(), pumpJobs+m.name+"/update", `{"status":"SUCCEEDED"}`))
				l.expectIdle(t)
			}
		})
	}
}

// expectJob receives until a job is told to be next, and the list before that.
// Messages may come again.
func (l *link) expectJob(t *testing.T, id string) {
	t.Helper()
	listed := false
	for {
		m := l.receive(t)
		here := strings.Contains(m.payload, `"jobId":"`+id+`"`)
		switch {
		case m.topic == pumpJobs+"notify":
			listed = listed || here
		case here && !listed:
			t.Fatalf("%s is next before it is in the list", id)
		case here:
			return
		}
	}
}

// expectIdle receives until nothing is next.
func (l *link) expectIdle(t *testing.T) {
	t.Helper()
	for {
		m := l.receive(t)
		if m.topic == pumpJobs+"notify-next" && !strings.Contains(m.payload, "execution") {
			return
		}
	}
}

// TestMQTTKill kills the server under devices that work: what was acknowledged
// over MQTT has happened.
func TestMQTTKill(t *testing.T) {
	t.Parallel()
	g := plainGateway(t, "")
	g.thing(t, "pump")
	l := connect(t, dialing{version: 5, id: "pump", plain: g.plain})
	for _, id := range numbered("job-", 5) {
		g.job(t, id, "pump")
		m := l.request(t, pumpJobs+id+"/update", `{"status":"IN_PROGRESS"}`)
		for m.topic != pumpJobs+id+"/update/accepted" {
			m = l.receive(t)
		}
		check(t, "kill", g.Kill())
		select {
		case err := <-l.lost:
			t.Logf("the client has noticed: %v", err)
		case <-time.After(soon):
			t.Fatal("the client has not noticed the end of the server")
		}
		g.serve(t, harness.Config{Data: g.Data()})
		l = connect(t, dialing{version: 5, id: "pump", plain: g.plain})
		m = l.request(t, pumpJobs+id+"/update", `{"status":"SUCCEEDED","expectedVersion":2}`)
		if m.topic != pumpJobs+id+"/update/accepted" {
			t.Errorf("%s: got %v", id, m)
		}
	}
}

// TestMQTTTakeover lets one client id connect again and again: the last one
// stays, with the session. A session is of one version of MQTT: the other begins
// a new one.
func TestMQTTTakeover(t *testing.T) {
	t.Parallel()
	g := plainGateway(t, "")
	g.thing(t, "pump")
	d := dialing{version: 5, id: "pump", keep: true, plain: g.plain}
	l := connect(t, d)
	for i, version := range []int{5, 3, 3, 3} {
		before := d.version
		d.version = version
		next := connect(t, d)
		select {
		case err := <-l.lost:
			t.Logf("the client has noticed: %v", err)
		case <-time.After(soon):
			t.Fatal("both stay")
		}
		if got, want := next.resumed, version == before; got != want {
			t.Errorf("MQTT %d after %d: the session is resumed: got %t, want %t", version, before, got, want)
		}
		l = next
		if i == 1 {
			check(t, "subscribe", l.subscribe(t.Context(), pumpJobs+"notify", pumpJobs+"notify-next"))
		}
	}
	g.job(t, "job", "pump")
	l.expectJob(t, "job")
	if m := l.request(t, pumpJobs+"start-next", ""); m.topic != pumpJobs+"start-next/accepted" || !strings.Contains(m.payload, "IN_PROGRESS") {
		t.Errorf("start: got %v", m)
	}
}

// TestMQTTCrowd connects one client id many times at once: one is left, and it
// is served.
func TestMQTTCrowd(t *testing.T) {
	t.Parallel()
	g := plainGateway(t, "")
	g.thing(t, "pump")
	links := make(chan *link, 20)
	for i := range cap(links) {
		go func() {
			l, err := dial(t.Context(), dialing{version: 3 + i%2*2, id: "crowd", plain: g.plain})
			if err != nil {
				l = nil // taken over before CONNACK
			}
			links <- l
		}()
	}
	var alive []*link
	for range cap(links) {
		if l := <-links; l != nil {
			t.Cleanup(l.close)
			alive = append(alive, l)
		}
	}
	harness.Wait(t, soon, "one of the crowd to be left", func(context.Context) error {
		left := 0
		for _, l := range alive {
			if len(l.lost) == 0 {
				left++
			}
		}
		if left == 0 {
			return harness.Final(errors.New("nobody is left"))
		}
		if left > 1 {
			return fmt.Errorf("%d are left", left)
		}
		return nil
	})
	for _, l := range alive {
		if len(l.lost) == 0 {
			if m := l.request(t, pumpJobs+"get", ""); m.topic != pumpJobs+"get/accepted" {
				t.Errorf("the one that is left got %v", m)
			}
		}
	}
}

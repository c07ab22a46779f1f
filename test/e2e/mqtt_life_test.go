package e2e_test

import (
	"crypto/tls"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/internal/wire"
)

// lifeFile is the life of a thing with four jobs, line by line:
//
//	job 1                      an operator makes job 1 for the thing
//	http start                 the device asks for the next job over HTTP
//	http update 1 SUCCEEDED    the device reports over HTTP
//	> TOPIC PAYLOAD            the device publishes
//	< TOPIC PAYLOAD            it receives, next and in this order
//
// Topics are those below $aws/things/NAME/jobs/.
const lifeFile = "testdata/mqtt_life.txt"

// TestMQTTLife lives it with either version of MQTT, over each transport. What
// clients receive is the same, to the byte. They subscribe to notifications
// only: replies come to who asks.
func TestMQTTLife(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile(lifeFile)
	check(t, "read the script", err)
	g := newGateway(t)
	key, err := g.Credentials()
	check(t, "credentials", err)
	for _, version := range []int{3, 5} {
		for transport, d := range map[string]dialing{
			"tcp": {plain: g.plain},
			"tls": {secure: g.secure, tls: &tls.Config{RootCAs: g.ca.pool(), Certificates: []tls.Certificate{g.certificate}}},
			"web": {web: presigned(t, g.Server, key, time.Now())},
		} {
			d.version, d.id = version, fmt.Sprintf("client-%d-%s", version, transport)
			thing := fmt.Sprintf("mqtt%d-%s", version, transport)
			t.Run(thing, func(t *testing.T) {
				t.Parallel()
				g.thing(t, thing)
				l := &life{gateway: g, link: connect(t, d), thing: thing}
				check(t, "subscribe", l.link.subscribe(t.Context(), l.topic("notify"), l.topic("notify-next")))
				got := l.live(t, string(script))
				if diff := cmp.Diff(strings.Split(string(script), "\n"), strings.Split(got, "\n")); diff != "" {
					t.Errorf("-script +got:\n%s", diff)
				}
			})
		}
	}
}

// life plays a script for one thing.
type life struct {
	gateway *gateway
	link    *link
	thing   string
}

func (l *life) topic(name string) string { return "$aws/things/" + l.thing + "/jobs/" + name }

// live does what the lines of a script say, and returns it with what was
// received in place of what should be.
func (l *life) live(t *testing.T, script string) string {
	t.Helper()
	mine, theirs := strings.NewReplacer("job-", l.thing+"-job-"), strings.NewReplacer(l.thing+"-job-", "job-")
	times := regexp.MustCompile(`("timestamp"|"[a-z]+[a-zA-Z]*At"):\d{10}\b`)
	var out strings.Builder
	for line := range strings.Lines(script) {
		verb, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		rest = mine.Replace(rest)
		switch verb {
		case "job":
			l.gateway.job(t, rest, l.thing)
		case "http":
			l.http(t, strings.Fields(rest))
		case ">":
			topic, payload, _ := strings.Cut(rest, " ")
			check(t, "publish", l.link.publish(t.Context(), l.topic(topic), payload))
		case "<":
			m := l.link.receive(t)
			m.topic = strings.TrimPrefix(m.topic, l.topic(""))
			line = "< " + times.ReplaceAllString(theirs.Replace(m.topic+" "+m.payload), "$1:T") + "\n"
		}
		out.WriteString(line)
	}
	return out.String()
}

// http is the device that uses the other protocol.
func (l *life) http(t *testing.T, words []string) {
	t.Helper()
	var err error
	if words[0] == "start" {
		_, err = l.gateway.own.StartNextPendingJobExecution(t.Context(), &wire.StartNextPendingJobExecutionRequest{ThingName: l.thing})
	} else {
		_, err = l.gateway.own.UpdateJobExecution(t.Context(), &wire.UpdateJobExecutionRequest{
			ThingName: l.thing, JobID: words[1], Status: words[2],
		})
	}
	check(t, "http "+words[0], err)
}

// TestMQTTReplies are for who has asked, once, subscribed or not.
func TestMQTTReplies(t *testing.T) {
	t.Parallel()
	g := plainGateway(t, "")
	g.thing(t, "pump")
	const get = "$aws/things/pump/jobs/get"
	asker := connect(t, dialing{version: 5, id: "asker", plain: g.plain})
	watcher := connect(t, dialing{version: 3, id: "watcher", plain: g.plain})
	check(t, "subscribe", watcher.subscribe(t.Context(), "$aws/things/+/jobs/#"))
	for _, token := range []string{"unsubscribed", "subscribed"} {
		// The second reply would come after a copy of the first.
		for _, n := range []string{"1", "2"} {
			m := asker.request(t, get, `{"clientToken":"`+token+n+`"}`)
			if m.topic != get+"/accepted" || !strings.HasPrefix(m.payload, `{"clientToken":"`+token+n+`"`) {
				t.Errorf("%s %s: got %v", token, n, m)
			}
		}
		check(t, "subscribe", asker.subscribe(t.Context(), get+"/+"))
	}
	if m := watcher.request(t, get, `{"clientToken":"mine"}`); !strings.HasPrefix(m.payload, `{"clientToken":"mine"`) {
		t.Errorf("the watcher got %v", m)
	}
}

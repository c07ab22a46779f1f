package e2e_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	awsv2 "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/coder/websocket"
	"github.com/eclipse/paho.golang/packets"
	paho5 "github.com/eclipse/paho.golang/paho"
	paho3 "github.com/eclipse/paho.mqtt.golang"

	"muster/internal/auth/sigv4"
	"muster/test/internal/harness"
)

// message is what a client has received.
type message struct{ topic, payload string }

// link is a connected MQTT client: Paho of either version.
type link struct {
	inbox     chan message
	lost      chan error                                             // why the connection has ended, unless by close
	over      context.Context                                        // ends with that, for the same reason
	end       context.CancelCauseFunc                                // of over
	resumed   bool                                                   // the server had a session
	publish   func(ctx context.Context, topic, payload string) error // QoS 1, acknowledged
	subscribe func(ctx context.Context, filters ...string) error     // QoS 1
	close     func()                                                 // DISCONNECT
	hangUp    func()                                                 // waits for nothing
}

// dialing says how to connect.
type dialing struct {
	version int           // 3 or 5
	id      string        // client id
	keep    bool          // the session, for ten minutes at least
	within  time.Duration // how long connecting may take; 0 is soon
	// Where to, and as whom. Exactly one of plain, secure and web is set.
	plain, secure string      // host:port
	tls           *tls.Config // for secure
	web           string      // URL
}

// dial connects. Nothing stays open if that fails.
func dial(ctx context.Context, d dialing) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(d.within, soon))
	defer cancel()
	l := &link{inbox: make(chan message, 1000), lost: make(chan error, 1)}
	l.over, l.end = context.WithCancelCause(context.Background())
	if d.version == 3 {
		return l, l.dial3(d)
	}
	return l, l.dial5(ctx, d)
}

// lose notes the first reason.
func (l *link) lose(err error) {
	l.end(err)
	select {
	case l.lost <- err:
	default:
	}
}

// dial3 connects with MQTT 3.1.1.
func (l *link) dial3(d dialing) error {
	o := paho3.NewClientOptions().SetClientID(d.id).SetCleanSession(!d.keep).SetProtocolVersion(4).
		SetAutoReconnect(false).SetConnectTimeout(cmp.Or(d.within, soon)).SetTLSConfig(d.tls).
		SetDefaultPublishHandler(func(_ paho3.Client, m paho3.Message) { l.inbox <- message{m.Topic(), string(m.Payload())} }).
		SetConnectionLostHandler(func(_ paho3.Client, err error) { l.lose(err) })
	switch {
	case d.plain != "":
		o.AddBroker("tcp://" + d.plain)
	case d.secure != "":
		o.AddBroker("ssl://" + d.secure)
	default:
		o.AddBroker(d.web)
	}
	c := paho3.NewClient(o)
	done := func(ctx context.Context, t paho3.Token) error {
		select {
		case <-t.Done():
			return t.Error()
		case <-ctx.Done():
			return ctx.Err()
		case <-l.over.Done():
			return context.Cause(l.over)
		case <-time.After(soon):
			return errors.New("no acknowledgement")
		}
	}
	l.publish = func(ctx context.Context, topic, payload string) error {
		return done(ctx, c.Publish(topic, 1, false, payload))
	}
	l.subscribe = func(ctx context.Context, filters ...string) error {
		wanted := make(map[string]byte)
		for _, f := range filters {
			wanted[f] = 1
		}
		return done(ctx, c.SubscribeMultiple(wanted, nil))
	}
	l.close, l.hangUp = func() { c.Disconnect(1000) }, func() { c.Disconnect(0) }
	token, ok := c.Connect().(*paho3.ConnectToken)
	if !ok {
		return errors.New("paho: not a token of CONNECT")
	}
	if !token.WaitTimeout(cmp.Or(d.within, soon)) {
		c.Disconnect(0)
		return errors.New("no CONNACK")
	}
	l.resumed = token.SessionPresent()
	return token.Error()
}

// dial5 connects with MQTT 5.
func (l *link) dial5(ctx context.Context, d dialing) error {
	nc, err := d.conn(ctx)
	if err != nil {
		return err
	}
	c := paho5.NewClient(paho5.ClientConfig{
		Conn: packets.NewThreadSafeConn(nc), PacketTimeout: soon, // its pings come between the parts of other packets else
		OnPublishReceived: []func(paho5.PublishReceived) (bool, error){func(r paho5.PublishReceived) (bool, error) {
			l.inbox <- message{r.Packet.Topic, string(r.Packet.Payload)}
			return true, nil
		}},
		OnServerDisconnect: func(p *paho5.Disconnect) { l.lose(fmt.Errorf("DISCONNECT with reason %#x", p.ReasonCode)) },
		OnClientError:      l.lose,
	})
	connect := &paho5.Connect{ClientID: d.id, KeepAlive: 30, CleanStart: !d.keep, Properties: &paho5.ConnectProperties{}}
	if d.keep {
		connect.Properties.SessionExpiryInterval = awsv2.Uint32(600)
	}
	ack, err := c.Connect(ctx, connect)
	if err != nil {
		return errors.Join(err, nc.Close())
	}
	l.resumed = ack.SessionPresent
	l.publish = func(ctx context.Context, topic, payload string) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(l.over, func() { cancel(context.Cause(l.over)) })()
		_, err := c.Publish(ctx, &paho5.Publish{Topic: topic, QoS: 1, Payload: []byte(payload)})
		return err
	}
	l.subscribe = func(ctx context.Context, filters ...string) error {
		s := new(paho5.Subscribe)
		for _, f := range filters {
			s.Subscriptions = append(s.Subscriptions, paho5.SubscribeOptions{Topic: f, QoS: 1})
		}
		_, err := c.Subscribe(ctx, s)
		return err
	}
	l.close, l.hangUp = func() { _ = c.Disconnect(&paho5.Disconnect{}) }, func() { _ = nc.Close() }
	return nil
}

// conn returns the connection that MQTT 5 goes over.
func (d dialing) conn(ctx context.Context) (net.Conn, error) {
	switch {
	case d.plain != "":
		return new(net.Dialer).DialContext(ctx, "tcp", d.plain)
	case d.secure != "":
		return (&tls.Dialer{Config: d.tls}).DialContext(ctx, "tcp", d.secure)
	}
	ws, resp, err := websocket.Dial(ctx, d.web, &websocket.DialOptions{Subprotocols: []string{"mqtt"}}) //nolint:bodyclose // of a WebSocket there is none
	if err != nil {
		return nil, err
	}
	if got := resp.Header.Get("Sec-Websocket-Protocol"); got != "mqtt" {
		return nil, fmt.Errorf("subprotocol %q", got)
	}
	return websocket.NetConn(context.WithoutCancel(ctx), ws, websocket.MessageBinary), nil
}

// connect is dial that must succeed. The link is closed at the end of the test.
func connect(t *testing.T, d dialing) *link {
	t.Helper()
	l, err := dial(t.Context(), d)
	check(t, fmt.Sprintf("connect %s with MQTT %d", d.id, d.version), err)
	t.Cleanup(l.close)
	return l
}

// receive returns the next message.
func (l *link) receive(t *testing.T) message {
	t.Helper()
	select {
	case m := <-l.inbox:
		return m
	case err := <-l.lost:
		t.Fatalf("no message: the connection is lost: %v", err)
	case <-time.After(soon):
		t.Fatalf("no message within %s", soon)
	}
	return message{}
}

// request publishes to a topic and returns the next message.
func (l *link) request(t *testing.T, topic, payload string) message {
	t.Helper()
	check(t, "publish "+topic, l.publish(t.Context(), topic, payload))
	return l.receive(t)
}

// presigned returns the URL at which a client may open a WebSocket, signed by
// the SDK of AWS as browsers do.
func presigned(t *testing.T, s *harness.Server, c sigv4.Credentials, at time.Time) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/mqtt?X-Amz-Expires=900", nil)
	check(t, "request", err)
	const nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // SHA-256 of an empty body
	key := awsv2.Credentials{AccessKeyID: c.KeyID, SecretAccessKey: c.Secret}
	url, _, err := v4.NewSigner().PresignHTTP(t.Context(), key, r, nothing, "iotdevicegateway", harness.Region, at)
	check(t, "presign", err)
	return "ws" + strings.TrimPrefix(url, "http")
}

package dial

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"muster/internal/agent"
)

// version311 is MQTT 3.1.1 in a CONNECT packet.
const version311 = 4

// writeWait is how long a message may take to be handed to the network.
const writeWait = 10 * time.Second

// conn3 is a connection of MQTT 3.1.1.
type conn3 struct {
	inbox
	client mqtt.Client
}

func (m *MQTT) connect3(ctx context.Context, filters []string) (agent.Conn, error) {
	network, err := m.open(ctx)
	if err != nil {
		return nil, err
	}
	c := &conn3{inbox: newInbox()}
	o := mqtt.NewClientOptions().AddBroker(m.url.String()).SetClientID(m.cfg.ClientID).
		SetProtocolVersion(version311).SetCleanSession(true).SetKeepAlive(m.cfg.KeepAlive).
		SetAutoReconnect(false).SetConnectTimeout(connectWait).SetWriteTimeout(writeWait).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return network, nil }).
		SetDefaultPublishHandler(func(_ mqtt.Client, msg mqtt.Message) { c.put(msg.Topic(), msg.Payload()) }).
		SetConnectionLostHandler(func(mqtt.Client, error) { c.end() })
	c.client = mqtt.NewClient(o)
	if err := wait(ctx, c.client.Connect()); err != nil {
		_ = network.Close() // what matters is why it is not used
		return nil, fmt.Errorf("dial: %w", err)
	}
	wanted := make(map[string]byte)
	for _, f := range filters {
		wanted[f] = 1
	}
	t := c.client.SubscribeMultiple(wanted, nil)
	if err := wait(ctx, t); err != nil {
		_ = c.Close() // what matters is why it is not used
		return nil, fmt.Errorf("dial: subscribe: %w", err)
	}
	if s, ok := t.(*mqtt.SubscribeToken); ok {
		for f, granted := range s.Result() {
			if granted > 2 {
				_ = c.Close() // what matters is why it is not used
				return nil, fmt.Errorf("dial: the server refuses the subscription to %s", f)
			}
		}
	}
	return c, nil
}

// wait returns how what t stands for has ended.
func wait(ctx context.Context, t mqtt.Token) error {
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Publish implements agent.Conn.
func (c *conn3) Publish(ctx context.Context, topic string, payload []byte) error {
	select {
	case <-c.ended: // the library would wait for the whole of writeWait
		return errClosed
	default:
	}
	return wait(ctx, c.client.Publish(topic, 1, false, payload))
}

// Close implements agent.Conn.
func (c *conn3) Close() error {
	c.end()
	c.client.Disconnect(0)
	return nil
}

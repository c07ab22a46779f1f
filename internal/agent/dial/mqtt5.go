package dial

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"muster/internal/agent"
)

// unsupportedVersion is the reason of a server that does not know MQTT 5.
const unsupportedVersion = 0x84

// conn5 is a connection of MQTT 5.
type conn5 struct {
	inbox
	client *paho.Client
}

func (m *MQTT) connect5(ctx context.Context, filters []string) (agent.Conn, error) {
	network, err := m.open(ctx)
	if err != nil {
		return nil, err
	}
	c := &conn5{inbox: newInbox()}
	c.client = paho.NewClient(paho.ClientConfig{
		Conn:          packets.NewThreadSafeConn(network),
		PacketTimeout: connectWait,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			c.put(p.Packet.Topic, p.Packet.Payload)
			return true, nil
		}},
	})
	maximum := uint16(receiveMaximum)
	ack, err := c.client.Connect(ctx, &paho.Connect{
		ClientID:   m.cfg.ClientID,
		CleanStart: true,
		KeepAlive:  uint16(m.cfg.KeepAlive / time.Second),
		Properties: &paho.ConnectProperties{ReceiveMaximum: &maximum},
	})
	if err != nil {
		_ = network.Close() // the library does so, too, but for some errors
		switch {
		case ack != nil && ack.ReasonCode == unsupportedVersion, network.old.Load():
			return nil, errors.Join(errVersion, err)
		case ack != nil:
			return nil, fmt.Errorf("dial: the server refuses %s with reason 0x%02x", m.cfg.ClientID, ack.ReasonCode)
		case ctx.Err() == nil:
			return nil, errors.Join(errHungUp, err)
		}
		return nil, fmt.Errorf("dial: %w", err)
	}
	go func() {
		<-c.client.Done()
		c.end()
	}()
	s := &paho.Subscribe{}
	for _, f := range filters {
		s.Subscriptions = append(s.Subscriptions, paho.SubscribeOptions{Topic: f, QoS: 1})
	}
	if _, err := c.client.Subscribe(ctx, s); err != nil {
		return nil, errors.Join(fmt.Errorf("dial: subscribe: %w", err), c.Close())
	}
	return c, nil
}

// Publish implements agent.Conn.
func (c *conn5) Publish(ctx context.Context, topic string, payload []byte) error {
	_, err := c.client.Publish(ctx, &paho.Publish{Topic: topic, QoS: 1, Payload: payload})
	return err
}

// Close implements agent.Conn.
func (c *conn5) Close() error {
	select {
	case <-c.ended: // the library's Disconnect is not made for being called again
		return nil
	default:
	}
	c.end() // the library waits for all that it has handed out
	return c.client.Disconnect(&paho.Disconnect{})
}

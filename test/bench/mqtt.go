package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"muster/internal/mqtt/codec"
)

// keepAlive is long enough for a device never to have to say that it is there.
const keepAlive = 1200

// mqttConn is a device's connection over MQTT. It sends packets that were
// encoded before, and looks at those that come no more than it must: little of
// the shared CPU is to go into it.
type mqttConn struct {
	net.Conn
	in  *bufio.Reader
	ack [4]byte
}

// broker is where MQTT is spoken: in clear, or over TLS with a certificate for
// each device.
type broker struct {
	address string
	ca      *authority // nil: in clear
}

// open connects to a broker and says nothing yet.
func (b broker) open(ctx context.Context, id string) (*mqttConn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", b.address)
	if err != nil {
		return nil, err
	}
	if b.ca != nil {
		secure, err := b.ca.client(id)
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		c := tls.Client(conn, secure)
		if err := c.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		conn = c
	}
	return &mqttConn{Conn: conn, in: bufio.NewReaderSize(conn, 1<<10), ack: [4]byte{byte(codec.TypePuback) << 4, 2}}, nil
}

// connect connects a device over MQTT 3.1.1. With keep its session outlives the
// connection, and resumed says whether it was there already.
func (b broker) connect(ctx context.Context, id string, keep bool) (c *mqttConn, resumed bool, err error) {
	c, err = b.open(ctx, id)
	if err != nil {
		return nil, false, err
	}
	hello, err := (&codec.Connect{Version: codec.V311, ClientID: []byte(id), CleanStart: !keep, KeepAlive: keepAlive}).Append(nil, codec.V311)
	if err != nil {
		return nil, false, errors.Join(err, c.Close())
	}
	answer, err := c.call(hello, codec.TypeConnack)
	if err == nil && answer[1] != 0 {
		err = fmt.Errorf("the server refuses %s with %d", id, answer[1])
	}
	if err != nil {
		return nil, false, errors.Join(err, c.Close())
	}
	return c, answer[0] == 1, nil
}

// subscribe asks for messages of QoS 1.
func (c *mqttConn) subscribe(filters ...string) error {
	s := codec.Subscribe{PacketID: 1}
	for _, f := range filters {
		s.Filters = append(s.Filters, codec.Subscription{Filter: []byte(f), QoS: codec.QoS1})
	}
	packet, err := s.Append(nil, codec.V311)
	if err != nil {
		return err
	}
	answer, err := c.call(packet, codec.TypeSuback)
	if err == nil && !bytes.Equal(answer[2:], bytes.Repeat([]byte{1}, len(filters))) {
		err = fmt.Errorf("the server answers %v to subscriptions to %q", answer[2:], filters)
	}
	return err
}

// call sends a packet and returns the body of the next one, which must be of a type.
func (c *mqttConn) call(packet []byte, want codec.Type) ([]byte, error) {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if _, err := c.Write(packet); err != nil {
		return nil, err
	}
	first, body, err := c.receive()
	if err == nil && codec.Type(first>>4) != want {
		err = fmt.Errorf("got %v instead of %v", codec.Type(first>>4), want)
	}
	return body, err
}

// receive returns the first byte and the body of the next packet. The body is
// valid until the next call.
func (c *mqttConn) receive() (first byte, body []byte, err error) {
	first, err = c.in.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	n, err := binary.ReadUvarint(c.in) // MQTT writes lengths in the same way
	if err != nil {
		return 0, nil, err
	}
	body, err = c.in.Peek(int(n))
	if err != nil {
		return 0, nil, err
	}
	_, err = c.in.Discard(int(n))
	return first, body, err
}

// message returns topic and payload of the next packet, which must be a message
// of QoS 1, and acknowledges it. Both are valid until the next call.
func (c *mqttConn) message() (topic, payload []byte, err error) {
	first, body, err := c.receive()
	if err != nil {
		return nil, nil, err
	}
	if codec.Type(first>>4) != codec.TypePublish || first>>1&3 != 1 {
		return nil, nil, fmt.Errorf("got %v instead of a message of QoS 1", codec.Type(first>>4))
	}
	n := 2 + int(binary.BigEndian.Uint16(body))
	copy(c.ack[2:], body[n:n+2])
	_, err = c.Write(c.ack[:])
	return body[2:n], body[n+2:], err
}

// request sends a message of QoS 1 and waits for its acknowledgment and for the
// answer, which must be an acceptance.
func (c *mqttConn) request(packet []byte) error {
	if _, err := c.call(packet, codec.TypePuback); err != nil {
		return err
	}
	topic, payload, err := c.message()
	if err == nil && !bytes.HasSuffix(topic, []byte("/accepted")) {
		err = fmt.Errorf("%s: %s", topic, payload)
	}
	return err
}

// messageOf returns a packet with a message of QoS 1.
func messageOf(topic string, payload []byte) ([]byte, error) {
	p := codec.Publish{PacketID: 1, Message: codec.Message{QoS: codec.QoS1, Topic: []byte(topic), Payload: payload}}
	return p.Append(nil, codec.V311)
}

// updatePacket is the report of progress of a thing, in which the name of the
// thing and the progress are written over.
type updatePacket struct {
	packet          []byte
	thing, progress int // where their digits are
}

func newUpdatePacket() (*updatePacket, error) {
	body := appendUpdateBody(nil, 0)
	body = append(body[:len(body)-1], `,"clientToken":"`+benchToken+`"}`...)
	packet, err := messageOf("$aws/things/"+thingName(0)+"/jobs/"+liveJob+"/update", body)
	return &updatePacket{
		packet: packet, thing: bytes.Index(packet, []byte("0000000")), progress: bytes.Index(packet, []byte(`"10"`)) + 1,
	}, err
}

// benchToken is what all devices put on their requests.
const benchToken = "0123456789abcdef"

// of returns the packet for a thing and its progress, as thingName and details
// have them. It is valid until the next call.
func (u *updatePacket) of(thing, progress int) []byte {
	for i := u.thing + 6; i >= u.thing; i-- {
		u.packet[i] = '0' + byte(thing%10)
		thing /= 10
	}
	progress = 10 + progress%90
	u.packet[u.progress], u.packet[u.progress+1] = '0'+byte(progress/10), '0'+byte(progress%10)
	return u.packet
}

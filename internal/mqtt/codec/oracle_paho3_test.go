package codec_test

import (
	"bytes"
	"fmt"

	"muster/internal/mqtt/codec"

	paho3 "github.com/eclipse/paho.mqtt.golang/packets"
)

// paho3Oracle is the codec of the Eclipse client for MQTT 3.1.1. Like its
// sibling it is compared by what it reads.
var paho3Oracle = oracle{
	name: "paho.mqtt.golang",
	decode: func(wire []byte, v codec.Version) (codec.Packet, error) {
		cp, err := readPaho3(wire, v)
		if err != nil {
			return nil, err
		}
		return packetFromPaho3(cp)
	},
	encode: func(wire []byte, v codec.Version) ([]byte, error) {
		cp, err := readPaho3(wire, v)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		err = cp.Write(&b)
		return b.Bytes(), err
	},
}

func readPaho3(wire []byte, v codec.Version) (paho3.ControlPacket, error) {
	if v >= codec.V5 || !framed(wire) {
		return nil, errSkip
	}
	return paho3.ReadPacket(bytes.NewReader(wire))
}

func packetFromPaho3(cp paho3.ControlPacket) (codec.Packet, error) {
	switch c := cp.(type) {
	case *paho3.ConnectPacket:
		if c.ProtocolVersion != byte(codec.V311) {
			return nil, errSkip // reads all of them alike
		}
		p := &codec.Connect{
			Version: codec.Version(c.ProtocolVersion), CleanStart: c.CleanSession, KeepAlive: c.Keepalive, ClientID: []byte(c.ClientIdentifier),
			HasWill: c.WillFlag, UserName: []byte(c.Username), Password: c.Password,
		}
		if c.WillFlag {
			p.Will.Message = codec.Message{Topic: []byte(c.WillTopic), Payload: c.WillMessage, QoS: codec.QoS(c.WillQos), Retain: c.WillRetain}
		}
		return p, nil
	case *paho3.ConnackPacket:
		return &codec.Connack{SessionPresent: c.SessionPresent, Reason: reasonFrom(c.ReturnCode, codec.V311)}, nil
	case *paho3.PublishPacket:
		return &codec.Publish{
			Message: codec.Message{Topic: []byte(c.TopicName), Payload: c.Payload, QoS: codec.QoS(c.Qos), Retain: c.Retain},
			Dup:     c.Dup, PacketID: c.MessageID,
		}, nil
	case *paho3.PubackPacket:
		return &codec.Puback{PacketID: c.MessageID}, nil
	case *paho3.SubscribePacket:
		p := &codec.Subscribe{PacketID: c.MessageID}
		for i, topic := range c.Topics {
			p.Filters = append(p.Filters, codec.Subscription{Filter: []byte(topic), QoS: codec.QoS(c.Qoss[i])})
		}
		return p, nil
	case *paho3.SubackPacket:
		return &codec.Suback{PacketID: c.MessageID, Reasons: reasonsFrom(c.ReturnCodes)}, nil
	case *paho3.UnsubscribePacket:
		p := &codec.Unsubscribe{PacketID: c.MessageID}
		for _, topic := range c.Topics {
			p.Filters = append(p.Filters, []byte(topic))
		}
		return p, nil
	case *paho3.UnsubackPacket:
		return &codec.Unsuback{PacketID: c.MessageID}, nil
	case *paho3.PingreqPacket:
		return &codec.Pingreq{}, nil
	case *paho3.PingrespPacket:
		return &codec.Pingresp{}, nil
	case *paho3.DisconnectPacket:
		return &codec.Disconnect{}, nil
	}
	return nil, fmt.Errorf("packet of QoS 2: %v", cp)
}

package codec_test

import (
	"bytes"
	"errors"

	"muster/internal/mqtt/codec"

	paho5 "github.com/eclipse/paho.golang/packets"
)

// paho5Oracle is the codec of the Eclipse client for MQTT 5. It checks next to
// nothing, so that only what it reads says something.
var paho5Oracle = oracle{
	name: "paho.golang",
	decode: func(wire []byte, v codec.Version) (codec.Packet, error) {
		cp, err := readPaho5(wire, v)
		if err != nil {
			return nil, err
		}
		return packetFromPaho5(cp)
	},
	encode: func(wire []byte, v codec.Version) ([]byte, error) {
		cp, err := readPaho5(wire, v)
		if err != nil {
			return nil, err
		}
		if c, ok := cp.Content.(*paho5.Connect); ok && c.WillFlag {
			return nil, errSkip // writes the properties of wills as if they were those of CONNECT
		}
		var b bytes.Buffer
		_, err = cp.WriteTo(&b)
		return b.Bytes(), err
	},
	forget: func(p codec.Packet) {
		if p, ok := p.(*codec.Publish); ok && len(p.SubscriptionIDs) > 1 {
			p.SubscriptionIDs = p.SubscriptionIDs[len(p.SubscriptionIDs)-1:]
		}
	},
}

func readPaho5(wire []byte, v codec.Version) (*paho5.ControlPacket, error) {
	if v < codec.V5 || !framed(wire) {
		return nil, errSkip
	}
	if bytes.Equal(wire, []byte{0xe0, 0x00}) {
		return nil, errSkip // cannot read a DISCONNECT without a reason
	}
	return paho5.ReadPacket(bytes.NewReader(wire))
}

func packetFromPaho5(cp *paho5.ControlPacket) (codec.Packet, error) {
	switch c := cp.Content.(type) {
	case *paho5.Connect:
		return connectFromPaho5(c), nil
	case *paho5.Connack:
		return connackFromPaho5(c), nil
	case *paho5.Publish:
		p := &codec.Publish{
			Message: messageFromPaho5(c.Properties, c.Topic, c.Payload, c.QoS, c.Retain),
			Dup:     c.Duplicate, PacketID: c.PacketID, Alias: value(c.Properties.TopicAlias),
		}
		if id := c.Properties.SubscriptionIdentifier; id != nil {
			p.SubscriptionIDs = []uint32{uint32(*id)}
		}
		return p, nil
	case *paho5.Puback:
		return &codec.Puback{
			PacketID: c.PacketID, Reason: codec.Reason(c.ReasonCode),
			ReasonString: []byte(c.Properties.ReasonString), User: userFromPaho5(c.Properties),
		}, nil
	case *paho5.Subscribe:
		p := &codec.Subscribe{PacketID: c.PacketID, SubscriptionID: uint32(value(c.Properties.SubscriptionIdentifier)), User: userFromPaho5(c.Properties)}
		for _, s := range c.Subscriptions {
			p.Filters = append(p.Filters, codec.Subscription{
				Filter: []byte(s.Topic), QoS: codec.QoS(s.QoS), NoLocal: s.NoLocal, RetainAsPublished: s.RetainAsPublished,
				RetainHandling: codec.RetainHandling(s.RetainHandling),
			})
		}
		return p, nil
	case *paho5.Suback:
		return &codec.Suback{
			PacketID: c.PacketID, Reasons: reasonsFrom(c.Reasons),
			ReasonString: []byte(c.Properties.ReasonString), User: userFromPaho5(c.Properties),
		}, nil
	case *paho5.Unsubscribe:
		p := &codec.Unsubscribe{PacketID: c.PacketID, User: userFromPaho5(c.Properties)}
		for _, s := range c.Topics {
			p.Filters = append(p.Filters, []byte(s))
		}
		return p, nil
	case *paho5.Unsuback:
		return &codec.Unsuback{
			PacketID: c.PacketID, Reasons: reasonsFrom(c.Reasons),
			ReasonString: []byte(c.Properties.ReasonString), User: userFromPaho5(c.Properties),
		}, nil
	case *paho5.Pingreq:
		return &codec.Pingreq{}, nil
	case *paho5.Pingresp:
		return &codec.Pingresp{}, nil
	case *paho5.Disconnect:
		return &codec.Disconnect{
			Reason: codec.Reason(c.ReasonCode), HasSessionExpiry: c.Properties.SessionExpiryInterval != nil,
			SessionExpiry: value(c.Properties.SessionExpiryInterval), ReasonString: []byte(c.Properties.ReasonString),
			ServerReference: []byte(c.Properties.ServerReference), User: userFromPaho5(c.Properties),
		}, nil
	case *paho5.Auth:
		return &codec.Auth{
			Reason: codec.Reason(c.ReasonCode), Method: []byte(c.Properties.AuthMethod), Data: c.Properties.AuthData,
			ReasonString: []byte(c.Properties.ReasonString), User: userFromPaho5(c.Properties),
		}, nil
	}
	return nil, errors.New("packet of QoS 2")
}

func connectFromPaho5(c *paho5.Connect) *codec.Connect {
	pp := c.Properties
	p := &codec.Connect{
		Version: codec.Version(c.ProtocolVersion), CleanStart: c.CleanStart, KeepAlive: c.KeepAlive, ClientID: []byte(c.ClientID),
		HasWill: c.WillFlag, UserName: []byte(c.Username), Password: c.Password,
		SessionExpiry: value(pp.SessionExpiryInterval), ReceiveMaximum: value(pp.ReceiveMaximum), MaximumPacketSize: value(pp.MaximumPacketSize),
		TopicAliasMaximum: value(pp.TopicAliasMaximum), RequestResponseInfo: value(pp.RequestResponseInfo) == 1,
		NoProblemInfo: isZero(pp.RequestProblemInfo), AuthMethod: []byte(pp.AuthMethod), AuthData: pp.AuthData, User: userFromPaho5(pp),
	}
	if c.WillFlag {
		p.Will = codec.Will{
			Delay:   value(c.WillProperties.WillDelayInterval),
			Message: messageFromPaho5(c.WillProperties, c.WillTopic, c.WillMessage, c.WillQOS, c.WillRetain),
		}
	}
	return p
}

func connackFromPaho5(c *paho5.Connack) *codec.Connack {
	pp := c.Properties
	return &codec.Connack{
		SessionPresent: c.SessionPresent, Reason: codec.Reason(c.ReasonCode),
		HasSessionExpiry: pp.SessionExpiryInterval != nil, SessionExpiry: value(pp.SessionExpiryInterval),
		ReceiveMaximum: value(pp.ReceiveMaximum), HasMaximumQoS: pp.MaximumQOS != nil, MaximumQoS: codec.QoS(value(pp.MaximumQOS)),
		NoRetain: isZero(pp.RetainAvailable), MaximumPacketSize: value(pp.MaximumPacketSize), AssignedClientID: []byte(pp.AssignedClientID),
		TopicAliasMaximum: value(pp.TopicAliasMaximum), ReasonString: []byte(pp.ReasonString), NoWildcards: isZero(pp.WildcardSubAvailable),
		NoSubscriptionIDs: isZero(pp.SubIDAvailable), NoShared: isZero(pp.SharedSubAvailable),
		HasServerKeepAlive: pp.ServerKeepAlive != nil, ServerKeepAlive: value(pp.ServerKeepAlive), ResponseInfo: []byte(pp.ResponseInfo),
		ServerReference: []byte(pp.ServerReference), AuthMethod: []byte(pp.AuthMethod), AuthData: pp.AuthData, User: userFromPaho5(pp),
	}
}

func messageFromPaho5(pp *paho5.Properties, topic string, payload []byte, qos byte, retain bool) codec.Message {
	return codec.Message{
		Topic: []byte(topic), Payload: payload, QoS: codec.QoS(qos), Retain: retain, PayloadIsText: value(pp.PayloadFormat) == 1,
		HasExpiry: pp.MessageExpiry != nil, Expiry: value(pp.MessageExpiry), ContentType: []byte(pp.ContentType),
		ResponseTopic: []byte(pp.ResponseTopic), CorrelationData: pp.CorrelationData, User: userFromPaho5(pp),
	}
}

func userFromPaho5(pp *paho5.Properties) codec.UserProperties {
	return userOf(pp.User, func(u paho5.User) (string, string) { return u.Key, u.Value })
}

// value returns what p points to, or zero.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func isZero(p *byte) bool { return p != nil && *p == 0 }

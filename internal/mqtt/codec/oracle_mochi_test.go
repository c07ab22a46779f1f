package codec_test

import (
	"bytes"
	"errors"
	"fmt"

	"muster/internal/mqtt/codec"

	mochi "github.com/mochi-mqtt/server/v2/packets"
)

// mochiOracle is the codec of the mochi broker, which reads both versions. It
// leaves many checks to its server or does without.
var mochiOracle = oracle{
	name:   "mochi",
	decode: decodeMochi,
	laxer: map[string]string{
		"MQTT-1.5.5-1":                        "takes longer forms of numbers",
		"packet goes on after its last field": "does not look",
		"packet ends inside a field":          "lets the last property end behind the properties",
		"MQTT-1.5.4-1":                        "takes bytes for user names",
		"MQTT-1.5.4-2":                        "takes bytes for user names",
		"MQTT-2.2.1-3":                        "takes acknowledgements of packet id 0",
		"packet has a property twice":         "the last one wins",
		"MQTT-3.3.2-8":                        "the last of two aliases wins, if only the first is 0",
		"property is neither 0 nor 1":         "takes any byte",
		"property is 0":                       "takes any number",
		"MQTT-3.1.2-2":                        "speaks MQTT 3.1",
		"MQTT-3.1.2-11":                       "takes the QoS of a will that is not there",
		"v3 MQTT-3.1.2-22":                    "left to its server",
		"v3 MQTT-3.1.3-8":                     "left to its server",
		"MQTT-3.2.2-1":                        "takes any flags of CONNACK",
		"MQTT-3.2.2-6":                        "takes the session of a refusal",
		"MQTT-4.7.0-1":                        "topics of wills and answers are left to its server",
		"MQTT-4.7.1-1":                        "filters are left to its server",
		"MQTT-4.7.1-2":                        "filters are left to its server",
		"MQTT-4.7.3-1":                        "filters are left to its server",
		"MQTT-4.8.2-1":                        "filters are left to its server",
		"MQTT-4.8.2-2":                        "filters are left to its server",
		"MQTT-3.8.3-4":                        "left to its server",
		"MQTT-3.8.3-5":                        "takes reserved options",
		"retain handling is 3":                "takes reserved options",
		"MQTT-3.2.2-12":                       "has QoS 2",
		"message of QoS 2":                    "has QoS 2",
		"packet belongs to the handshake of QoS 2": "has QoS 2",
		"authentication without a method":          "left to its server",
		"authentication data without a method":     "left to its server",
		"packet type is reserved":                  "reads AUTH of MQTT 3.1.1",
		"return code is reserved":                  "takes any reason code",
		"MQTT-3.2.2-8":                             "takes any reason code",
		"MQTT-3.4.2-1":                             "takes any reason code",
		"MQTT-3.9.3-2":                             "takes any reason code, and none",
		"v3 MQTT-3.9.3-2":                          "takes any reason code, and none",
		"MQTT-3.11.3-2":                            "takes any reason code, and none",
		"MQTT-3.14.2-1":                            "takes any reason code",
	},
}

var errMochi = errors.New("mochi panics")

func decodeMochi(wire []byte, v codec.Version) (p codec.Packet, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errMochi, r)
		}
	}()
	pk := mochi.Packet{ProtocolVersion: byte(v)}
	if err := pk.FixedHeader.Decode(wire[0]); err != nil {
		return nil, err
	}
	n, width, err := mochi.DecodeLength(bytes.NewReader(wire[1:]))
	if err != nil {
		return nil, err
	}
	if 1+width+n != len(wire) {
		return nil, errSkip // Cut is judged elsewhere
	}
	pk.FixedHeader.Remaining = n
	body := bytes.Clone(wire[1+width:])
	if skipMochi(pk.FixedHeader.Type, v, body) {
		return nil, errSkip
	}
	return readMochi(&pk, body)
}

// skipMochi reports whether mochi is known to misread the packet.
func skipMochi(typ byte, v codec.Version, body []byte) bool {
	switch codec.Type(typ) {
	case codec.TypeDisconnect: // drops a reason that stands alone, and a length that nothing follows
		return v >= codec.V5 && (len(body) == 1 || len(body) == 2 && body[1] != 0)
	case codec.TypeAuth: // wants a reason where it may be left out
		return len(body) == 0
	}
	return false
}

// errOf returns the error of a validation.
func errOf(c mochi.Code) error {
	if c == mochi.CodeSuccess {
		return nil
	}
	return c
}

func readMochi(pk *mochi.Packet, body []byte) (codec.Packet, error) {
	v := codec.Version(pk.ProtocolVersion)
	pp := &pk.Properties
	switch codec.Type(pk.FixedHeader.Type) {
	case codec.TypeConnect:
		pk.ProtocolVersion = 0
		if err := pk.ConnectDecode(body); err != nil {
			return nil, err
		}
		return connectFromMochi(pk), checkConnectMochi(pk)
	case codec.TypeConnack:
		err := pk.ConnackDecode(body)
		return connackFromMochi(pk), err
	case codec.TypePublish:
		err := pk.PublishDecode(body)
		p := &codec.Publish{
			Message: messageFromMochi(pp, pk.TopicName, pk.Payload, pk.FixedHeader.Qos, pk.FixedHeader.Retain),
			Dup:     pk.FixedHeader.Dup, PacketID: pk.PacketID, Alias: pp.TopicAlias,
		}
		for _, id := range pp.SubscriptionIdentifier {
			p.SubscriptionIDs = append(p.SubscriptionIDs, uint32(id))
		}
		pp.SubscriptionIdentifier = nil // right in a client
		return p, errors.Join(err, errOf(pk.PublishValidate(0xffff)))
	case codec.TypePuback:
		err := pk.PubackDecode(body)
		return &codec.Puback{
			PacketID: pk.PacketID, Reason: codec.Reason(pk.ReasonCode), ReasonString: []byte(pp.ReasonString), User: userFromMochi(pp),
		}, err
	case codec.TypePubrec, codec.TypePubrel, codec.TypePubcomp:
		return nil, nil
	case codec.TypeSubscribe:
		err := pk.SubscribeDecode(body)
		p := &codec.Subscribe{PacketID: pk.PacketID, User: userFromMochi(pp)}
		for _, s := range pk.Filters {
			p.SubscriptionID = uint32(s.Identifier)
			p.Filters = append(p.Filters, codec.Subscription{
				Filter: []byte(s.Filter), QoS: codec.QoS(s.Qos), NoLocal: s.NoLocal, RetainAsPublished: s.RetainAsPublished,
				RetainHandling: codec.RetainHandling(s.RetainHandling),
			})
		}
		return p, errors.Join(err, errOf(pk.SubscribeValidate()))
	case codec.TypeSuback:
		err := pk.SubackDecode(body)
		return &codec.Suback{
			PacketID: pk.PacketID, Reasons: reasonsFrom(pk.ReasonCodes), ReasonString: []byte(pp.ReasonString), User: userFromMochi(pp),
		}, err
	case codec.TypeUnsubscribe:
		err := pk.UnsubscribeDecode(body)
		p := &codec.Unsubscribe{PacketID: pk.PacketID, User: userFromMochi(pp)}
		for _, s := range pk.Filters {
			p.Filters = append(p.Filters, []byte(s.Filter))
		}
		return p, errors.Join(err, errOf(pk.UnsubscribeValidate()))
	case codec.TypeUnsuback:
		err := pk.UnsubackDecode(body)
		return &codec.Unsuback{
			PacketID: pk.PacketID, Reasons: reasonsFrom(pk.ReasonCodes), ReasonString: []byte(pp.ReasonString), User: userFromMochi(pp),
		}, err
	case codec.TypePingreq:
		return &codec.Pingreq{}, pk.PingreqDecode(body)
	case codec.TypePingresp:
		return &codec.Pingresp{}, pk.PingrespDecode(body)
	case codec.TypeDisconnect:
		err := pk.DisconnectDecode(body)
		return &codec.Disconnect{
			Reason: codec.Reason(pk.ReasonCode), HasSessionExpiry: pp.SessionExpiryIntervalFlag, SessionExpiry: pp.SessionExpiryInterval,
			ReasonString: []byte(pp.ReasonString), ServerReference: []byte(pp.ServerReference), User: userFromMochi(pp),
		}, err
	case codec.TypeAuth:
		err := pk.AuthDecode(body)
		return &codec.Auth{
			Reason: codec.Reason(pk.ReasonCode), Method: []byte(pp.AuthenticationMethod), Data: pp.AuthenticationData,
			ReasonString: []byte(pp.ReasonString), User: userFromMochi(pp),
		}, errors.Join(err, errOf(pk.AuthValidate()))
	}
	return nil, fmt.Errorf("type %d of MQTT %v", pk.FixedHeader.Type, v)
}

// checkConnectMochi is its validation but for two rules that nobody else has:
// passwords and payloads of wills may well be empty.
func checkConnectMochi(pk *mochi.Packet) error {
	c := *pk
	if c.Connect.PasswordFlag && len(c.Connect.Password) == 0 {
		c.Connect.Password = []byte{1}
	}
	if c.Connect.WillFlag && len(c.Connect.WillPayload) == 0 {
		c.Connect.WillPayload = []byte{1}
	}
	return errOf(c.ConnectValidate())
}

func connectFromMochi(pk *mochi.Packet) *codec.Connect {
	c, pp := &pk.Connect, &pk.Properties
	p := &codec.Connect{
		Version: codec.Version(pk.ProtocolVersion), CleanStart: c.Clean, KeepAlive: c.Keepalive, ClientID: []byte(c.ClientIdentifier),
		HasWill: c.WillFlag, UserName: c.Username, Password: c.Password,
		SessionExpiry: pp.SessionExpiryInterval, ReceiveMaximum: pp.ReceiveMaximum, MaximumPacketSize: pp.MaximumPacketSize,
		TopicAliasMaximum: pp.TopicAliasMaximum, RequestResponseInfo: pp.RequestResponseInfo == 1,
		NoProblemInfo: pp.RequestProblemInfoFlag && pp.RequestProblemInfo == 0,
		AuthMethod:    []byte(pp.AuthenticationMethod), AuthData: pp.AuthenticationData, User: userFromMochi(pp),
	}
	if c.WillFlag {
		p.Will = codec.Will{
			Delay:   c.WillProperties.WillDelayInterval,
			Message: messageFromMochi(&c.WillProperties, c.WillTopic, c.WillPayload, c.WillQos, c.WillRetain),
		}
	}
	return p
}

func connackFromMochi(pk *mochi.Packet) *codec.Connack {
	pp := &pk.Properties
	return &codec.Connack{
		SessionPresent: pk.SessionPresent, Reason: reasonFrom(pk.ReasonCode, codec.Version(pk.ProtocolVersion)),
		HasSessionExpiry: pp.SessionExpiryIntervalFlag, SessionExpiry: pp.SessionExpiryInterval, ReceiveMaximum: pp.ReceiveMaximum,
		HasMaximumQoS: pp.MaximumQosFlag, MaximumQoS: codec.QoS(pp.MaximumQos), NoRetain: pp.RetainAvailableFlag && pp.RetainAvailable == 0,
		MaximumPacketSize: pp.MaximumPacketSize, AssignedClientID: []byte(pp.AssignedClientID), TopicAliasMaximum: pp.TopicAliasMaximum,
		ReasonString: []byte(pp.ReasonString), NoWildcards: pp.WildcardSubAvailableFlag && pp.WildcardSubAvailable == 0,
		NoSubscriptionIDs: pp.SubIDAvailableFlag && pp.SubIDAvailable == 0, NoShared: pp.SharedSubAvailableFlag && pp.SharedSubAvailable == 0,
		HasServerKeepAlive: pp.ServerKeepAliveFlag, ServerKeepAlive: pp.ServerKeepAlive, ResponseInfo: []byte(pp.ResponseInfo),
		ServerReference: []byte(pp.ServerReference), AuthMethod: []byte(pp.AuthenticationMethod), AuthData: pp.AuthenticationData,
		User: userFromMochi(pp),
	}
}

func messageFromMochi(pp *mochi.Properties, topic string, payload []byte, qos byte, retain bool) codec.Message {
	return codec.Message{
		Topic: []byte(topic), Payload: payload, QoS: codec.QoS(qos), Retain: retain, PayloadIsText: pp.PayloadFormat == 1,
		HasExpiry: pp.MessageExpiryInterval != 0, Expiry: pp.MessageExpiryInterval, ContentType: []byte(pp.ContentType),
		ResponseTopic: []byte(pp.ResponseTopic), CorrelationData: pp.CorrelationData, User: userFromMochi(pp),
	}
}

func userFromMochi(pp *mochi.Properties) codec.UserProperties {
	return userOf(pp.User, func(u mochi.UserProperty) (string, string) { return u.Key, u.Val })
}

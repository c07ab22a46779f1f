package codec_test

import (
	"muster/internal/mqtt/codec"

	"pgregory.net/rapid"
)

// The generators draw packets that are right, and only what a version has, so
// that a packet that was written and read is the one that was drawn.

var texts = rapid.OneOf(
	rapid.SampledFrom([]string{"", "a", "device-1", "日本", "?SDK=Python&Version=1.5.4", "\x7f\uffff"}),
	rapid.StringOfN(rapid.RuneFrom([]rune("abc/ é🙂\ufeff")), 0, 40, -1),
)

func text(t *rapid.T, label string) []byte { return []byte(texts.Draw(t, label)) }

// maybe draws nil as often as not.
func maybe(t *rapid.T, label string, draw func(*rapid.T, string) []byte) []byte {
	if rapid.Bool().Draw(t, label+"?") {
		return draw(t, label)
	}
	return nil
}

func binary(t *rapid.T, label string) []byte {
	return append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, label)...)
}

// method draws the name of an authentication method. It is not empty, which
// others take for absent.
func method(t *rapid.T, label string) []byte {
	return []byte(rapid.SampledFrom([]string{"SCRAM-SHA-1", "é"}).Draw(t, label))
}

var topics = rapid.SampledFrom([]string{"t", "/", "a/b", "$aws/things/thing-1/jobs/$next/get", "日本/1", "a//b/"})

func topicName(t *rapid.T, label string) []byte { return []byte(topics.Draw(t, label)) }

var filters = rapid.SampledFrom([]string{"t", "#", "+", "a/#", "+/b/+", "$aws/things/+/jobs/#", "$share/g/a/+", "日本/+"})

func userProperties(t *rapid.T) codec.UserProperties {
	var u codec.UserProperties
	for range rapid.IntRange(0, 3).Draw(t, "pairs") {
		if err := u.Add(texts.Draw(t, "name"), texts.Draw(t, "value")); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

func packetID(t *rapid.T) uint16 { return rapid.Uint16Min(1).Draw(t, "packet id") }

func seconds(t *rapid.T, label string) uint32 {
	return rapid.SampledFrom([]uint32{0, 1, 3600, codec.SessionNeverExpires}).Draw(t, label)
}

// optional draws a number with the flag that says whether it is there.
func optional(t *rapid.T, label string) (has bool, n uint32) {
	if has = rapid.Bool().Draw(t, label+"?"); has {
		n = seconds(t, label)
	}
	return has, n
}

func reason(t *rapid.T, in codec.Type) codec.Reason {
	return rapid.SampledFrom(reasonsOf[in]).Draw(t, "reason")
}

func drawMessage(t *rapid.T, v codec.Version) codec.Message {
	m := codec.Message{
		Topic: topicName(t, "topic"), Payload: binary(t, "payload"),
		QoS: codec.QoS(rapid.IntRange(0, 1).Draw(t, "QoS")), Retain: rapid.Bool().Draw(t, "retain"),
	}
	if v >= codec.V5 {
		m.PayloadIsText = rapid.Bool().Draw(t, "payload is text")
		m.HasExpiry, m.Expiry = optional(t, "expiry")
		m.ContentType = maybe(t, "content type", text)
		m.ResponseTopic = maybe(t, "response topic", topicName)
		m.CorrelationData = maybe(t, "correlation data", binary)
		m.User = userProperties(t)
	}
	return m
}

func drawConnect(t *rapid.T, v codec.Version) codec.Packet {
	p := &codec.Connect{
		Version: v, CleanStart: rapid.Bool().Draw(t, "clean start"), KeepAlive: rapid.Uint16().Draw(t, "keep alive"),
		ClientID: text(t, "client id"), HasWill: rapid.Bool().Draw(t, "will?"), UserName: maybe(t, "user name", text),
	}
	if p.HasWill {
		p.Will.Message = drawMessage(t, v)
	}
	if v >= codec.V5 || p.UserName != nil {
		p.Password = maybe(t, "password", binary)
	}
	if v < codec.V5 {
		p.CleanStart = p.CleanStart || len(p.ClientID) == 0
		return p
	}
	if p.HasWill {
		p.Will.Delay = seconds(t, "delay")
	}
	p.SessionExpiry, p.ReceiveMaximum = seconds(t, "session expiry"), rapid.Uint16().Draw(t, "receive maximum")
	p.MaximumPacketSize, p.TopicAliasMaximum = rapid.Uint32().Draw(t, "maximum packet size"), rapid.Uint16().Draw(t, "alias maximum")
	p.RequestResponseInfo, p.NoProblemInfo = rapid.Bool().Draw(t, "response info"), rapid.Bool().Draw(t, "no problem info")
	if p.AuthMethod = maybe(t, "method", method); p.AuthMethod != nil {
		p.AuthData = maybe(t, "data", binary)
	}
	p.User = userProperties(t)
	return p
}

func drawConnack(t *rapid.T, v codec.Version) codec.Packet {
	if v < codec.V5 {
		p := &codec.Connack{Reason: rapid.SampledFrom([]codec.Reason{0, 0x84, 0x85, 0x86, 0x87, 0x88}).Draw(t, "reason")}
		p.SessionPresent = p.Reason == codec.Success && rapid.Bool().Draw(t, "session")
		return p
	}
	p := &codec.Connack{
		Reason:         reason(t, codec.TypeConnack),
		ReceiveMaximum: rapid.Uint16().Draw(t, "receive maximum"), MaximumPacketSize: rapid.Uint32().Draw(t, "maximum packet size"),
		AssignedClientID: maybe(t, "client id", text), TopicAliasMaximum: rapid.Uint16().Draw(t, "alias maximum"),
		ReasonString: maybe(t, "reason string", text), NoRetain: rapid.Bool().Draw(t, "no retain"),
		NoWildcards: rapid.Bool().Draw(t, "no wildcards"), NoSubscriptionIDs: rapid.Bool().Draw(t, "no ids"),
		NoShared: rapid.Bool().Draw(t, "no shared"), ResponseInfo: maybe(t, "response info", text),
		ServerReference: maybe(t, "reference", text), AuthMethod: maybe(t, "method", method), User: userProperties(t),
	}
	p.SessionPresent = p.Reason == codec.Success && rapid.Bool().Draw(t, "session")
	p.HasSessionExpiry, p.SessionExpiry = optional(t, "session expiry")
	if p.HasMaximumQoS = rapid.Bool().Draw(t, "maximum QoS?"); p.HasMaximumQoS {
		p.MaximumQoS = codec.QoS(rapid.IntRange(0, 1).Draw(t, "maximum QoS"))
	}
	if p.HasServerKeepAlive = rapid.Bool().Draw(t, "keep alive?"); p.HasServerKeepAlive {
		p.ServerKeepAlive = rapid.Uint16().Draw(t, "keep alive")
	}
	p.AuthData = maybe(t, "data", binary)
	return p
}

func drawPublish(t *rapid.T, v codec.Version) codec.Packet {
	p := &codec.Publish{Message: drawMessage(t, v)}
	if p.QoS > codec.QoS0 {
		p.PacketID, p.Dup = packetID(t), rapid.Bool().Draw(t, "dup")
	}
	if v >= codec.V5 {
		p.Alias = rapid.Uint16().Draw(t, "alias")
		if p.Alias != 0 && rapid.Bool().Draw(t, "alias alone") {
			p.Topic = []byte{}
		}
		ids := rapid.SampledFrom([]uint32{1, 127, 128, 1<<28 - 1})
		p.SubscriptionIDs = rapid.SliceOfN(ids, 0, 3).Draw(t, "subscription ids")
	}
	return p
}

func drawPuback(t *rapid.T, v codec.Version) codec.Packet {
	p := &codec.Puback{PacketID: packetID(t)}
	if v >= codec.V5 {
		p.Reason, p.ReasonString, p.User = reason(t, codec.TypePuback), maybe(t, "reason string", text), userProperties(t)
	}
	return p
}

func drawSubscribe(t *rapid.T, v codec.Version) codec.Packet {
	p := &codec.Subscribe{PacketID: packetID(t)}
	if v >= codec.V5 {
		p.SubscriptionID = rapid.SampledFrom([]uint32{0, 1, 1<<28 - 1}).Draw(t, "subscription id")
		p.User = userProperties(t)
	}
	for range rapid.IntRange(1, 4).Draw(t, "filters") {
		s := codec.Subscription{Filter: []byte(filters.Draw(t, "filter")), QoS: codec.QoS(rapid.IntRange(0, 2).Draw(t, "QoS"))}
		if v >= codec.V5 {
			_, _, shared := codec.SplitShare(s.Filter)
			s.NoLocal = !shared && rapid.Bool().Draw(t, "no local")
			s.RetainAsPublished = rapid.Bool().Draw(t, "retain as published")
			s.RetainHandling = codec.RetainHandling(rapid.IntRange(0, 2).Draw(t, "retain handling"))
		}
		p.Filters = append(p.Filters, s)
	}
	return p
}

func drawSuback(t *rapid.T, v codec.Version) codec.Packet {
	p := &codec.Suback{PacketID: packetID(t)}
	codes := reasonsOf[codec.TypeSuback]
	if v < codec.V5 {
		codes = []codec.Reason{0, 1, 2, 0x80}
	} else {
		p.ReasonString, p.User = maybe(t, "reason string", text), userProperties(t)
	}
	p.Reasons = rapid.SliceOfN(rapid.SampledFrom(codes), 1, 8).Draw(t, "reasons")
	return p
}

func drawUnsubscribe(t *rapid.T, v codec.Version) codec.Packet {
	p := &codec.Unsubscribe{PacketID: packetID(t)}
	if v >= codec.V5 {
		p.User = userProperties(t)
	}
	for range rapid.IntRange(1, 4).Draw(t, "filters") {
		p.Filters = append(p.Filters, []byte(filters.Draw(t, "filter")))
	}
	return p
}

func drawUnsuback(t *rapid.T, v codec.Version) codec.Packet {
	p := &codec.Unsuback{PacketID: packetID(t)}
	if v >= codec.V5 {
		p.ReasonString, p.User = maybe(t, "reason string", text), userProperties(t)
		p.Reasons = rapid.SliceOfN(rapid.SampledFrom(reasonsOf[codec.TypeUnsuback]), 1, 8).Draw(t, "reasons")
	}
	return p
}

func drawDisconnect(t *rapid.T, v codec.Version) codec.Packet {
	p := &codec.Disconnect{}
	if v >= codec.V5 {
		p.Reason, p.ReasonString = reason(t, codec.TypeDisconnect), maybe(t, "reason string", text)
		p.HasSessionExpiry, p.SessionExpiry = optional(t, "session expiry")
		p.ServerReference, p.User = maybe(t, "reference", text), userProperties(t)
	}
	return p
}

func drawAuth(t *rapid.T, _ codec.Version) codec.Packet {
	p := &codec.Auth{Method: maybe(t, "method", method)}
	if p.Method != nil {
		p.Reason, p.Data = reason(t, codec.TypeAuth), maybe(t, "data", binary)
		p.ReasonString, p.User = maybe(t, "reason string", text), userProperties(t)
	}
	return p
}

// drawPacket draws a version and a packet of any type that it has.
func drawPacket(t *rapid.T) (codec.Packet, codec.Version) {
	v := rapid.SampledFrom([]codec.Version{codec.V311, codec.V5}).Draw(t, "version")
	draws := []func(*rapid.T, codec.Version) codec.Packet{
		drawConnect, drawConnack, drawPublish, drawPuback, drawSubscribe, drawSuback, drawUnsubscribe, drawUnsuback, drawDisconnect,
		func(*rapid.T, codec.Version) codec.Packet { return &codec.Pingreq{} },
		func(*rapid.T, codec.Version) codec.Packet { return &codec.Pingresp{} },
	}
	if v >= codec.V5 {
		draws = append(draws, drawAuth)
	}
	return rapid.SampledFrom(draws).Draw(t, "type")(t, v), v
}

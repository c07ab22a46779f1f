package codectest

import "muster/internal/mqtt/codec"

func subscribes() []Fixture {
	return []Fixture{
		{
			Name: "all three levels", Version: codec.V311,
			Wire: "\x82\x13\x00\x07" + "\x00\x03a/b\x00" + "\x00\x01#\x01" + "\x00\x04+/+/\x02",
			Packet: &codec.Subscribe{PacketID: 7, Filters: []codec.Subscription{
				{Filter: b("a/b")}, {Filter: b("#"), QoS: codec.QoS1}, {Filter: b("+/+/"), QoS: codec.QoS2},
			}},
		},
		{
			Name: "shared in 3.1.1 too", Version: codec.V311,
			Wire: "\x82\x13\x00\x07" + "\x00\x0e$share/g/a/+/#\x01",
			Packet: &codec.Subscribe{PacketID: 7, Filters: []codec.Subscription{
				{Filter: b("$share/g/a/+/#"), QoS: codec.QoS1},
			}},
		},
		{
			Name: "what only looks like a share", Version: codec.V311,
			Wire: "\x82\x1a\x00\x07" + "\x00\x06$share\x00" + "\x00\x0c$shared/a/+/\x00",
			Packet: &codec.Subscribe{PacketID: 7, Filters: []codec.Subscription{
				{Filter: b("$share")}, {Filter: b("$shared/a/+/")},
			}},
		},
		{
			Name: "options of 5", Version: codec.V5,
			Wire: "\x82\x12\x00\x07\x00" + "\x00\x01a\x2d" + "\x00\x01b\x10" + "\x00\x04+//+\x02",
			Packet: &codec.Subscribe{PacketID: 7, Filters: []codec.Subscription{
				{Filter: b("a"), QoS: codec.QoS1, NoLocal: true, RetainAsPublished: true, RetainHandling: codec.RetainSendNever},
				{Filter: b("b"), RetainHandling: codec.RetainSendIfNew},
				{Filter: b("+//+"), QoS: codec.QoS2},
			}},
		},
		{
			Name: "subscription id and user properties", Version: codec.V5,
			Wire: "\x82\x11\x00\x07" + "\x0a\x0b\x80\x01\x26\x00\x01k\x00\x01v" + "\x00\x01a\x01",
			Packet: &codec.Subscribe{PacketID: 7, SubscriptionID: 128, User: User("k", "v"), Filters: []codec.Subscription{
				{Filter: b("a"), QoS: codec.QoS1},
			}},
		},
		{
			Name: "one subscription less", Version: codec.V311,
			Wire:   "\xa2\x05\x00\x07" + "\x00\x01#",
			Packet: &codec.Unsubscribe{PacketID: 7, Filters: [][]byte{b("#")}},
		},
		{
			Name: "two subscriptions less", Version: codec.V5,
			Wire: "\xa2\x12\x00\x07" + "\x07\x26\x00\x01k\x00\x01v" + "\x00\x01a" + "\x00\x03b/+",
			Packet: &codec.Unsubscribe{
				PacketID: 7, User: User("k", "v"), Filters: [][]byte{b("a"), b("b/+")},
			},
		},
	}
}

func subacks() []Fixture {
	return []Fixture{
		{
			Name: "all codes of 3.1.1", Version: codec.V311,
			Wire: "\x90\x06\x00\x07" + "\x00\x01\x02\x80",
			Packet: &codec.Suback{PacketID: 7, Reasons: []codec.Reason{
				codec.Success, codec.GrantedQoS1, codec.GrantedQoS2, codec.UnspecifiedError,
			}},
		},
		{
			Name: "some codes of 5", Version: codec.V5,
			Wire: "\x90\x0c\x00\x07" + "\x05\x1f\x00\x02no" + "\x01\x87\x8f\x97",
			Packet: &codec.Suback{PacketID: 7, ReasonString: b("no"), Reasons: []codec.Reason{
				codec.GrantedQoS1, codec.NotAuthorized, codec.TopicFilterInvalid, codec.QuotaExceeded,
			}},
		},
		{
			Name: "3.1.1 says nothing of the filters", Version: codec.V311,
			Wire:   "\xb0\x02\x00\x07",
			Packet: &codec.Unsuback{PacketID: 7},
		},
		{
			Name: "5 says which filters there were", Version: codec.V5,
			Wire:   "\xb0\x05\x00\x07" + "\x00" + "\x00\x11",
			Packet: &codec.Unsuback{PacketID: 7, Reasons: []codec.Reason{codec.Success, codec.NoSubscriptionExisted}},
		},
	}
}

package codectest

import "muster/internal/mqtt/codec"

const (
	userJS1     = "?SDK=JavaScript&Version=2.2.16"
	userPython1 = "?SDK=Python&Version=1.6.2"
	userJS2     = "?SDK=IoTDeviceSDK/JS&Platform=Unix&Metadata=(CRTVersion=1.33.1;IoTSDKVersion=1.28.0;IoTSDKFeature=F/5,G/A,I/A;IoTSDKMetricsVersion=1)"
	userPython2 = "?SDK=IoTDeviceSDK/Python&Platform=Unix&Metadata=(CRTVersion=0.36.1;IoTSDKVersion=1.31.0;IoTSDKFeature=F/3,G/A,I/A;IoTSDKMetricsVersion=1)"
)

// Captured returns first packets, and some later ones, that clients in wide use
// have sent to a socket.
func Captured() []Fixture {
	return []Fixture{
		{
			Name: "aws-iot-device-sdk 2.2.16 (JavaScript)", Version: codec.V311,
			Wire: "\x10\x35" + "\x00\x04MQTT\x04\x82\x01\x2c" + "\x00\x09test-jsv1" + "\x00\x1e" + userJS1,
			Packet: &codec.Connect{
				Version: codec.V311, CleanStart: true, KeepAlive: 300, ClientID: b("test-jsv1"), UserName: b(userJS1),
			},
		},
		{
			Name: "AWSIoTPythonSDK 1.6.2", Version: codec.V311,
			Wire: "\x10\x2b" + "\x00\x04MQTT\x04\x82\x02\x58" + "\x00\x04pyv1" + "\x00\x19" + userPython1,
			Packet: &codec.Connect{
				Version: codec.V311, CleanStart: true, KeepAlive: 600, ClientID: b("pyv1"), UserName: b(userPython1),
			},
		},
		{
			Name: "aws-iot-device-sdk-v2 1.28.0 (JavaScript), MQTT 5", Version: codec.V5,
			Wire: "\x10\x9f\x01" + "\x00\x04MQTT\x05\x82\x04\xb0" + "\x00" + "\x00\x0btest-jsv2-5" + "\x00\x85" + userJS2,
			Packet: &codec.Connect{
				Version: codec.V5, CleanStart: true, KeepAlive: 1200, ClientID: b("test-jsv2-5"), UserName: b(userJS2),
			},
		},
		{
			Name: "awsiotsdk 1.31.0 (Python), MQTT 3.1.1 with a will", Version: codec.V311,
			Wire: "\x10\xb0\x01" + "\x00\x04MQTT\x04\x8c\x01\x2c" + "\x00\x0btest-pyv2-3" + "\x00\x07gone/t1" + "\x00\x03bye" +
				"\x00\x89" + userPython2,
			Packet: &codec.Connect{
				Version: codec.V311, KeepAlive: 300, ClientID: b("test-pyv2-3"),
				HasWill:  true,
				Will:     codec.Will{Message: codec.Message{Topic: b("gone/t1"), Payload: b("bye"), QoS: codec.QoS1}},
				UserName: b(userPython2),
			},
		},
		{
			Name: "mqtt.js 5, MQTT 5", Version: codec.V5,
			Wire: "\x10\x35" + "\x00\x04MQTT\x05\x0e\x00\x3c" + "\x08\x11\x00\x00\x0e\x10\x21\x00\x64" + "\x00\x08mqttjs_5" +
				"\x05\x18\x00\x00\x00\x05" + "\x00\x0bgone/mqttjs" + "\x00\x03bye",
			Packet: &codec.Connect{
				Version: codec.V5, CleanStart: true, KeepAlive: 60, SessionExpiry: 3600, ReceiveMaximum: 100,
				ClientID: b("mqttjs_5"),
				HasWill:  true,
				Will:     codec.Will{Delay: 5, Message: codec.Message{Topic: b("gone/mqttjs"), Payload: b("bye"), QoS: codec.QoS1}},
			},
		},
		{
			Name: "paho-mqtt 2.2.0 (Python), MQTT 5", Version: codec.V5,
			Wire: "\x10\x41" + "\x00\x04MQTT\x05\xee\x00\x3c" + "\x0c\x11\x00\x00\x02\x58\x26\x00\x01k\x00\x01v" + "\x00\x09paho-py-5" +
				"\x00" + "\x00\x09gone/paho" + "\x00\x03bye" + "\x00\x04user" + "\x00\x06secret",
			Packet: &codec.Connect{
				Version: codec.V5, CleanStart: true, KeepAlive: 60, SessionExpiry: 600, User: User("k", "v"), ClientID: b("paho-py-5"),
				HasWill:  true,
				Will:     codec.Will{Message: codec.Message{Topic: b("gone/paho"), Payload: b("bye"), QoS: codec.QoS1, Retain: true}},
				UserName: b("user"), Password: b("secret"),
			},
		},
		{
			Name: "aws-iot-device-sdk 2.2.16 (JavaScript) subscribes for jobs", Version: codec.V311,
			Wire: "\x82\x4d\xb7\x00" + "\x00\x26$aws/things/t1/jobs/$next/get/accepted\x00" + "\x00\x1f$aws/things/t1/jobs/notify-next\x00",
			Packet: &codec.Subscribe{PacketID: 0xb700, Filters: []codec.Subscription{
				{Filter: b("$aws/things/t1/jobs/$next/get/accepted")}, {Filter: b("$aws/things/t1/jobs/notify-next")},
			}},
		},
		{
			Name: "aws-iot-device-sdk 2.2.16 (JavaScript) asks for the next job", Version: codec.V311,
			Wire:   "\x30\x21" + "\x00\x1d$aws/things/t1/jobs/$next/get" + "{}",
			Packet: &codec.Publish{Message: codec.Message{Topic: b("$aws/things/t1/jobs/$next/get"), Payload: b("{}")}},
		},
		{
			Name: "aws-iot-device-sdk-v2 1.28.0 (JavaScript) subscribes to answers", Version: codec.V5,
			Wire: "\x82\x26\x00\x01\x00" + "\x00\x20$aws/things/t1/jobs/start-next/+\x01",
			Packet: &codec.Subscribe{PacketID: 1, Filters: []codec.Subscription{
				{Filter: b("$aws/things/t1/jobs/start-next/+"), QoS: codec.QoS1},
			}},
		},
		{
			Name: "mqtt.js 5 disconnects with a reason and empty properties", Version: codec.V5,
			Wire:      "\xe0\x02\x00\x00",
			Packet:    &codec.Disconnect{},
			Canonical: "\xe0\x00",
		},
	}
}

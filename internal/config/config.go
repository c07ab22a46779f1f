// Package config holds the settings of muster serve: what they are, where they
// come from, and what is wrong with them.
//
// No setting is needed. Values come, weakest first, from the defaults, one TOML
// file, the environment (MUSTER_DATA) and flags (--data); the table in keys.go
// is all that the four have to agree on. Every fault is reported at once.
package config

import (
	"log/slog"
	"path/filepath"
	"time"
)

// Config is the settings of a server. Store and Cluster may hold passwords, which
// are never printed; of all other secrets it says only where they are.
// Relative paths are relative to the working directory.
type Config struct {
	// Data is the folder of everything that lasts: database, keys, credentials. It is made when missing.
	Data string
	// Store is the URL of a PostgreSQL database; empty is SQLite in Data.
	Store string
	// StoreConns is the most connections to PostgreSQL.
	StoreConns int64
	// Cluster is where other nodes reach this one, host:port, or the URLs of NATS
	// servers; empty is one node.
	Cluster string
	// ClusterAdvertise is the host:port by which other nodes know this one, if it is
	// not the one of Cluster.
	ClusterAdvertise string
	// ClusterCertFile, ClusterKeyFile and ClusterCAFile make the links between nodes TLS, in PEM.
	ClusterCertFile, ClusterKeyFile, ClusterCAFile string
	// Listen is the HTTP address, host:port. Port 0 takes any free one.
	Listen string
	// InsecureListen allows plain HTTP on an address that others can reach.
	InsecureListen bool
	// MQTTListen is the address of plain MQTT, host:port, on loopback only; "off"
	// is none. Unless set it is port 1883 of this machine, or any free port if
	// Listen takes one, and none with an MQTTBroker.
	MQTTListen string
	// MQTTSListen is the address of MQTT over TLS; empty is none. It needs the three files.
	MQTTSListen string
	// TLSCertFile and TLSKeyFile are the server's certificate and key, in PEM.
	TLSCertFile, TLSKeyFile string
	// DeviceCAFile is the PEM file with the CAs that device certificates must be signed by.
	DeviceCAFile string
	// MQTTSessionExpiry is the longest that the session of a device is kept while it
	// is away, and how long that of an MQTT 3.1.1 device is.
	MQTTSessionExpiry time.Duration
	// MQTTPublishRate is how many messages a second one connection may publish; 0 is
	// as many as it likes.
	MQTTPublishRate int64
	// MQTTQueueMessages and MQTTQueueBytes bound what waits for one device.
	MQTTQueueMessages, MQTTQueueBytes int64
	// MQTTRetainedMessages and MQTTRetainedBytes bound the retained messages of all topics.
	MQTTRetainedMessages, MQTTRetainedBytes int64
	// MQTTSubscriptions is the most subscriptions of one session.
	MQTTSubscriptions int64
	// MQTTPending is how many connections may wait to be authenticated at once.
	MQTTPending int64
	// MQTTBroker is the URL of an MQTT 5 broker that devices connect to; empty is
	// this server itself.
	MQTTBroker string
	// MQTTBrokerMode is how nodes share the requests that come by the broker: auto,
	// shared or single.
	MQTTBrokerMode string
	// MQTTBrokerCAFile is the PEM file with the CAs that the broker's certificate
	// must be signed by; empty is those of the system.
	MQTTBrokerCAFile string
	// MQTTBrokerCertFile and MQTTBrokerKeyFile are what the broker is shown, in PEM.
	MQTTBrokerCertFile, MQTTBrokerKeyFile string
	// MQTTBrokerUsername is the user name at the broker, MQTTBrokerPasswordFile the
	// file with the password.
	MQTTBrokerUsername, MQTTBrokerPasswordFile string
	// Account is the 12-digit account id in every ARN.
	Account string
	// Region is the region in every ARN, and of the requests that are served.
	Region string
	// AnyRegion serves requests that are signed for another region, under their own region's name.
	AnyRegion bool
	// Endpoint is what DescribeEndpoint answers, host or host:port. Unless set it
	// is the host of Listen, without the port: MQTT clients take it for a host name.
	Endpoint string
	// SignedHost is the host that clients sign, host or host:port, where a proxy in
	// front changes the Host header; empty is the one that requests come with.
	SignedHost string
	// MasterKeyFile is the file with the key that seals access keys at rest.
	MasterKeyFile string
	// LogLevel is the least level that is logged.
	LogLevel slog.Level
	// LogFormat is text or json.
	LogFormat string
	// ShutdownGrace is how long a stop waits for requests that are being served.
	ShutdownGrace time.Duration
	// BodyLimit is the most bytes that a request body may have.
	BodyLimit int64
	// ReadHeaderTimeout is how long a client may take to send its request header.
	ReadHeaderTimeout time.Duration
	// IdleTimeout is how long a connection is kept between requests.
	IdleTimeout time.Duration
	// SkewWindow is how far the date of a signature may be from the wall clock, either way.
	SkewWindow time.Duration
	// StrictTerminal makes devices that describe a finished execution see TerminalStateException.
	StrictTerminal bool
	// DeleteThingTypeWait is how long a thing type must be deprecated before it can be deleted.
	DeleteThingTypeWait time.Duration
	// Metrics serves /metrics.
	Metrics bool
	// Dev is for development: loopback only, any region.
	Dev bool
}

// Default returns the configuration of a server that was told nothing.
func Default() Config {
	c := Config{
		Data:                 "./muster-data",
		StoreConns:           16,
		Listen:               "127.0.0.1:8080",
		MQTTSessionExpiry:    time.Hour,
		MQTTQueueMessages:    1000,
		MQTTQueueBytes:       4 << 20,
		MQTTRetainedMessages: 5000,
		MQTTRetainedBytes:    64 << 20,
		MQTTSubscriptions:    50,
		MQTTPending:          4096,
		MQTTBrokerMode:       "auto",
		Account:              "123456789012",
		Region:               "us-east-1",
		LogLevel:             slog.LevelInfo,
		LogFormat:            "text",
		ShutdownGrace:        10 * time.Second,
		BodyLimit:            1 << 20,
		ReadHeaderTimeout:    10 * time.Second,
		IdleTimeout:          2 * time.Minute,
		SkewWindow:           5 * time.Minute,
		DeleteThingTypeWait:  5 * time.Minute,
		Metrics:              true,
	}
	c.derive(func(string, string) {})
	return c
}

// derive fills the settings that follow from others and tells which followed from which.
func (c *Config) derive(follows func(name, from string)) {
	if c.MasterKeyFile == "" {
		c.MasterKeyFile = filepath.Join(c.Data, "master.key")
		follows("masterKeyFile", "data")
	}
	if c.MQTTListen == "" && c.MQTTBroker != "" {
		c.MQTTListen = Off
		follows("mqttListen", "mqttBroker")
	}
	if c.MQTTListen == "" {
		c.MQTTListen = mqttAt(c.Listen)
		follows("mqttListen", "listen")
	}
	if c.Endpoint == "" {
		c.Endpoint = endpointAt(c.Listen)
		follows("endpoint", "listen")
	}
	if c.Dev && !c.AnyRegion {
		c.AnyRegion = true
		follows("anyRegion", "dev")
	}
}

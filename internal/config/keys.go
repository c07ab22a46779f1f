package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// keys returns every setting, in the order in which people want to read them.
// File, environment, flags and --print-config all follow from a row here.
func keys() []key {
	return slices.Concat(sharedKeys(), listenKeys(), brokerKeys(), serviceKeys())
}

// sharedKeys are settings of where the data is and who shares it.
func sharedKeys() []key {
	return []key{
		textKey("data", "folder of the database, keys and credentials",
			func(c *Config) *string { return &c.Data }, notEmpty),
		secretKey("store", "postgres://… of the database that this server shares with others; empty: SQLite in the data folder",
			func(c *Config) *string { return &c.Store }, emptyOr(postgresURL), hidePassword),
		intKey("storeConns", "most connections to PostgreSQL",
			func(c *Config) *int64 { return &c.StoreConns }, 4, 1000),
		secretKey("cluster", "how nodes reach each other: host:port to listen on, or nats://… or tls://… of NATS servers; empty: one node",
			func(c *Config) *string { return &c.Cluster }, emptyOr(hostPortOrNATS), hidePassword),
		textKey("clusterAdvertise", "host:port at which other nodes reach this one; empty: derived from cluster",
			func(c *Config) *string { return &c.ClusterAdvertise }, emptyOr(hostPort)),
		textKey("clusterCertFile", "PEM file with the certificate that this node shows to other nodes, and its chain",
			func(c *Config) *string { return &c.ClusterCertFile }, anything),
		textKey("clusterKeyFile", "PEM file with the key of that certificate",
			func(c *Config) *string { return &c.ClusterKeyFile }, anything),
		textKey("clusterCAFile", "PEM file with the CAs that the certificates of other nodes, or of the NATS servers, must be signed by",
			func(c *Config) *string { return &c.ClusterCAFile }, anything),
	}
}

// listenKeys are settings of the addresses that clients and devices connect to.
func listenKeys() []key {
	return []key{
		textKey("listen", "HTTP address, host:port; port 0 takes any free one",
			func(c *Config) *string { return &c.Listen }, hostPort),
		boolKey("insecureListen", "allow plain HTTP on an address that other machines can reach",
			func(c *Config) *bool { return &c.InsecureListen }),
		textKey("endpoint", "host or host:port that DescribeEndpoint answers; empty: derived from listen",
			func(c *Config) *string { return &c.Endpoint }, emptyOrHost()),
		textKey("signedHost", "host or host:port that clients sign, if a proxy in front changes the Host header; empty: the one that requests come with",
			func(c *Config) *string { return &c.SignedHost }, emptyOrHost()),
		textKey("mqttListen", "address of plain MQTT, loopback only, or off; empty: 127.0.0.1:1883, any free port if listen takes one",
			func(c *Config) *string { return &c.MQTTListen }, emptyOr(offOr(hostPort))),
		textKey("mqttsListen", "address of MQTT over TLS, host:port; empty: none",
			func(c *Config) *string { return &c.MQTTSListen }, emptyOr(hostPort)),
		textKey("tlsCertFile", "PEM file with the server's certificate and its chain, for MQTT over TLS",
			func(c *Config) *string { return &c.TLSCertFile }, anything),
		textKey("tlsKeyFile", "PEM file with the key of the server's certificate",
			func(c *Config) *string { return &c.TLSKeyFile }, anything),
		textKey("deviceCAFile", "PEM file with the CAs that device certificates must be signed by",
			func(c *Config) *string { return &c.DeviceCAFile }, anything),
		durationKey("mqttSessionExpiry", "the longest that the session of a device is kept while it is away",
			func(c *Config) *time.Duration { return &c.MQTTSessionExpiry }, time.Second, 7*24*time.Hour),
		intKey("mqttPublishRate", "most messages a second that one connection may publish; 0: no limit",
			func(c *Config) *int64 { return &c.MQTTPublishRate }, 0, 1_000_000),
		intKey("mqttQueueMessages", "most messages that wait for one device, connected or not",
			func(c *Config) *int64 { return &c.MQTTQueueMessages }, 10, 1<<14),
		sizeKey("mqttQueueBytes", "most bytes of messages that wait for one device",
			func(c *Config) *int64 { return &c.MQTTQueueBytes }, 256*kib, 1024*mib),
		intKey("mqttRetainedMessages", "most topics with a retained message",
			func(c *Config) *int64 { return &c.MQTTRetainedMessages }, 1, 10_000_000),
		sizeKey("mqttRetainedBytes", "most bytes of retained messages, all of which are in memory",
			func(c *Config) *int64 { return &c.MQTTRetainedBytes }, 256*kib, 1024*mib),
		intKey("mqttSubscriptions", "most subscriptions of one device",
			func(c *Config) *int64 { return &c.MQTTSubscriptions }, 1, 1000),
		intKey("mqttPending", "most connections that wait to be authenticated; beyond it the oldest are closed",
			func(c *Config) *int64 { return &c.MQTTPending }, 16, 1_000_000),
	}
}

// brokerKeys are settings of a broker that devices connect to instead.
func brokerKeys() []key {
	return []key{
		secretKey("mqttBroker", "URL of the MQTT 5 broker that devices connect to, such as mqtts://host:8883; empty: they connect to this server",
			func(c *Config) *string { return &c.MQTTBroker }, emptyOr(brokerURL), hidePassword),
		textKey("mqttBrokerMode", "how nodes share the requests that come by the broker: auto, shared, single",
			func(c *Config) *string { return &c.MQTTBrokerMode }, oneOf("auto", "shared", "single")),
		textKey("mqttBrokerCAFile", "PEM file with the CAs that the broker's certificate must be signed by; empty: those of the system",
			func(c *Config) *string { return &c.MQTTBrokerCAFile }, anything),
		textKey("mqttBrokerCertFile", "PEM file with the certificate that is shown to the broker, and its chain",
			func(c *Config) *string { return &c.MQTTBrokerCertFile }, anything),
		textKey("mqttBrokerKeyFile", "PEM file with the key of that certificate",
			func(c *Config) *string { return &c.MQTTBrokerKeyFile }, anything),
		textKey("mqttBrokerUsername", "user name at the broker",
			func(c *Config) *string { return &c.MQTTBrokerUsername }, anything),
		textKey("mqttBrokerPasswordFile", "file with the password at the broker",
			func(c *Config) *string { return &c.MQTTBrokerPasswordFile }, anything),
	}
}

// serviceKeys are settings of how requests are served.
func serviceKeys() []key {
	return []key{
		textKey("account", "account id in every ARN",
			func(c *Config) *string { return &c.Account }, matches(`[0-9]{12}`, "12 digits")),
		textKey("region", "region in every ARN, and the one that requests must be signed for",
			func(c *Config) *string { return &c.Region },
			matches(`[a-z][a-z0-9-]{0,31}`, "1 to 32 lower-case letters, digits and hyphens, a letter first")),
		boolKey("anyRegion", "serve requests signed for other regions under their own name",
			func(c *Config) *bool { return &c.AnyRegion }),
		textKey("masterKeyFile", "file with the key that seals access keys; empty: master.key in the data folder",
			func(c *Config) *string { return &c.MasterKeyFile }, anything),
		levelKey("logLevel", "least level that is logged: debug, info, warn, error",
			func(c *Config) *slog.Level { return &c.LogLevel }),
		textKey("logFormat", "form of log lines: text, json",
			func(c *Config) *string { return &c.LogFormat }, oneOf("text", "json")),
		durationKey("shutdownGrace", "how long a stop waits for requests that are being served",
			func(c *Config) *time.Duration { return &c.ShutdownGrace }, 0, time.Hour),
		// A job document of 32 KiB may come with every byte written as \u00xx.
		sizeKey("bodyLimit", "most bytes of a request body",
			func(c *Config) *int64 { return &c.BodyLimit }, 256*kib, 64*mib),
		durationKey("readHeaderTimeout", "how long a client may take to send a request header",
			func(c *Config) *time.Duration { return &c.ReadHeaderTimeout }, 100*time.Millisecond, 5*time.Minute),
		durationKey("idleTimeout", "how long a connection is kept between requests",
			func(c *Config) *time.Duration { return &c.IdleTimeout }, time.Second, time.Hour),
		durationKey("skewWindow", "how far the date of a signature may be off, either way",
			func(c *Config) *time.Duration { return &c.SkewWindow }, time.Second, 15*time.Minute),
		boolKey("strictTerminal", "refuse devices that describe a finished execution, with TerminalStateException",
			func(c *Config) *bool { return &c.StrictTerminal }),
		durationKey("deleteThingTypeWait", "how long a thing type must be deprecated before it can be deleted",
			func(c *Config) *time.Duration { return &c.DeleteThingTypeWait }, 0, 24*time.Hour),
		boolKey("metrics", "serve /metrics",
			func(c *Config) *bool { return &c.Metrics }),
		boolKey("dev", "development mode: any region, loopback only",
			func(c *Config) *bool { return &c.Dev }),
	}
}

func anything(string) error { return nil }

func emptyOr(check func(string) error) func(string) error {
	return func(s string) error {
		if s == "" {
			return nil
		}
		return check(s)
	}
}

// Off is the address of a listener that is not wanted.
const Off = "off"

func offOr(check func(string) error) func(string) error {
	return func(s string) error {
		if s == Off {
			return nil
		}
		return check(s)
	}
}

func notEmpty(s string) error {
	if s == "" {
		return errors.New("must not be empty")
	}
	return nil
}

func oneOf(choices ...string) func(string) error {
	return func(s string) error {
		if !slices.Contains(choices, s) {
			return fmt.Errorf("must be %s", strings.Join(choices, " or "))
		}
		return nil
	}
}

func matches(pattern, what string) func(string) error {
	re := regexp.MustCompile(`^(?:` + pattern + `)$`)
	return func(s string) error {
		if !re.MatchString(s) {
			return fmt.Errorf("must be %s", what)
		}
		return nil
	}
}

func hostPort(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil || !isPort(port) {
		return errors.New("must be host:port with a port from 0 to 65535, such as 127.0.0.1:8080")
	}
	return nil
}

// postgresURL accepts what is an address of PostgreSQL at first sight.
func postgresURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return errors.New("must be a URL such as postgres://muster@db.example.com/muster")
	}
	return nil
}

// hostPortOrNATS accepts an address to listen on, or URLs of NATS servers.
func hostPortOrNATS(s string) error {
	if !IsNATS(s) {
		if hostPort(s) != nil {
			return errors.New("must be host:port to listen on, such as 127.0.0.1:7422, or nats://… or tls://… of NATS servers")
		}
		return nil
	}
	for server := range strings.SplitSeq(s, ",") {
		u, err := url.Parse(server)
		if err != nil || u.Host == "" || !IsNATS(server) {
			return errors.New("must be URLs such as nats://bus.example.com:4222, separated by commas")
		}
	}
	return nil
}

// IsNATS reports whether the setting cluster names NATS servers.
func IsNATS(cluster string) bool {
	return strings.HasPrefix(cluster, "nats://") || strings.HasPrefix(cluster, "tls://")
}

// hidePassword takes what is secret out of a URL, or of several separated by
// commas. It does so also if they are malformed: that is when they are shown.
func hidePassword(s string) string {
	var urls []string
	for text := range strings.SplitSeq(s, ",") {
		if last := len(urls) - 1; last >= 0 && !strings.Contains(text, "://") { // a comma in a password, or another host
			urls[last] += "," + text
			continue
		}
		urls = append(urls, text)
	}
	for i, text := range urls {
		urls[i] = hideInURL(text)
	}
	return strings.Join(urls, ",")
}

// hideInURL is hidePassword for one URL.
func hideInURL(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	switch {
	case !ok && strings.ContainsAny(text, "@="): // user:password@host, or password=…
		return "…"
	case !ok:
		return text
	}
	rest, query, asked := strings.Cut(rest, "?")
	if strings.Contains(query, "@") { // most likely a password with a question mark
		return scheme + "://…"
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 { // the last one: others are of the password
		user, _, ok := strings.Cut(rest[:at], ":")
		switch {
		case ok:
			user += ":xxxxx"
		case IsNATS(text): // a token
			user = "xxxxx"
		}
		rest = user + rest[at:]
	}
	if asked {
		rest += "?" + hideInQuery(query)
	}
	return scheme + "://" + rest
}

// hideInQuery hides the values of parameters such as password and sslpassword.
func hideInQuery(query string) string {
	parameters := strings.Split(query, "&")
	for i, p := range parameters {
		name, _, _ := strings.Cut(p, "=")
		if strings.Contains(strings.ToLower(name), "password") {
			parameters[i] = name + "=xxxxx"
		}
	}
	return strings.Join(parameters, "&")
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// emptyOrHost accepts host and host:port, nothing of a URL beside them.
func emptyOrHost() func(string) error {
	name := regexp.MustCompile(`^[a-zA-Z0-9_]([a-zA-Z0-9._-]*[a-zA-Z0-9])?$`)
	return func(s string) error {
		host := s
		if h, port, err := net.SplitHostPort(s); err == nil && isPort(port) {
			host = h
		}
		if s != "" && net.ParseIP(host) == nil && !name.MatchString(host) {
			return errors.New("must be host or host:port, without a scheme or a path")
		}
		return nil
	}
}

package config

import (
	"net"
	"net/netip"
	"os"
)

// endpointAt returns the host at which others find a server that listens on
// listen: the host's name where it listens on all addresses. It has no port,
// because MQTT clients take the answer for a host name and bring their own port
// [DescribeEndpoint, endpointAddress].
func endpointAt(listen string) string {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return ""
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		name, err := os.Hostname()
		if err != nil {
			name = "localhost"
		}
		host = name
	}
	return host
}

// mqttAt returns the address of plain MQTT beside an HTTP listener.
func mqttAt(listen string) string {
	_, port, err := net.SplitHostPort(listen)
	if err == nil && port == "0" {
		return "127.0.0.1:0"
	}
	return "127.0.0.1:1883"
}

// isLoopback reports whether only this machine can reach listen. Names other
// than localhost are not looked up: what they mean can change.
func isLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

package config

import (
	"cmp"
	"net"
	"net/netip"
	"os"
)

// EndpointAt returns what DescribeEndpoint answers for a server whose listener
// is bound to address bound, such as "127.0.0.1:41873".
func (c Config) EndpointAt(bound string) string {
	return cmp.Or(c.Endpoint, endpointAt(bound))
}

// endpointAt returns the address at which others find a server that listens on
// listen: the host's name where it listens on all addresses, and "" where the
// port is not known yet.
func endpointAt(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" {
		return ""
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		name, err := os.Hostname()
		if err != nil {
			name = "localhost"
		}
		host = name
	}
	return net.JoinHostPort(host, port)
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

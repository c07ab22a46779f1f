package mqtt

import (
	"crypto/tls"
	"slices"
)

// The protocols that devices offer in the TLS handshake [AWS IoT Core, Device
// communication protocols].
const (
	// ALPNCertificate is MQTT with a client certificate.
	ALPNCertificate = "x-amzn-mqtt-ca"
	// ALPNCustom is MQTT with credentials of a custom authorizer.
	ALPNCustom = "mqtt"
)

// DeviceTLS returns base with what devices need: their certificate is asked for
// and, if required, must be there. It proves the possession of its key and
// nothing else: which certificates are welcome is for the Connect hook to say.
// The protocols that AWS clients offer are accepted, and so are none and others.
// There are no session tickets, so that every connection proves itself.
func DeviceTLS(base *tls.Config, require bool) *tls.Config {
	c := base.Clone()
	c.NextProtos = []string{ALPNCertificate, ALPNCustom}
	c.SessionTicketsDisabled = true
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	c.ClientAuth = tls.RequestClientCert
	if require {
		c.ClientAuth = tls.RequireAnyClientCert
	}
	lenient := c.Clone()
	lenient.NextProtos = nil
	c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		known := func(p string) bool { return slices.Contains(c.NextProtos, p) }
		if len(h.SupportedProtos) > 0 && !slices.ContainsFunc(h.SupportedProtos, known) {
			return lenient, nil // crypto/tls would refuse: nothing in common
		}
		return nil, nil
	}
	return c
}

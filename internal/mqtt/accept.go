package mqtt

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"math"
	"time"

	"github.com/google/uuid"

	"muster/internal/mqtt/codec"
)

// accept decides on a CONNECT and, if the client is welcome, makes k its connection.
func (k *conn) accept(f codec.Frame) *ending {
	var p codec.Connect
	if f.Type != codec.TypeConnect {
		return clientError(&codec.Error{Reason: codec.ProtocolError, Rule: "MQTT-3.1.0-1", Text: "first packet is not CONNECT"})
	}
	if err := p.Decode(f, 0); err != nil {
		k.version = p.Version
		return k.refuse(codec.ReasonOf(err), eventClientError, err)
	}
	k.version = p.Version
	if reason, err := k.check(&p); err != nil {
		return k.refuse(reason, eventClientError, err)
	}
	assigned := len(p.ClientID) == 0
	k.who.ID = string(p.ClientID)
	if assigned {
		k.who.ID = "auto-" + uuid.NewString()
	}
	k.session = uuid.NewString()
	if end := k.authenticate(&p); end != nil {
		return end
	}
	if !k.srv.known(k) {
		return &ending{event: eventServerInitiated, err: errCrowded}
	}
	k.prepare(&p)
	return k.enter(&p, assigned)
}

var errCrowded = errors.New("too many connections have waited to be authenticated")

// check refuses what the limits do not allow.
func (k *conn) check(p *codec.Connect) (codec.Reason, error) {
	l := &k.srv.limits
	switch {
	case len(p.ClientID) > l.ClientID || len(p.ClientID) > 0 && p.ClientID[0] == '$':
		return codec.ClientIDNotValid, errors.New("client id is too long or begins with $")
	case p.AuthMethod != nil:
		return codec.BadAuthenticationMethod, errors.New("extended authentication is not supported")
	}
	w := &p.Will
	switch {
	case !p.HasWill:
	case len(w.Payload) > l.Payload || w.User.Size() > l.UserProperties:
		return codec.QuotaExceeded, errors.New("will is too long")
	case !l.fits(string(w.Topic)) || reserved(string(w.Topic)):
		return codec.TopicNameInvalid, errors.New("topic of the will is not allowed")
	}
	return codec.Success, nil
}

// authenticate asks the Connect hook.
func (k *conn) authenticate(p *codec.Connect) *ending {
	hook := k.srv.cfg.Hooks.Connect
	if hook == nil {
		return nil
	}
	r := &ConnectRequest{
		ClientID: k.who.ID, Version: byte(k.version), Username: string(p.UserName), Password: p.Password,
		Listener: k.listener, Remote: k.nc.RemoteAddr(), HTTP: k.http,
	}
	if t, ok := k.nc.(*tls.Conn); ok {
		s := t.ConnectionState()
		r.ALPN = s.NegotiatedProtocol
		if len(s.PeerCertificates) > 0 {
			r.Certificate = s.PeerCertificates[0]
			sum := sha256.Sum256(r.Certificate.Raw)
			r.Fingerprint = hex.EncodeToString(sum[:])
		}
	}
	ctx, cancel := context.WithDeadline(k.srv.ctx, k.deadline)
	defer cancel()
	var err error
	k.who.Principal, err = hook(ctx, r)
	if err == nil {
		return nil
	}
	refusal, ok := errors.AsType[Refusal](err)
	if !ok {
		k.srv.log.Error("mqtt: connect hook failed", "client", k.who.ID, "err", err)
		return k.refuse(codec.ServerUnavailable, eventServerError, err)
	}
	k.srv.connectFailed(k)
	if refusal == BadCredentials {
		return k.refuse(codec.BadUserNameOrPassword, eventAuthError, err)
	}
	return k.refuse(codec.NotAuthorized, eventAuthError, err)
}

// refuse answers a CONNECT with a reason not to accept it.
func (k *conn) refuse(reason codec.Reason, event string, err error) *ending {
	k.srv.metrics.connects.WithLabelValues(k.listener, "refused").Inc()
	if _, ok := reason.ReturnCode(); k.version == codec.V5 && reason.In(codec.TypeConnack) || k.version == codec.V311 && ok {
		k.send(&codec.Connack{Reason: reason})
	}
	return &ending{event: event, err: err}
}

// prepare takes over what the client has asked for.
func (k *conn) prepare(p *codec.Connect) {
	l := &k.srv.limits
	k.keepAlive = l.keepAlive(p.KeepAlive)
	k.maxSend = math.MaxInt
	if p.MaximumPacketSize > 0 {
		k.maxSend = int(p.MaximumPacketSize)
	}
	if p.HasWill {
		k.will = newWill(&p.Will, k, l)
	}
}

// expiry returns how long the session is to be kept after the connection
// [AWS IoT Core, MQTT persistent sessions].
func (k *conn) expiry(p *codec.Connect) time.Duration {
	most := k.srv.limits.SessionExpiry
	switch {
	case k.version == codec.V5:
		return min(time.Duration(p.SessionExpiry)*time.Second, most)
	case p.CleanStart:
		return 0
	}
	return most
}

// enter makes k the connection of its client and says so.
func (k *conn) enter(p *codec.Connect, assigned bool) *ending {
	expiry := k.expiry(p)
	window := k.srv.limits.InFlight
	if p.ReceiveMaximum > 0 {
		window = min(window, int(p.ReceiveMaximum))
	}
	cl, end := k.srv.claim(k, p.CleanStart)
	if end != nil {
		return end
	}
	present, wait := k.srv.attach(k, cl, p.CleanStart, expiry, window)
	if wait == nil {
		return &ending{event: eventDuplicate}
	}
	err := wait.wait(k.srv.ctx)
	if errors.Is(err, ErrNotOwner) {
		return &ending{event: eventDuplicate} // another node has the client by now
	}
	if err != nil {
		k.srv.log.Error("mqtt: session cannot be kept", "client", k.who.ID, "err", err)
		end = k.refuse(codec.ServerUnavailable, eventServerError, err)
		end.noWill = true // it was never connected
		return end
	}
	a := &codec.Connack{SessionPresent: present}
	if k.version == codec.V5 {
		k.describe(a, p, expiry, assigned)
	}
	if !k.client.open(k, a) {
		return &ending{event: eventDuplicate}
	}
	k.srv.metrics.connects.WithLabelValues(k.listener, "accepted").Inc()
	k.srv.connected(k)
	return nil
}

// describe tells a client of MQTT 5 what it may do.
func (k *conn) describe(a *codec.Connack, p *codec.Connect, expiry time.Duration, assigned bool) {
	l := &k.srv.limits
	if seconds := uint32(expiry / time.Second); seconds != p.SessionExpiry {
		a.HasSessionExpiry, a.SessionExpiry = true, seconds
	}
	a.ReceiveMaximum = uint16(l.InFlight)
	a.HasMaximumQoS, a.MaximumQoS = true, codec.QoS1
	a.MaximumPacketSize = uint32(l.Packet)
	a.TopicAliasMaximum = uint16(l.TopicAliases)
	a.HasServerKeepAlive, a.ServerKeepAlive = true, uint16(k.keepAlive/time.Second)
	a.NoSubscriptionIDs = true
	if assigned {
		a.AssignedClientID = []byte(k.who.ID)
	}
}

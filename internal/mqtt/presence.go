package mqtt

import (
	"encoding/json"
	"net"
	"strings"
	"sync"
	"time"
)

// event is a lifecycle event, in the order of its members
// [AWS IoT Core, Lifecycle events].
type event struct {
	ClientID                  string   `json:"clientId"`
	ThingName                 string   `json:"thingName,omitempty"`
	Timestamp                 int64    `json:"timestamp"`
	EventType                 string   `json:"eventType"`
	ConnectFailureReason      string   `json:"connectFailureReason,omitempty"`
	ClientInitiatedDisconnect *bool    `json:"clientInitiatedDisconnect,omitempty"`
	DisconnectReason          string   `json:"disconnectReason,omitempty"`
	SessionIdentifier         string   `json:"sessionIdentifier"`
	PrincipalIdentifier       string   `json:"principalIdentifier"`
	Topics                    []string `json:"topics,omitempty"`
	IPAddress                 string   `json:"ipAddress,omitempty"`
	VersionNumber             *int64   `json:"versionNumber,omitempty"`
}

const (
	presenceTopic     = "$aws/events/presence/"
	subscriptionTopic = "$aws/events/subscriptions/"
	subscribedEvent   = "subscribed"
	unsubscribedEvent = "unsubscribed"
)

// tell publishes an event of k's client, if anybody listens. Clients whose id
// cannot be part of a topic have none.
func (s *Server) tell(prefix string, k *conn, e event) {
	if strings.ContainsAny(k.who.ID, "#+") {
		return
	}
	topic := prefix + e.EventType + "/" + k.who.ID
	if !s.Wanted(topic) && (s.cfg.Peers == nil || !s.cfg.Peers.Wanted(topic)) {
		return
	}
	e.ClientID, e.Timestamp = k.who.ID, s.nowMillis()
	if s.cfg.Hooks.Thing != nil {
		e.ThingName = s.cfg.Hooks.Thing(s.ctx, k.who)
	}
	e.SessionIdentifier, e.PrincipalIdentifier = k.session, k.who.Principal.ID
	body, err := json.Marshal(e)
	if err != nil {
		s.log.Error("mqtt: lifecycle event", "err", err)
		return
	}
	s.route(&Message{Topic: topic, Payload: body, QoS: 1})
}

func (s *Server) connected(k *conn) {
	s.tell(presenceTopic, k, event{EventType: "connected", IPAddress: k.ip(), VersionNumber: &k.presence})
}

func (s *Server) connectFailed(k *conn) {
	s.tell(presenceTopic, k, event{EventType: "connect_failed", ConnectFailureReason: "AUTHORIZATION_FAILED", IPAddress: k.ip()})
}

func (s *Server) disconnected(k *conn, end *ending) {
	s.metrics.disconnects.WithLabelValues(end.event).Inc()
	s.tell(presenceTopic, k, event{
		EventType: "disconnected", ClientInitiatedDisconnect: &end.byClient, DisconnectReason: end.event, VersionNumber: &k.presence,
	})
}

func (s *Server) subscribed(k *conn, kind string, topics []string) {
	if len(topics) > 0 {
		s.tell(subscriptionTopic, k, event{EventType: kind, Topics: topics})
	}
}

// ip returns the address of the client without its port.
func (k *conn) ip() string {
	addr := k.nc.RemoteAddr()
	if addr == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	return host
}

// presences remembers for an hour how often clients have connected whose
// sessions have ended, for the versionNumber of events. There is room for so
// many; if there are more, some begin again at 0.
type presences struct {
	mu   sync.Mutex
	last map[string]presence
}

type presence struct {
	n  int64
	at time.Time
}

const (
	presenceAge = time.Hour
	presenceMax = 1 << 16
)

// take returns the number of the next connection of a client, from 0.
func (p *presences) take(id string) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	have, ok := p.last[id]
	delete(p.last, id)
	if !ok || time.Since(have.at) > presenceAge {
		return 0
	}
	return have.n
}

// put remembers the number of a client's next connection.
func (p *presences) put(id string, n int64) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil {
		p.last = make(map[string]presence)
	}
	if len(p.last) >= presenceMax {
		p.sweep(now)
	}
	p.last[id] = presence{n: n, at: now}
}

// sweep forgets what is too old, or anything if that is not enough.
func (p *presences) sweep(now time.Time) {
	for id, have := range p.last {
		if now.Sub(have.at) > presenceAge || len(p.last) > presenceMax/2 {
			delete(p.last, id)
		}
	}
}

package mqtt

import (
	"time"

	"muster/internal/mqtt/codec"
)

// will is the message that a client leaves behind in case that its connection
// ends without a word.
type will struct {
	message *Message
	who     Client // whose right to publish it counts
	// delay is how long the client may take to come back, lifetime how long the
	// message lasts from when it is published; 0 is for ever.
	delay, lifetime time.Duration
	due             time.Time // set when the connection has ended; zero if it is to be published then
}

func newWill(w *codec.Will, k *conn, l *Limits) *will {
	v := &will{
		message: received(&w.Message, newTopicName(w.Topic), k.who.ID),
		who:     k.who,
		delay:   time.Duration(w.Delay) * time.Second,
	}
	if w.HasExpiry {
		v.lifetime = l.messageExpiry(w.Expiry)
	}
	return v
}

// messageExpiry returns how long a message lasts whose publisher has asked for
// so many seconds.
func (l *Limits) messageExpiry(seconds uint32) time.Duration {
	return min(max(time.Duration(seconds)*time.Second, time.Second), l.MessageExpiryMax)
}

// publish publishes the will, if its client may still publish to the topic.
// Nobody waits for it.
func (w *will) publish(s *Server) {
	if w == nil {
		return
	}
	if may := s.cfg.Hooks.CanPublish; may != nil && !may(w.who, w.message.Topic) {
		s.log.Info("mqtt: will not published: not authorized", "client", w.who.ID, "topic", w.message.Topic)
		return
	}
	if w.lifetime > 0 {
		w.message.Expires = s.now().Add(w.lifetime).UnixMilli()
	}
	s.route(w.message)
}

package stored

import (
	"context"

	"muster/internal/mqtt"
	"muster/internal/store"
)

const page = 500

// Load implements mqtt.Sessions. A message or session that cannot be read is
// reported and left out: one of them must not keep all the others away.
func (k *Sessions) Load(ctx context.Context, session func(mqtt.SessionState), message func(string, mqtt.QueuedMessage), retained func(*mqtt.Message)) error {
	return k.store.View(ctx, func(r store.Reader) error {
		if session != nil {
			ids, err := loadSessions(r, session)
			if err != nil {
				return err
			}
			if err := k.loadMessages(r, ids, message); err != nil {
				return err
			}
		}
		return k.loadRetained(r, retained)
	})
}

func loadSessions(r store.Reader, session func(mqtt.SessionState)) (map[store.SessionKey]string, error) {
	ids := make(map[store.SessionKey]string)
	p := store.Page[store.SessionKey]{Limit: page}
	for {
		rows, more, err := r.Sessions(p)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			ids[row.Key] = row.ClientID
			session(state(row))
			p.After = row.Key
		}
		if !more {
			return ids, nil
		}
	}
}

func state(row store.Session) mqtt.SessionState {
	s := mqtt.SessionState{ClientID: row.ClientID, Version: row.Version, Expiry: row.Expiry, Ends: row.Ends, Epoch: row.Epoch}
	for _, u := range row.Subscriptions {
		s.Subscriptions = append(s.Subscriptions, mqtt.SubscriptionState(u))
	}
	return s
}

func (k *Sessions) loadMessages(r store.Reader, ids map[store.SessionKey]string, message func(string, mqtt.QueuedMessage)) error {
	p := store.Page[store.SessionPlace]{Limit: page}
	for {
		rows, more, err := r.SessionMessages(p)
		if err != nil {
			return err
		}
		for _, row := range rows {
			p.After = row.SessionPlace
			id, ok := ids[row.Key]
			if !ok {
				continue // its session was never stored
			}
			if m, ok := k.message(id, row); ok {
				message(id, m)
			}
		}
		if !more {
			return nil
		}
	}
}

// message reads a message of a client. It reports false if it is damaged.
func (k *Sessions) message(clientID string, row store.SessionMessage) (mqtt.QueuedMessage, bool) {
	m := &mqtt.Message{}
	if err := m.UnmarshalBinary(row.Packet); err != nil {
		k.log.Error("mqtt: stored message cannot be read", "client", clientID, "seq", row.Seq, "err", err)
		return mqtt.QueuedMessage{}, false
	}
	m.Expires = row.Expires
	return mqtt.QueuedMessage{Seq: uint64(row.Seq), Retain: row.Retain, Message: m}, true
}

func (k *Sessions) loadRetained(r store.Reader, retained func(*mqtt.Message)) error {
	p := store.Page[string]{Limit: page}
	for {
		rows, more, err := r.Retained(p)
		if err != nil {
			return err
		}
		for _, row := range rows {
			p.After = row.Topic
			m := &mqtt.Message{}
			if err := m.UnmarshalBinary(row.Packet); err != nil {
				k.log.Error("mqtt: retained message cannot be read", "topic", row.Topic, "err", err)
				continue
			}
			m.Expires, m.Stamp = row.Expires, row.Stamp
			retained(m)
		}
		if !more {
			return nil
		}
	}
}

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"time"

	"muster/internal/cluster"
	"muster/internal/httpapi"
	"muster/internal/mqttapi"
	"muster/internal/wire"
)

// messagesWait is how long other nodes have to say what they know of a thing.
const messagesWait = time.Second

// messages finds what was said to and by things lately, on all nodes: each
// remembers what went over its own connections.
type messages struct {
	inspector *mqttapi.Inspector
	members   *membership // nil if there is no other node
	log       *slog.Logger
}

// kept is what a node remembers of a thing.
type kept struct {
	Messages []httpapi.Message `json:"messages"`
	Missing  bool              `json:"missing"`
}

// keptRequest asks a node for it.
type keptRequest struct {
	Thing string `json:"thing"`
	After int64  `json:"after"`
}

func messagesSubject(node string) string { return "node." + node + ".messages" }

// serve answers other nodes until the bus is closed.
func (s messages) serve() error {
	if s.members == nil {
		return nil
	}
	_, err := s.members.bus.Subscribe(messagesSubject(s.members.node.ID()), func(m cluster.Message) {
		var r keptRequest
		err := json.Unmarshal(m.Data, &r)
		if err == nil {
			var data []byte
			data, err = json.Marshal(s.here(r))
			m.Respond(data)
		}
		if err != nil {
			s.log.Warn("messages: request of another node", "err", err)
		}
	})
	return err
}

// here returns what this node remembers.
func (s messages) here(r keptRequest) kept {
	logged, missing := s.inspector.Messages(r.Thing, r.After)
	k := kept{Messages: make([]httpapi.Message, len(logged)), Missing: missing}
	for n, m := range logged {
		k.Messages[n] = httpapi.Message{
			Seq: m.Seq, At: wire.FractionalSeconds(m.At), Direction: m.Direction.String(), ClientID: m.ClientID,
			Topic: m.Topic, QoS: int(m.QoS), Payload: m.Payload, Size: m.Size, Code: m.Code, Reason: m.Reason,
		}
	}
	return k
}

// list implements httpapi.Messages. Nodes that do not answer are left out.
func (s messages) list(ctx context.Context, thing string, after int64) ([]httpapi.Message, bool) {
	r := keptRequest{Thing: thing, After: after}
	all := []kept{s.here(r)}
	if s.members != nil {
		all = append(all, s.elsewhere(ctx, r)...)
	}
	return merge(all)
}

func (s messages) elsewhere(ctx context.Context, r keptRequest) []kept {
	ctx, cancel := context.WithTimeout(ctx, messagesWait)
	defer cancel()
	data, err := json.Marshal(r)
	if err != nil {
		return nil
	}
	peers := s.members.node.Peers()
	answers := make([]kept, len(peers))
	var wg sync.WaitGroup
	for i, n := range peers {
		wg.Go(func() {
			answer, err := s.members.bus.Request(ctx, messagesSubject(n.ID), data)
			if err == nil {
				err = json.Unmarshal(answer, &answers[i])
			}
			if err != nil {
				s.log.Warn("messages: another node does not answer", "node", n.ID, "err", err)
			}
		})
	}
	wg.Wait()
	return answers
}

// merge makes one list of what nodes remember, in order. A node that knows nothing
// of the thing misses nothing either, if another one does.
func merge(all []kept) (messages []httpapi.Message, missing bool) {
	for _, k := range all {
		messages = append(messages, k.Messages...)
	}
	slices.SortStableFunc(messages, func(a, b httpapi.Message) int { return cmp.Compare(a.Seq, b.Seq) })
	return messages, slices.ContainsFunc(all, func(k kept) bool {
		return k.Missing && (len(k.Messages) > 0 || len(messages) == 0)
	})
}

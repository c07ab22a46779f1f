package main

import (
	"context"

	"muster/internal/mqtt"
	"muster/internal/store"
)

// thingOf returns what says which thing a client is: the one by whose name it
// connects, if there is one.
func thingOf(s store.Store) func(context.Context, mqtt.Client) string {
	return func(ctx context.Context, c mqtt.Client) string {
		err := s.View(ctx, func(r store.Reader) error {
			_, err := r.ThingByName(c.ID)
			return err
		})
		if err != nil {
			return "" // there is none, or nobody knows: the event goes without it
		}
		return c.ID
	}
}

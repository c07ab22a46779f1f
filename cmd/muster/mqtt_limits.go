package main

import "muster/internal/topic"

// whole says which messages tell all that there is to know: notifications, each of
// which is about all jobs that are pending, or about the next one.
func whole(name string) bool {
	t, ok := topic.Parse(name)
	return ok && (t.Kind == topic.Notify || t.Kind == topic.NotifyNext)
}

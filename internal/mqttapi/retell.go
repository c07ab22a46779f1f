package mqttapi

import (
	"context"
	"strings"

	"muster/internal/topic"
)

// Subject returns what a notification's topic is about, which is the queue of a
// thing in a namespace: topics with one subject tell of one queue. It is empty if
// the topic is none, or not that of one thing.
func Subject(name string) string {
	if thing, ok := thingOfEvery(name); ok && !wild(thing) {
		return name
	}
	t, ok := topic.Parse(name)
	if !ok || wild(t.Thing) || t.Kind != topic.Notify && t.Kind != topic.NotifyNext {
		return ""
	}
	return notify(t.Thing, t.Namespace)
}

// thingOfEvery returns the thing of a topic that stands for all namespaces.
func thingOfEvery(name string) (thing string, ok bool) {
	rest, ok := strings.CutPrefix(name, "$aws/things/")
	if !ok {
		return "", false
	}
	thing, _, ok = strings.Cut(rest, "/")
	return thing, ok && thing != "" && name == everyNamespace(thing)
}

// Retell tells devices that are connected to this node, or whose sessions it keeps,
// how a subject stands now; see engine.Retell, which also says when it fails.
func (a *API) Retell(ctx context.Context, subject string) error {
	if thing, ok := thingOfEvery(subject); ok {
		return a.engine.RetellNamespaces(ctx, thing)
	}
	t, ok := topic.Parse(subject)
	if !ok || t.Kind != topic.Notify {
		return nil
	}
	return a.engine.Retell(ctx, t.Thing, t.Namespace)
}

package mqttapi

import (
	"strings"

	"muster/internal/topic"
)

// CanPublish reports whether clients may publish to a topic of the jobs
// namespace at all: to requests, and to what maps to no API, which is answered
// as such; not to replies and notifications, which are the server's
// [reserved-topics]. Topics outside of the namespace are not allowed here.
func CanPublish(name string) bool {
	t, ok := topic.Parse(name)
	return ok && (t.Request() || t.Kind == topic.Invalid)
}

// CanSubscribe reports whether a filter, without $share, can match topics of the
// jobs namespace: $aws/things/{thing}/jobs and at least one segment more. It
// allows request topics, too: old SDKs subscribe to them by default, and nothing
// is ever delivered there.
func CanSubscribe(filter string) bool {
	rest := filter
	for i, want := range [...]string{"$aws", "things", "", "jobs"} {
		segment, after, more := strings.Cut(rest, "/")
		switch {
		case segment == "#" && i > 0: // a wildcard never matches the first of $
			return !more
		case !more || segment == "":
			return false
		case segment != want && want != "" && (segment != "+" || i == 0):
			return false
		}
		rest = after
	}
	return rest != ""
}

// CanMatchMessages reports whether a filter can match a message that has other
// receivers than the client which has asked for it: a notification, or anything
// outside of the jobs namespace. Replies are matched by no subscription.
func CanMatchMessages(filter string) bool {
	rest, ok := strings.CutPrefix(filter, "$aws/things/")
	if !ok {
		return true
	}
	_, rest, more := strings.Cut(rest, "/")
	if !more {
		return true
	}
	rest, ok = strings.CutPrefix(rest, "jobs/")
	if !ok {
		return true
	}
	first, _, deeper := strings.Cut(rest, "/")
	return first == "#" || !deeper && (first == "+" || strings.HasPrefix(first, "notify"))
}

// Notifications returns the topics of which whoever subscribes to a filter with
// wildcards is a holder, see Holders, if it is about one thing: a device may
// subscribe to all of its jobs topics at once.
func Notifications(filter string) []string {
	rest, ok := strings.CutPrefix(filter, "$aws/things/")
	if !ok {
		return nil
	}
	thing, rest, _ := strings.Cut(rest, "/")
	if wild(thing) || rest != "jobs/#" && rest != "jobs/+" && rest != "#" {
		return nil
	}
	return []string{notify(thing, ""), notifyNext(thing, ""), everyNamespace(thing)}
}

// Holders returns the topics whose subscribers must be told of a change of a thing's
// queue in a namespace: the notifications themselves, and, since nobody knows which
// namespaces there will be, one that stands for those of all of them.
func Holders(thing, namespace string) []string {
	topics := []string{notify(thing, namespace), notifyNext(thing, namespace)}
	if namespace != "" {
		topics = append(topics, everyNamespace(thing))
	}
	return topics
}

func wild(segment string) bool { return segment == "+" || segment == "#" }

func notify(thing, namespace string) string {
	return topic.Topic{Kind: topic.Notify, Thing: thing, Namespace: namespace}.String()
}

func notifyNext(thing, namespace string) string {
	return topic.Topic{Kind: topic.NotifyNext, Thing: thing, Namespace: namespace}.String()
}

// everyNamespace is what the notifications of a namespace without a name would be
// sent to. There is none, so nothing ever is.
func everyNamespace(thing string) string { return notify(thing, "") + "-namespace-" }

// Package topic is the one place that takes apart and puts together the MQTT
// topics of the jobs service: [Parse] and [Topic.String] are inverses.
//
// It knows the structure alone. Whether a name in a topic is a good thing name
// or job id is for the request that is made of it.
package topic

import "strings"

// Kind is what a topic is for. A request and its two replies have the same
// kind.
type Kind uint8

// The kinds, by the name of the API [jobs-mqtt-api].
const (
	// Invalid is a topic in the jobs namespace that maps to no API.
	Invalid Kind = iota
	// GetPending lists the thing's pending executions: get.
	GetPending
	// StartNext starts the next one: start-next.
	StartNext
	// Describe asks for one, or with [Next] for the next one: {job}/get.
	Describe
	// Update reports on one: {job}/update.
	Update
	// Notify says that the set of pending executions changed: notify.
	Notify
	// NotifyNext says that the next execution changed: notify-next.
	NotifyNext
)

// Reply is a topic's place in a conversation.
type Reply uint8

// The places.
const (
	// None is a request or a notification.
	None Reply = iota
	// Accepted is the answer to a request that was served.
	Accepted
	// Rejected is the answer to a request that was refused.
	Rejected
)

// Next stands for the next job's id in a request to describe it.
const Next = "$next"

const (
	prefix    = "$aws/things/"
	namespace = "namespace-"
)

// Topic is a topic of the jobs service, taken apart. Topics are comparable.
type Topic struct {
	Kind  Kind
	Reply Reply
	// Thing is the thing's name.
	Thing string
	// Job is the job's id, or Next; empty unless Kind is Describe or Update.
	Job string
	// Namespace keeps the jobs of one agent apart from those of others. It is
	// empty for the common queue, and always for GetPending and StartNext,
	// which have no namespaced form [jobs-api, CreateJob, namespaceId].
	Namespace string

	other string // what follows jobs, for Invalid
}

// Parse takes s apart. It reports false if s is not in the jobs namespace of
// any thing. The topic is Invalid if it is, yet maps to no API.
func Parse(s string) (Topic, bool) {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return Topic{}, false
	}
	thing, rest, ok := strings.Cut(rest, "/")
	if !ok {
		return Topic{}, false
	}
	rest, ok = strings.CutPrefix(rest, "jobs")
	if !ok || rest != "" && rest[0] != '/' {
		return Topic{}, false
	}
	t := Topic{Thing: thing}
	if thing == "" || rest == "" || !t.parse(rest[1:]) {
		return Topic{Thing: thing, other: rest}, true
	}
	return t, true
}

// parse fills t from what follows jobs/, and reports whether it maps to an API.
func (t *Topic) parse(rest string) bool {
	if head, ok := strings.CutSuffix(rest, "/accepted"); ok {
		rest, t.Reply = head, Accepted
	} else if head, ok := strings.CutSuffix(rest, "/rejected"); ok {
		rest, t.Reply = head, Rejected
	}
	// A job may be named get, so that the number of segments decides, not
	// their text.
	first, rest, more := strings.Cut(rest, "/")
	if !more {
		return t.parseThing(first)
	}
	t.Job = first
	if verb, ok := strings.CutPrefix(rest, namespace); ok {
		t.Namespace, rest, _ = strings.Cut(verb, "/")
		if t.Namespace == "" {
			return false
		}
	}
	switch rest {
	case "get":
		t.Kind = Describe
	case "update":
		t.Kind = Update
	}
	return t.Kind != Invalid && t.Job != "" && (t.Kind == Describe || t.Job != Next)
}

// parseThing fills t from the only segment of a topic of the whole thing.
func (t *Topic) parseThing(segment string) bool {
	switch segment {
	case "get":
		t.Kind = GetPending
		return true
	case "start-next":
		t.Kind = StartNext
		return true
	}
	if t.Reply != None {
		return false
	}
	rest, ok := strings.CutPrefix(segment, "notify")
	if !ok {
		return false
	}
	t.Kind = Notify
	if after, ok := strings.CutPrefix(rest, "-next"); ok {
		t.Kind, rest = NotifyNext, after
	}
	if rest == "" {
		return true
	}
	t.Namespace, ok = strings.CutPrefix(rest, "-"+namespace)
	return ok && t.Namespace != ""
}

// String returns the topic as it is published or subscribed to.
func (t Topic) String() string {
	base := prefix + t.Thing + "/jobs"
	switch t.Kind {
	case GetPending:
		return base + "/get" + t.Reply.suffix()
	case StartNext:
		return base + "/start-next" + t.Reply.suffix()
	case Describe:
		return base + "/" + t.Job + t.namespaced("/") + "/get" + t.Reply.suffix()
	case Update:
		return base + "/" + t.Job + t.namespaced("/") + "/update" + t.Reply.suffix()
	case Notify:
		return base + "/notify" + t.namespaced("-")
	case NotifyNext:
		return base + "/notify-next" + t.namespaced("-")
	case Invalid:
	}
	return base + t.other
}

func (t Topic) namespaced(separator string) string {
	if t.Namespace == "" {
		return ""
	}
	return separator + namespace + t.Namespace
}

func (r Reply) suffix() string {
	switch r {
	case Accepted:
		return "/accepted"
	case Rejected:
		return "/rejected"
	case None:
	}
	return ""
}

// Request reports whether a device may publish to the topic to be answered.
func (t Topic) Request() bool {
	switch t.Kind {
	case GetPending, StartNext, Describe, Update:
		return t.Reply == None
	case Invalid, Notify, NotifyNext:
	}
	return false
}

// Answer returns the topic on which a publish to t is answered: the topic as
// published with one more segment, also where t is Invalid or no request,
// since the refusal of those has to go somewhere.
func (t Topic) Answer(r Reply) Topic {
	if t.Request() {
		t.Reply = r
		return t
	}
	other := strings.TrimPrefix(t.String(), prefix+t.Thing+"/jobs")
	return Topic{Thing: t.Thing, other: other + r.suffix()}
}

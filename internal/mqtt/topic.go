package mqtt

import (
	"strings"
	"unicode/utf8"
)

// filter is a topic filter, taken apart.
type filter struct {
	// text is the filter as subscribed to: what identifies the subscription.
	text string
	// share is the name of the group that shares the messages, empty if none does.
	share string
	// levels is the filter without $share/{name}/.
	levels string
	// wild is whether it has wildcards.
	wild bool
}

const sharePrefix = "$share/"

// parseFilter takes s apart. It reports false if MQTT does not allow it.
func parseFilter(s string) (filter, bool) {
	f := filter{text: s, levels: s}
	if rest, ok := strings.CutPrefix(s, sharePrefix); ok {
		f.share, f.levels, ok = strings.Cut(rest, "/")
		if !ok || f.share == "" || len(f.share) > 128 || strings.ContainsAny(f.share, "+#") {
			return filter{}, false
		}
	}
	if !validText(f.levels) {
		return filter{}, false
	}
	for rest, more := f.levels, true; more; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		switch {
		case !strings.ContainsAny(level, "+#"):
			continue
		case len(level) != 1, level == "#" && more:
			return filter{}, false
		}
		f.wild = true
	}
	return f, true
}

// levelsOf returns the filter in one that may be shared.
func levelsOf(text string) string {
	rest, ok := strings.CutPrefix(text, sharePrefix)
	if !ok {
		return text
	}
	_, levels, _ := strings.Cut(rest, "/")
	return levels
}

// validTopic reports whether a message may be published to s.
func validTopic(s string) bool {
	return validText(s) && !strings.ContainsAny(s, "+#")
}

func validText(s string) bool {
	return s != "" && !strings.ContainsRune(s, 0) && utf8.ValidString(s)
}

// fits reports whether a topic, or the levels of a filter, is within the limits.
func (l *Limits) fits(levels string) bool {
	return len(levels) <= l.Topic && (strings.HasPrefix(levels, "$aws/") || strings.Count(levels, "/") <= l.TopicSlashes)
}

// reserved reports whether a topic belongs to the server.
func reserved(topic string) bool {
	return topic != "" && topic[0] == '$'
}

// matches reports whether a filter without $share matches a topic, by the rule
// of the tree.
func matches(levels, topic string) bool {
	if reserved(topic) && !reserved(levels) {
		return false // a wildcard in front does not match it; neither do other names
	}
	for {
		f, fRest, fMore := strings.Cut(levels, "/")
		if f == "#" {
			return true
		}
		t, tRest, tMore := strings.Cut(topic, "/")
		if f != "+" && f != t {
			return false
		}
		if !fMore || !tMore {
			return fMore == tMore
		}
		levels, topic = fRest, tRest
	}
}

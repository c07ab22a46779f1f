package codec_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"muster/internal/mqtt/codec"

	"pgregory.net/rapid"
)

func TestCheckTopic(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, topic string
		want        codec.Reason
	}{
		{"a name", "a", codec.Success},
		{"levels", "a/b/c", codec.Success},
		{"empty levels", "/", codec.Success},
		{"spaces count", " /a b", codec.Success},
		{"reserved topics", "$aws/things/t/jobs/$next/get", codec.Success},
		{"letters of the world", "å/日本/🙂", codec.Success},
		{"the longest", strings.Repeat("a", 65535), codec.Success},
		{"longer than the longest", strings.Repeat("a", 65536), codec.TopicNameInvalid},
		{"nothing", "", codec.TopicNameInvalid},
		{"+ as a level", "a/+/b", codec.TopicNameInvalid},
		{"+ in a level", "aaaaaaaaaa+b", codec.TopicNameInvalid},
		{"# at the end", "aaaaaaaaaaaaaaaaaaaa/#", codec.TopicNameInvalid},
		{"# at the start", "#aaaaaaaaaaaaaaaaaaaa", codec.TopicNameInvalid},
		{"wildcard among letters of the world", "日本/#", codec.TopicNameInvalid},
		{"null character", "aaaaaaaa\x00aaaaaaaaa", codec.MalformedPacket},
		{"not UTF-8", "aaaaaaaa\x80aaaaaaaaa", codec.MalformedPacket},
		{"surrogates", "\xed\xa0\xbd\xed\xb8\x80", codec.MalformedPacket},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantReason(t, codec.CheckTopic([]byte(tt.topic)), tt.want)
		})
	}
}

func wantReason(t *testing.T, err error, want codec.Reason) {
	t.Helper()
	if err == nil && want != codec.Success || err != nil && codec.ReasonOf(err) != want {
		t.Errorf("got %v, want %v", err, want)
	}
}

// TestCheckTopicAgainstPlainWords compares with what the rule says, byte by
// byte, around the borders of the words that the check reads.
func TestCheckTopicAgainstPlainWords(t *testing.T) {
	t.Parallel()
	odd := rapid.SampledFrom([]string{"+", "#", "\x00", "\x01", "\x2a", "\x2c", "\x22", "\x24", "\x7f", "\x80", "\xab", "\xa3", "\xff", "é", "日", "🙂", "\xed\xa0\x80", "\xc0\x80"})
	rapid.Check(t, func(t *rapid.T) {
		topic := rapid.SliceOfN(rapid.ByteRange('a', 'z'), 0, 40).Draw(t, "letters")
		for range rapid.IntRange(0, 2).Draw(t, "odd ones") {
			at := rapid.IntRange(0, len(topic)).Draw(t, "at")
			topic = append(topic[:at:at], append([]byte(odd.Draw(t, "odd")), topic[at:]...)...)
		}
		want := len(topic) > 0 && utf8.Valid(topic) && !bytes.ContainsAny(topic, "+#\x00")
		if err := codec.CheckTopic(topic); (err == nil) != want {
			t.Fatalf("%q: got %v, want %v", topic, err, want)
		}
	})
}

func TestCheckFilter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, filter string
		want         codec.Reason
	}{
		{"a topic", "a/b", codec.Success},
		{"everything", "#", codec.Success},
		{"everything below", "a/#", codec.Success},
		{"everything below nothing", "/#", codec.Success},
		{"one level", "+", codec.Success},
		{"levels here and there", "+/a/+//+", codec.Success},
		{"levels, then everything", "+/#", codec.Success},
		{"reserved topics", "$aws/things/+/jobs/#", codec.Success},
		{"letters of the world", "日本/+", codec.Success},
		{"the longest", strings.Repeat("a", 65535), codec.Success},
		{"longer than the longest", strings.Repeat("a", 65536), codec.TopicFilterInvalid},
		{"nothing", "", codec.TopicFilterInvalid},
		{"# in a level", "a#", codec.TopicFilterInvalid},
		{"# before a letter", "#a", codec.TopicFilterInvalid},
		{"# in the middle", "a/#/b", codec.TopicFilterInvalid},
		{"# before an empty level", "#/", codec.TopicFilterInvalid},
		{"## is none", "##", codec.TopicFilterInvalid},
		{"+# is none", "+#", codec.TopicFilterInvalid},
		{"+ after a letter", "a+", codec.TopicFilterInvalid},
		{"+ before a letter", "a/+b/c", codec.TopicFilterInvalid},
		{"++ is none", "++", codec.TopicFilterInvalid},
		{"null character", "a/\x00/#", codec.MalformedPacket},
		{"not UTF-8", "a/\xff", codec.MalformedPacket},
		{"a share", "$share/workers/a/+", codec.Success},
		{"a share of everything", "$share/w/#", codec.Success},
		{"a share of what begins with a slash", "$share/w//a", codec.Success},
		{"a share of shares", "$share/w/$share/x/y", codec.Success},
		{"no share, only the word", "$share", codec.Success},
		{"a share without a name", "$share//a", codec.TopicFilterInvalid},
		{"a share without anything", "$share/", codec.TopicFilterInvalid},
		{"a share without a filter", "$share/w", codec.TopicFilterInvalid},
		{"a share with an empty filter", "$share/w/", codec.TopicFilterInvalid},
		{"a share with a wildcard for a name", "$share/+/a", codec.TopicFilterInvalid},
		{"a share with # in its name", "$share/a#/a", codec.TopicFilterInvalid},
		{"a share of a filter that cannot be", "$share/w/a#", codec.TopicFilterInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantReason(t, codec.CheckFilter([]byte(tt.filter)), tt.want)
		})
	}
}

func TestSplitShare(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, filter, share, rest string
		ok                        bool
	}{
		{"a share", "$share/w/a/#", "w", "a/#", true},
		{"an empty level first", "$share/w//a", "w", "/a", true},
		{"no share", "a/b", "", "", false},
		{"longer word", "$shared/w/a", "", "", false},
		{"nothing behind the name", "$share/w", "w", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			share, rest, ok := codec.SplitShare([]byte(tt.filter))
			if string(share) != tt.share || string(rest) != tt.rest || ok != tt.ok {
				t.Errorf("got %q, %q, %v, want %q, %q, %v", share, rest, ok, tt.share, tt.rest, tt.ok)
			}
		})
	}
}

package wire

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// charset is a published member pattern that repeats one set of characters,
// which is what nearly all of them are. It matches without regexp because
// status details are checked on the hottest path there is.
type charset struct {
	pattern string              // as published, for the message
	in      func(r rune) bool   // the set
	ascii   [utf8.RuneSelf]bool // in, precomputed
	empty   bool                // the pattern ends in *, not in +
	literal string              // one more string that matches as a whole, or ""
}

func oneOrMore(pattern string, in func(rune) bool) *charset {
	c := &charset{pattern: pattern, in: in}
	for r := range c.ascii {
		c.ascii[r] = in(rune(r))
	}
	return c
}

func zeroOrMore(pattern string, in func(rune) bool) *charset {
	c := oneOrMore(pattern, in)
	c.empty = true
	return c
}

// or returns c, which then also matches exactly literal.
func (c *charset) or(literal string) *charset {
	c.literal = literal
	return c
}

// match reports whether the whole of s has the pattern.
func (c *charset) match(s string) bool {
	if s == "" {
		return c.empty
	}
	for _, r := range s {
		if r < utf8.RuneSelf && c.ascii[r] || r >= utf8.RuneSelf && c.in(r) {
			continue
		}
		return c.literal != "" && s == c.literal
	}
	return true
}

// alnumOr returns the ASCII letters and digits together with extra.
func alnumOr(extra string) func(rune) bool {
	return func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
			strings.ContainsRune(extra, r)
	}
}

func isReasonCode(r rune) bool {
	return 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_'
}

func isTagKey(r rune) bool {
	return unicode.In(r, unicode.L, unicode.Z, unicode.N) || strings.ContainsRune("_.:/=+-@", r)
}

func isVisible(r rune) bool { return !unicode.Is(unicode.C, r) }

// isDetail also takes the three control characters that devices do send: the
// published pattern forbids them, yet AWS's own device client reports captured
// output with line breaks, and the service stores it.
func isDetail(r rune) bool {
	return isVisible(r) || r == '\n' || r == '\r' || r == '\t'
}

func isGraphOrSpace(r rune) bool { return ' ' <= r && r <= '~' }

func isAny(rune) bool { return true }

var (
	resourceName = oneOrMore(`[a-zA-Z0-9:_-]+`, alnumOr(":_-"))
	jobName      = oneOrMore(`[a-zA-Z0-9_-]+`, alnumOr("_-"))
	jobOrNext    = oneOrMore(`[a-zA-Z0-9_-]+|^\$next`, alnumOr("_-")).or("$next")
	groupID      = oneOrMore(`[a-zA-Z0-9\-]+`, alnumOr("-"))
	visible      = oneOrMore(`[^\p{C}]+`, isVisible)
	detail       = oneOrMore(`[^\p{C}]+`, isDetail)
	reasonCode   = oneOrMore(`[\p{Upper}\p{Digit}_]+`, isReasonCode)
	tagKey       = zeroOrMore(`^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$`, isTagKey)
	graph        = zeroOrMore(`[\p{Graph}\x20]*`, isGraphOrSpace)
	attrName     = oneOrMore(`[a-zA-Z0-9_.,@/:#-]+`, alnumOr("_.,@/:#-"))
	attrValue    = zeroOrMore(`[a-zA-Z0-9_.,@/:#=\[\]-]*`, alnumOr("_.,@/:#=[]-"))
	userProperty = oneOrMore(`[a-zA-Z0-9:$.]+`, alnumOr(":$."))
	connectionAt = oneOrMore(`[a-zA-Z0-9:.]+`, alnumOr(":."))
	anything     = zeroOrMore(`[\s\S]*`, isAny)
)

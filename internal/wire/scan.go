package wire

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// The functions of this file walk a JSON text that json.Valid has accepted, so
// they only find where values begin and end. encoding/json would match member
// names in any case, and could not name the member that has the wrong type.

// members returns the names and raw values of an object, in order. A name is
// valid until the next step.
func members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for pos := skipSpace(object, 1); object[pos] != '}'; {
			end := valueEnd(object, pos)
			name := unescape(object[pos:end])
			pos = skipSpace(object, skipSpace(object, end)+1) // past the colon
			end = valueEnd(object, pos)
			if !yield(name, object[pos:end]) {
				return
			}
			pos = nextItem(object, end)
		}
	}
}

// elements returns the raw values of an array, in order.
func elements(array []byte) iter.Seq[[]byte] {
	return func(yield func(value []byte) bool) {
		for pos := skipSpace(array, 1); array[pos] != ']'; {
			end := valueEnd(array, pos)
			if !yield(array[pos:end]) {
				return
			}
			pos = nextItem(array, end)
		}
	}
}

// nextItem returns where the item after the one that ends at pos begins, or
// where the closing bracket stands.
func nextItem(data []byte, pos int) int {
	pos = skipSpace(data, pos)
	if data[pos] == ',' {
		pos = skipSpace(data, pos+1)
	}
	return pos
}

func skipSpace(data []byte, pos int) int {
	for data[pos] == ' ' || data[pos] == '\n' || data[pos] == '\t' || data[pos] == '\r' {
		pos++
	}
	return pos
}

// valueEnd returns the position behind the value that begins at pos.
func valueEnd(data []byte, pos int) int {
	switch data[pos] {
	case '"':
		return stringEnd(data, pos)
	case '{', '[':
		return nestEnd(data, pos)
	}
	for pos < len(data) && !endsScalar(data[pos]) {
		pos++
	}
	return pos
}

func endsScalar(c byte) bool {
	switch c {
	case ',', ']', '}', ' ', '\n', '\t', '\r':
		return true
	}
	return false
}

func stringEnd(data []byte, pos int) int {
	for pos++; data[pos] != '"'; pos++ {
		if data[pos] == '\\' {
			pos++
		}
	}
	return pos + 1
}

func nestEnd(data []byte, pos int) int {
	depth := 0
	for {
		switch data[pos] {
		case '"':
			pos = stringEnd(data, pos)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		pos++
		if depth == 0 {
			return pos
		}
	}
}

// unescape returns the text of a JSON string, which may share memory with raw.
func unescape(raw []byte) []byte {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return inner // not reached: the text is valid
	}
	return []byte(s)
}

// halfCharacter reports whether a JSON text escapes half of a surrogate pair,
// which is no character: decoders put another one in its place, each its own.
func halfCharacter(text []byte) bool {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return false
		}
		if text[i+1] != 'u' {
			text = text[i+2:]
			continue
		}
		first := escaped(text[i:])
		text = text[i+6:]
		if !utf16.IsSurrogate(first) {
			continue
		}
		if utf16.DecodeRune(first, escaped(text)) == utf8.RuneError {
			return true
		}
		text = text[6:]
	}
}

// escaped returns the number of the \uXXXX that text begins with, or 0.
func escaped(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	n, _ := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(n)
}

func isNull(raw []byte) bool { return raw[0] == 'n' }

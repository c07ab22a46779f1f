package agent

import (
	"maps"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDetail is the most characters of a value of the status details.
const MaxDetail = 1024

// The names of status details, as AWS's client spells them, and those of ours
// that tell the progress.
const (
	reasonDetail = "reason"
	stdoutDetail = "stdout"
	stderrDetail = "stderr"
	errorDetail  = "error"  // what is wrong with an invalid document
	stepDetail   = "step"   // such as 2/3
	actionDetail = "action" // its name
)

// details returns status details of the given names and values, in pairs, in a
// form that the server takes: empty ones are left out, and of long ones the end
// is kept, where the errors are.
func details(pairs ...string) map[string]string {
	d := make(map[string]string, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		if v := end(printable(pairs[i+1])); v != "" {
			d[pairs[i]] = v
		}
	}
	return d
}

// merged returns details with others over them, in the form that details has.
// Neither is changed.
func merged(d, over map[string]string) map[string]string {
	if len(over) == 0 {
		return d
	}
	d = maps.Clone(d)
	if d == nil {
		d = make(map[string]string, len(over))
	}
	for name, value := range over {
		maps.Copy(d, details(name, value))
	}
	return d
}

// printable replaces what status details must not contain. Line breaks and tabs are kept.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.C, r) && !strings.ContainsRune("\n\r\t", r) {
			return utf8.RuneError
		}
		return r
	}, s)
}

// end returns the last MaxDetail characters of s, counted in UTF-16 like AWS
// may do: the strictest way to count.
func end(s string) string {
	n, from := 0, len(s)
	for from > 0 {
		r, size := utf8.DecodeLastRuneInString(s[:from])
		if n += utf16.RuneLen(r); n > MaxDetail {
			break
		}
		from -= size
	}
	return s[from:]
}

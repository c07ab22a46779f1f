package client

import (
	"fmt"
	"strings"
)

// section returns the keys, in lower case, of one section of a credentials
// file, with the meaning that the AWS tools give it: a section that comes twice
// is one, the last value of a key counts, a # or ; starts a comment at the
// start of a line only, and an indented line belongs to the key before it,
// which no key of credentials needs. Other sections are not judged beyond that.
// An error does not show the line, which may be a secret.
func section(text, name string) (values map[string]string, found bool, err error) {
	values = make(map[string]string)
	inside, any := false, false
	number := 0
	for line := range strings.Lines(text) {
		number++
		indented := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';' || indented && any:
		case line[0] == '[':
			title, ok := strings.CutSuffix(line[1:], "]")
			if !ok {
				return nil, false, fmt.Errorf("line %d: a section ends with ]", number)
			}
			inside, any = strings.TrimSpace(title) == name, true
			found = found || inside
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok || !any {
				return nil, false, fmt.Errorf("line %d: neither a [section] nor key = value below one", number)
			}
			if inside {
				values[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
			}
		}
	}
	return values, found, nil
}

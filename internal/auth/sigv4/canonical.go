package sigv4

import (
	"net/http"
	"strings"
)

// canonical holds the parts of a canonical request apart from the path, for
// which clients use several spellings.
type canonical struct {
	method  string
	query   []param
	headers []byte // "name:value\n" for each signed header
	signed  string // "host;x-amz-date"
	payload string // hex SHA-256 of the body, or UNSIGNED-PAYLOAD
}

// appendTo appends the canonical request for one spelling of the path.
func (c canonical) appendTo(dst []byte, path string) []byte {
	dst = append(dst, c.method...)
	dst = append(dst, '\n')
	dst = append(dst, path...)
	dst = append(dst, '\n')
	for i, p := range c.query {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = append(dst, p.key...)
		dst = append(dst, '=')
		dst = append(dst, p.value...)
	}
	dst = append(dst, '\n')
	dst = append(dst, c.headers...)
	dst = append(dst, '\n')
	dst = append(dst, c.signed...)
	dst = append(dst, '\n')
	return append(dst, c.payload...)
}

// appendHeaders appends the canonical form of the signed headers. It reports
// false if one of them is not in the request.
func appendHeaders(dst []byte, r *http.Request, host, signed string) ([]byte, bool) {
	for name := range strings.SplitSeq(signed, ";") {
		dst = append(dst, name...)
		dst = append(dst, ':')
		if name == "host" {
			dst = appendFolded(dst, host)
			dst = append(dst, '\n')
			continue
		}
		values := headerValues(r.Header, name)
		if len(values) == 0 {
			return dst, false
		}
		for i, v := range values {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendFolded(dst, v)
		}
		dst = append(dst, '\n')
	}
	return dst, true
}

// headerValues is h.Values for a name in lower case, without an allocation.
func headerValues(h http.Header, name string) []string {
	key := make([]byte, 0, 64)
	start := true
	for i := range len(name) {
		c := name[i]
		if start && 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		key = append(key, c)
		start = c == '-'
	}
	return h[string(key)]
}

// appendFolded appends a header value without the white space around it and
// with every run of spaces inside made one.
func appendFolded(dst []byte, s string) []byte {
	s = strings.Trim(s, " \t")
	if !strings.Contains(s, "  ") {
		return append(dst, s...)
	}
	for i := range len(s) {
		if s[i] != ' ' || s[i-1] != ' ' { // s[0] is not a space
			dst = append(dst, s[i])
		}
	}
	return dst
}

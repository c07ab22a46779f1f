package sigv4

import (
	"net/url"
	"slices"
	"strings"
)

// param is a query parameter, key and value in canonical encoding.
type param struct{ key, value string }

// parseQuery splits a raw query into its parameters, in canonical order. As in
// url.ParseQuery a plus is a space, a missing "=" an empty value, and an empty
// pair nothing. It reports false if there is a malformed escape, which has no
// canonical form: a handler would read something else than what was signed.
func parseQuery(raw string) ([]param, bool) {
	if raw == "" {
		return nil, true
	}
	params := make([]param, 0, strings.Count(raw, "&")+1)
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		k, okKey := canonicalText(key)
		v, okValue := canonicalText(value)
		if !okKey || !okValue {
			return nil, false
		}
		params = append(params, param{k, v})
	}
	slices.SortFunc(params, func(a, b param) int {
		if c := strings.Compare(a.key, b.key); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	return params, true
}

// canonicalText decodes a key or value of a query and encodes it again.
func canonicalText(s string) (string, bool) {
	if unreserved.containsAll(s) {
		return s, true
	}
	plain, err := url.QueryUnescape(s)
	if err != nil {
		return "", false
	}
	return string(appendEscaped(make([]byte, 0, len(s)+8), plain, unreserved)), true
}

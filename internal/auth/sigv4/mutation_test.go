package sigv4_test

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// mutations change a received request in one place that its signature covers,
// in either form. They report false if there is nothing there to change.
var mutations = map[string]func(t *rapid.T, r *http.Request) bool{
	"body byte":       mutateBody,
	"body longer":     func(_ *rapid.T, r *http.Request) bool { return setBody(r, readBody(r)+" ") },
	"method":          mutateMethod,
	"path byte":       mutatePath,
	"path longer":     func(_ *rapid.T, r *http.Request) bool { return setPath(r, rawPath(r)+"x") },
	"path segment":    func(_ *rapid.T, r *http.Request) bool { return setPath(r, rawPath(r)+"/x") },
	"query parameter": func(_ *rapid.T, r *http.Request) bool { r.URL.RawQuery += "&added"; return true },
	"query value":     mutateQuery,
	"query repeated":  func(_ *rapid.T, r *http.Request) bool { return repeatParam(r) },
	"host":            func(_ *rapid.T, r *http.Request) bool { r.Host += "0"; return true },
	"header value":    mutateHeader,
	"header gone":     dropHeader,
	"header again":    repeatHeader,
	"signature":       mutateSignature,
	"date":            func(_ *rapid.T, r *http.Request) bool { return replaceIn(r, stampOf(r), laterStamp(stampOf(r))) },
	"region":          func(_ *rapid.T, r *http.Request) bool { return replaceScope(r, 2, "ap-east-1") },
	"service":         func(_ *rapid.T, r *http.Request) bool { return replaceScope(r, 3, "unserved") },
	"scope date":      func(_ *rapid.T, r *http.Request) bool { return replaceScope(r, 1, "20250103") },
	"key":             func(_ *rapid.T, r *http.Request) bool { return replaceScope(r, 0, "AKIAZZZZZZZZ44444444") },
}

var mutationNames = slices.Sorted(maps.Keys(mutations))

func readBody(r *http.Request) string {
	body, _ := io.ReadAll(r.Body) // held in memory
	return string(body)
}

func setBody(r *http.Request, body string) bool {
	r.Body = io.NopCloser(strings.NewReader(body))
	return true
}

func mutateBody(t *rapid.T, r *http.Request) bool {
	body := []byte(readBody(r))
	if len(body) == 0 {
		return setBody(r, "x")
	}
	body[rapid.IntRange(0, len(body)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
	return setBody(r, string(body))
}

func mutateMethod(t *rapid.T, r *http.Request) bool {
	other := rapid.SampledFrom(append(methods, "HEAD", strings.ToLower(r.Method))).Draw(t, "other")
	if other == r.Method {
		return false
	}
	r.Method = other
	return true
}

func rawPath(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return path
}

func setPath(r *http.Request, path string) bool {
	r.RequestURI = path + strings.TrimPrefix(r.RequestURI, rawPath(r))
	return true
}

// mutatePath changes a letter or digit that is not part of an escape, so that
// the path surely names something else.
func mutatePath(t *rapid.T, r *http.Request) bool {
	path := []byte(rawPath(r))
	i := rapid.IntRange(0, len(path)-1).Draw(t, "at")
	if path[i] < 'a' || path[i] > 'z' || strings.Contains(string(path[max(0, i-2):i]), "%") {
		return false
	}
	path[i] -= 'a' - 'A'
	return setPath(r, string(path))
}

// params returns the pairs of the query that are not part of the signature.
func params(r *http.Request) (own []string, rest []string) {
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if strings.HasPrefix(pair, "X-Amz-") || pair == "" {
			rest = append(rest, pair)
		} else {
			own = append(own, pair)
		}
	}
	return own, rest
}

func mutateQuery(t *rapid.T, r *http.Request) bool {
	own, rest := params(r)
	if len(own) == 0 {
		return false
	}
	i := rapid.IntRange(0, len(own)-1).Draw(t, "at")
	if rapid.Bool().Draw(t, "drop") {
		own = slices.Delete(own, i, i+1)
	} else {
		own[i] += "x"
	}
	r.URL.RawQuery = strings.Join(append(own, rest...), "&")
	return true
}

func repeatParam(r *http.Request) bool {
	own, _ := params(r)
	if len(own) == 0 {
		return false
	}
	r.URL.RawQuery += "&" + own[0]
	return true
}

// signedHeader draws one of the signed headers that are in r.Header.
func signedHeader(t *rapid.T, r *http.Request) (string, bool) {
	list := r.URL.Query().Get("X-Amz-SignedHeaders")
	if a := r.Header.Get("Authorization"); a != "" {
		_, list, _ = strings.Cut(a, "SignedHeaders=")
		list, _, _ = strings.Cut(list, ",")
	}
	var names []string
	for name := range strings.SplitSeq(list, ";") {
		if name != "host" {
			names = append(names, http.CanonicalHeaderKey(name))
		}
	}
	if len(names) == 0 {
		return "", false
	}
	return rapid.SampledFrom(names).Draw(t, "header"), true
}

func mutateHeader(t *rapid.T, r *http.Request) bool {
	name, ok := signedHeader(t, r)
	if ok {
		r.Header[name][0] += "x"
	}
	return ok
}

func dropHeader(t *rapid.T, r *http.Request) bool {
	name, ok := signedHeader(t, r)
	delete(r.Header, name)
	return ok
}

func repeatHeader(t *rapid.T, r *http.Request) bool {
	name, ok := signedHeader(t, r)
	r.Header[name] = append(r.Header[name], "")
	return ok
}

// replaceIn replaces text wherever the signature's own data is kept.
func replaceIn(r *http.Request, old, replacement string) bool {
	for _, name := range []string{"Authorization", "X-Amz-Date"} {
		if v := r.Header.Get(name); v != "" {
			r.Header.Set(name, strings.Replace(v, old, replacement, 1))
		}
	}
	r.URL.RawQuery = strings.Replace(r.URL.RawQuery, old, replacement, 1)
	return true
}

func stampOf(r *http.Request) string {
	if stamp := r.Header.Get("X-Amz-Date"); stamp != "" {
		return stamp
	}
	return r.URL.Query().Get("X-Amz-Date")
}

// laterStamp is another time on the same day.
func laterStamp(stamp string) string {
	last := len(stamp) - 2
	return stamp[:last] + string('0'+(stamp[last]-'0'+1)%10) + "Z"
}

// replaceScope changes one element of the credential.
func replaceScope(r *http.Request, element int, value string) bool {
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	credential, _, _ := strings.Cut(rest, ",")
	separator := "/"
	if credential == "" {
		credential = r.URL.Query().Get("X-Amz-Credential")
		separator = "%2F"
	}
	parts := strings.Split(credential, "/")
	old := strings.Join(parts, separator)
	parts[element] = value
	return replaceIn(r, old, strings.Join(parts, separator))
}

func mutateSignature(t *rapid.T, r *http.Request) bool {
	_, signature, ok := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	if !ok {
		signature = r.URL.Query().Get("X-Amz-Signature")
	}
	changed := []byte(signature)
	i := rapid.IntRange(0, len(changed)-1).Draw(t, "at")
	changed[i] = rapid.SampledFrom([]byte("0123456789abcdefABCDEF")).Draw(t, "digit")
	if string(changed) == signature {
		return false
	}
	return replaceIn(r, signature, string(changed))
}

package sigv4

import (
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// wirePath returns the path of r as it is, or for an outgoing request will be,
// on the wire: escaped, without the query, starting with a slash. It does not
// use r.URL if it need not, because that may have been rewritten since.
func wirePath(r *http.Request) string {
	target := r.RequestURI
	if target == "" {
		target = r.URL.RequestURI()
	}
	path, _, _ := strings.Cut(target, "?")
	if strings.HasPrefix(path, "/") {
		return path
	}
	// The absolute form, which clients send to proxies.
	_, rest, _ := strings.Cut(path, "://")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return "/"
}

// pathSpellings yields the spellings of the path that clients put into the
// canonical request, without repeats, the standard one first:
//
//  1. dot segments and empty segments removed, then encoded once more
//  2. encoded once more as it is: the AWS SDK for Go, CRT signers that do not normalize
//  3. encoded once: hand-written signers
//  4. as it is: signers made for S3
//
// The last two are left out for a path with an encoded percent sign. Otherwise
// a request for /a%2Fb would verify as one for /a%252Fb, another resource.
func pathSpellings(wire string) iter.Seq[string] {
	return func(yield func(string) bool) {
		tried := make([]string, 0, 4)
		try := func(s string) (again bool) {
			if slices.Contains(tried, s) {
				return true
			}
			tried = append(tried, s)
			return yield(s)
		}
		if !try(standardSpelling(wire)) || !try(escapePath(wire)) || strings.Contains(wire, "%25") {
			return
		}
		if once, ok := escapeOnce(wire); ok && !try(once) {
			return
		}
		try(wire)
	}
}

// standardSpelling is what the specification of Signature Version 4 asks for.
func standardSpelling(wire string) string { return escapePath(removeDotSegments(wire)) }

// removeDotSegments resolves "." and ".." and drops empty segments, which
// [RFC 3986, 5.2.4] keeps but AWS does not. A slash at the end stays.
func removeDotSegments(path string) string {
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
		return path
	}
	var kept []string
	for seg := range strings.SplitSeq(path, "/") {
		switch seg {
		case "", ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, seg)
		}
	}
	out := "/" + strings.Join(kept, "/")
	if len(kept) > 0 && strings.HasSuffix(path, "/") {
		out += "/"
	}
	return out
}

// escapePath encodes everything but unreserved characters and slashes.
func escapePath(path string) string {
	if pathBytes.containsAll(path) {
		return path
	}
	return string(appendEscaped(make([]byte, 0, len(path)+16), path, pathBytes))
}

// escapeOnce brings a path that may be encoded into the encoded form. It
// reports false if the path has a malformed escape.
func escapeOnce(path string) (string, bool) {
	out := make([]byte, 0, len(path)+16)
	for i, seg := range strings.Split(path, "/") {
		plain, err := url.PathUnescape(seg)
		if err != nil {
			return "", false
		}
		if i > 0 {
			out = append(out, '/')
		}
		out = appendEscaped(out, plain, unreserved)
	}
	return string(out), true
}

package sigv4

// byteTable is a set of bytes.
type byteTable [256]bool

func byteSet(members string) *byteTable {
	var t byteTable
	for i := range len(members) {
		t[members[i]] = true
	}
	return &t
}

func (t *byteTable) containsAll(s string) bool {
	for i := range len(s) {
		if !t[s[i]] {
			return false
		}
	}
	return true
}

// unreserved holds the bytes that stay as they are [RFC 3986, 2.3].
var unreserved = byteSet(unreservedBytes)

const unreservedBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

// pathBytes holds the bytes that stay as they are in a path.
var pathBytes = byteSet(unreservedBytes + "/")

// appendEscaped appends s with every byte percent-encoded that is not in keep.
func appendEscaped(dst []byte, s string, keep *byteTable) []byte {
	const hexUpper = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if keep[c] {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '%', hexUpper[c>>4], hexUpper[c&15])
	}
	return dst
}

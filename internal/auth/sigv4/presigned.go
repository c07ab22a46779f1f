package sigv4

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxExpires is the longest that a presigned request may stay good, in seconds.
const maxExpires = 7 * 24 * 60 * 60

// parsePresigned reads the query form from the parameters of a request, which
// it changes. Signers may leave the hash of the body in its header.
func parsePresigned(params []param, contentSHA256 []string) (*signature, error) {
	q := make(map[string]string, 8)
	for _, p := range params {
		if !strings.HasPrefix(p.key, "X-Amz-") {
			continue
		}
		if _, ok := q[p.key]; ok && isSignatureParam(p.key) {
			return nil, incomplete("%s query parameter must be given once.", p.key)
		}
		q[p.key], _ = url.PathUnescape(p.value) // canonical, so well-formed
	}
	switch q[nameAlgorithm] {
	case algorithm:
	case "":
		return nil, incomplete("AWS query-string parameters must include '%s'.", nameAlgorithm)
	default:
		return nil, incomplete("Unsupported AWS 'algorithm': only %s is accepted.", algorithm)
	}
	s, err := newSignature("AWS query-string parameters must include 'X-Amz-%s'.", q[nameCredential], q[nameSignedHeaders], q[nameSignature])
	if err != nil {
		return nil, err
	}
	if err := s.readStamp(q[nameDate]); err != nil {
		return nil, err
	}
	s.presign = true
	s.token, s.payload = q[nameSecurityToken], q[nameContentSHA256]
	switch len(contentSHA256) {
	case 0:
	case 1:
		s.payload = contentSHA256[0]
	default:
		return nil, incomplete("%s header must be given once.", nameContentSHA256)
	}
	s.query = slices.DeleteFunc(params, func(p param) bool { return p.key == nameSignature })
	return s, s.readExpires(q)
}

func isSignatureParam(key string) bool {
	switch key {
	case nameAlgorithm, nameCredential, nameDate, nameExpires, nameSignedHeaders, nameSignature, nameSecurityToken, nameContentSHA256:
		return true
	default:
		return false
	}
}

func (s *signature) readExpires(q map[string]string) error {
	text, ok := q[nameExpires]
	if !ok {
		return nil // signers of WebSocket requests leave it out
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n < 1 || n > maxExpires {
		return incomplete("%s must be a number of seconds from 1 to %d.", nameExpires, maxExpires)
	}
	s.expires = time.Duration(n) * time.Second
	return nil
}

// queries returns the canonical queries that may have been signed. Clients of
// the device gateway append the session token after they have signed, although
// some sign it too.
func (s *signature) queries() [][]param {
	if !s.presign || s.service != "iotdevicegateway" {
		return [][]param{s.query}
	}
	without := slices.DeleteFunc(slices.Clone(s.query), func(p param) bool { return p.key == nameSecurityToken })
	if len(without) == len(s.query) {
		return [][]param{s.query}
	}
	return [][]param{without, s.query}
}

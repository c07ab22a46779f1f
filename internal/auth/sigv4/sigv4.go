// Package sigv4 verifies and makes AWS Signature Version 4 signatures, in the
// Authorization header and in the query (presigned) form.
//
// A signature covers a canonical text of the request: method, path, query, the
// headers that the signer chose, and the hash of the body. Clients differ in
// how they spell the path in that text, so the Verifier tries the standard
// spelling first (the path of the wire without dot segments, each segment
// encoded once more) and then the others that clients are known to use.
//
// Two laws follow, and are tested:
//
//   - All requests for which one signature verifies have paths with the same
//     decoded segments, once empty, "." and ".." segments are resolved. A
//     surface that routes on the path of the wire must therefore never take
//     such a segment for a name.
//   - Any other change of method, path, query, signed header, date or body is
//     refused.
//
// Errors are *apierr.Error with the messages that AWS sends. They hold no
// secrets, no signature that would be right, and no credentials of the request.
package sigv4

const (
	algorithm       = "AWS4-HMAC-SHA256"
	terminator      = "aws4_request" // last element of every credential scope
	unsignedPayload = "UNSIGNED-PAYLOAD"

	// stampLayout is the time of a signature, in UTC. Its first eight bytes are
	// the date of the credential scope.
	stampLayout = "20060102T150405Z"
	dateLength  = len("20060102")
)

// Names of headers. The query form uses the same names for its parameters.
const (
	nameAlgorithm     = "X-Amz-Algorithm"
	nameContentSHA256 = "X-Amz-Content-Sha256"
	nameCredential    = "X-Amz-Credential"
	nameDate          = "X-Amz-Date"
	nameExpires       = "X-Amz-Expires"
	nameSecurityToken = "X-Amz-Security-Token"
	nameSignature     = "X-Amz-Signature"
	nameSignedHeaders = "X-Amz-SignedHeaders"
)

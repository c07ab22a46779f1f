package sigv4

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"muster/internal/apierr"
)

// signature is what a request says about how it was signed. Nothing in it has
// been checked against a secret yet.
type signature struct {
	scope
	scopeText string // "date/region/service/aws4_request"
	signed    string // names of the signed headers, sorted: "host;x-amz-date"
	hex       string // the signature itself

	stamp   string        // time of signing as it goes into the string to sign
	at      time.Time     // the same, parsed
	expires time.Duration // how long it is good for from at, or 0 for the skew window

	token   string  // session token, or empty
	payload string  // X-Amz-Content-Sha256, or empty
	query   []param // canonical query without the signature
	presign bool    // in the query form
}

// parse reads the signature of a request in either form. The error is
// MissingToken if there is none, IncompleteSignature if it is malformed, or
// InvalidSignature if it could never verify.
func parse(r *http.Request) (*signature, error) {
	params, ok := parseQuery(r.URL.RawQuery)
	authorization := r.Header["Authorization"]
	presign := slices.ContainsFunc(params, func(p param) bool {
		return p.key == nameAlgorithm || p.key == nameCredential || p.key == nameSignature
	})
	switch {
	case !presign && len(authorization) == 0:
		return nil, apierr.New(apierr.MissingToken, msgMissing)
	case presign && len(authorization) > 0:
		return nil, incomplete("Only one of the Authorization header and the %s query parameters may be given.", nameAlgorithm)
	case !ok:
		return nil, mismatch()
	case presign:
		return parsePresigned(params, r.Header[nameContentSHA256])
	case len(authorization) > 1:
		return nil, incomplete("Authorization header must be given once.")
	}
	s, err := parseAuthorization(authorization[0])
	if err != nil {
		return nil, err
	}
	s.query = params
	return s, s.readHeaders(r.Header)
}

// parseAuthorization reads the value of an Authorization header:
//
//	AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…
//
// in any order, with or without spaces.
func parseAuthorization(value string) (*signature, error) {
	rest, ok := strings.CutPrefix(value, algorithm)
	if !ok || rest != "" && rest[0] != ' ' {
		return nil, incomplete("Unsupported AWS 'algorithm': only %s is accepted.", algorithm)
	}
	var credential, signed, hex string
	for part := range strings.SplitSeq(rest, ",") {
		key, v, ok := strings.Cut(strings.TrimSpace(part), "=")
		var field *string
		switch key {
		case "Credential":
			field = &credential
		case "SignedHeaders":
			field = &signed
		case "Signature":
			field = &hex
		case "":
			if !ok {
				continue // reported below, by what is missing
			}
		}
		if !ok || field == nil || *field != "" {
			return nil, incomplete("Authorization header must have the form: %s Credential=..., SignedHeaders=..., Signature=...", algorithm)
		}
		*field = v
	}
	return newSignature("Authorization header requires '%s' parameter.", credential, signed, hex)
}

// newSignature puts the parts together that both forms share. The format is the
// message for a part that is missing, given its name.
func newSignature(format, credential, signed, hex string) (*signature, error) {
	if credential == "" || signed == "" || hex == "" {
		return nil, incomplete("%s", missing(format, credential, signed, hex))
	}
	if err := checkSignedHeaders(signed); err != nil {
		return nil, err
	}
	s := &signature{signed: signed, hex: hex}
	return s, s.readCredential(credential)
}

// missing lists the parts that are not there.
func missing(format, credential, signed, hex string) string {
	var all []string
	for _, p := range [...]struct{ name, value string }{
		{"Credential", credential}, {"Signature", hex}, {"SignedHeaders", signed},
	} {
		if p.value == "" {
			all = append(all, strings.Replace(format, "%s", p.name, 1))
		}
	}
	return strings.Join(all, " ")
}

// readCredential reads "keyid/date/region/service/aws4_request".
func (s *signature) readCredential(credential string) error {
	keyID, scopeText, _ := strings.Cut(credential, "/")
	date, rest, _ := strings.Cut(scopeText, "/")
	region, rest, _ := strings.Cut(rest, "/")
	service, end, ok := strings.Cut(rest, "/")
	if keyID == "" || !ok || strings.Contains(end, "/") {
		return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.")
	}
	if end != terminator {
		return invalid("Credential should be scoped with a valid terminator: '%s'.", terminator)
	}
	s.scope = scope{keyID: keyID, date: date, region: region, service: service}
	s.scopeText = scopeText
	return nil
}

// checkSignedHeaders refuses lists that no signer makes, and with them every
// doubt about what was signed.
func checkSignedHeaders(signed string) error {
	previous, host := "", false
	for name := range strings.SplitSeq(signed, ";") {
		if !isHeaderName(name) || name <= previous {
			return incomplete("SignedHeaders must be lower-case header names, sorted, without repeats, separated by semicolons.")
		}
		host = host || name == "host"
		previous = name
	}
	if !host {
		return invalid(msgHost)
	}
	return nil
}

// headerNameBytes holds the characters of a token [RFC 9110, 5.6.2] in lower case.
var headerNameBytes = byteSet("abcdefghijklmnopqrstuvwxyz0123456789-_.~!#$%&'*+^`|")

func isHeaderName(s string) bool {
	return s != "" && headerNameBytes.containsAll(s)
}

// readHeaders reads what the header form keeps outside of Authorization.
func (s *signature) readHeaders(h http.Header) error {
	for _, name := range [...]string{nameDate, "Date", nameContentSHA256, nameSecurityToken} {
		if len(h[name]) > 1 {
			return incomplete("%s header must be given once.", name)
		}
	}
	s.payload, s.token = first(h[nameContentSHA256]), first(h[nameSecurityToken])
	if stamp := first(h[nameDate]); stamp != "" {
		return s.readStamp(stamp)
	}
	date := first(h["Date"])
	if date == "" {
		return incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if t, err := http.ParseTime(date); err == nil {
		date = formatStamp(t)
	}
	return s.readStamp(date)
}

// first returns the value of a header that is given at most once.
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// readStamp takes the time of signing and checks that the scope has its date.
func (s *signature) readStamp(stamp string) error {
	t, err := time.Parse(stampLayout, stamp)
	if err != nil || len(stamp) != len(stampLayout) { // time.Parse would take a fraction
		return incomplete(msgDate)
	}
	if s.date != stamp[:dateLength] {
		return invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
	}
	s.stamp, s.at = stamp, t
	return nil
}

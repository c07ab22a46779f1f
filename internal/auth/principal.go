package auth

import "fmt"

// Kind says how a principal proved itself.
type Kind uint8

// The kinds. The zero value is no kind: a request that nobody vouched for.
const (
	// AccessKey is a caller that signed with the secret of an access key.
	AccessKey Kind = iota + 1
	// Certificate is a device that proved to have the key of a certificate.
	Certificate
	// Local is a client on this machine that came over a listener that only
	// this machine can reach, and showed no credentials.
	Local
	// Bridge is whoever an MQTT broker of somebody else's has let publish to the
	// topics of a thing.
	Bridge
)

// String returns the kind in lower-case words, for logs.
func (k Kind) String() string {
	switch k {
	case AccessKey:
		return "access key"
	case Certificate:
		return "certificate"
	case Local:
		return "local client"
	case Bridge:
		return "client of a broker"
	default:
		return fmt.Sprintf("kind %d", uint8(k))
	}
}

// Principal is an authenticated caller of one request. It is comparable; the
// zero value is nobody.
type Principal struct {
	// Kind says what ID names.
	Kind Kind
	// ID is the access key id, the certificate's SHA-256 in lower-case hex, the
	// client id of a local client, or the thing's name for a client of a broker.
	ID string
	// Account is the 12-digit account of the caller and of the ARNs it is told.
	Account string
	// Region is the region of this request, which names the ARNs in its answer:
	// the one the request was signed for if the server serves any region, else
	// the server's own.
	Region string
	// Service is the service that the request was signed for, such as "iot".
	// PlaneOf says which plane it asks for.
	Service string
}

// ARN returns the name of the principal in messages, logs and policies.
// Access keys are shown as users whose name is the key id: Muster has no users
// apart from their keys.
func (p Principal) ARN() string {
	switch p.Kind {
	case Certificate:
		return "arn:aws:iot:" + p.Region + ":" + p.Account + ":cert/" + p.ID
	case Local:
		return "arn:aws:iot:" + p.Region + ":" + p.Account + ":client/" + p.ID
	case Bridge:
		return "arn:aws:iot:" + p.Region + ":" + p.Account + ":thing/" + p.ID
	}
	return "arn:aws:iam::" + p.Account + ":user/" + p.ID
}

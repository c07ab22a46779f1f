package sigv4

import (
	"fmt"
	"time"

	"muster/internal/apierr"
)

// The messages that clients see. Where AWS is known to send a text, it is that
// text, without the parts that would echo what the client sent.
const (
	msgMissing    = "Missing Authentication Token"
	msgUnknownKey = "The security token included in the request is invalid."
	msgMismatch   = "The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	msgHost = "'Host' must be a 'SignedHeader' in the AWS Authorization."
	msgDate = "Date must be in ISO-8601 'basic format', such as 20060102T150405Z."
)

func incomplete(format string, args ...any) error {
	return apierr.New(apierr.IncompleteSignature, format, args...)
}

func invalid(format string, args ...any) error {
	return apierr.New(apierr.InvalidSignature, format, args...)
}

// mismatch is the one answer to everything that makes the signature wrong, so
// that it cannot be told which part of a forged request was close.
func mismatch() error { return apierr.New(apierr.InvalidSignature, msgMismatch) }

func unknownKey(cause error) error {
	return apierr.Wrap(apierr.UnknownKey, cause, msgUnknownKey)
}

func formatStamp(t time.Time) string { return t.UTC().Format(stampLayout) }

// formatSkew writes a window as AWS does, "5 min.", or with units if it is not
// made of whole minutes.
func formatSkew(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%d min.", d/time.Minute)
	}
	return d.String() + "."
}

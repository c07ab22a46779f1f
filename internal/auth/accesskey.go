package auth

import (
	"crypto/rand"
	"encoding/base64"
)

const (
	keyIDPrefix = "AKIA" // long-lived keys; clients and scanners know them by it
	keyIDRandom = 16     // characters after the prefix, 5 bits each
	secretBytes = 30     // 240 bits, 40 characters of base64 without padding
)

// NewAccessKey makes an access key from the system's random source. The id is
// "AKIA" and 16 characters of A-Z and 2-7; the secret is 40 characters of
// standard base64. Both have the form that AWS clients and tools expect.
func NewAccessKey() (id, secret string) {
	b := make([]byte, secretBytes)
	_, _ = rand.Read(b) // documented never to fail: it ends the program instead
	return keyIDPrefix + rand.Text()[:keyIDRandom], base64.StdEncoding.EncodeToString(b)
}

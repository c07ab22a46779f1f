package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// MasterKeySize is the length of a master key in bytes.
const MasterKeySize = 32

const (
	// sealVersion leads every sealed secret, so that the form can change later.
	sealVersion = 1
	// sealPurpose sets the sealing key apart from other keys that may one day
	// be derived from the same master key.
	sealPurpose = "muster access key secrets, version 1"
)

// Sealer encrypts secrets for storage with AES-256-GCM. A sealed secret opens
// only under the id it was sealed for: one copied to another row of the
// database does not. It is safe for concurrent use.
type Sealer struct {
	aead cipher.AEAD
}

// NewSealer returns a Sealer that uses a key derived from masterKey. It fails
// if masterKey is not MasterKeySize bytes long. It does not keep masterKey.
func NewSealer(masterKey []byte) (*Sealer, error) {
	if len(masterKey) != MasterKeySize {
		return nil, fmt.Errorf("auth: master key has %d bytes, want %d", len(masterKey), MasterKeySize)
	}
	key, err := hkdf.Key(sha256.New, masterKey, nil, sealPurpose, 32)
	if err != nil {
		return nil, fmt.Errorf("auth: derive sealing key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("auth: sealing key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("auth: sealing key: %w", err)
	}
	return &Sealer{aead: aead}, nil
}

// Seal returns secret encrypted and bound to id. Every call gives other bytes:
// a version, a random nonce, the ciphertext and its tag. One master key is good
// for 2^32 calls.
func (s *Sealer) Seal(id, secret string) []byte {
	return s.aead.Seal([]byte{sealVersion}, nil, []byte(secret), []byte(id))
}

// Open returns the secret that Seal was given. It fails if sealed was altered,
// was sealed for another id or with another master key; which of them it was
// cannot be told.
func (s *Sealer) Open(id string, sealed []byte) (string, error) {
	if len(sealed) == 0 || sealed[0] != sealVersion {
		return "", fmt.Errorf("auth: sealed secret of %s has an unknown form", id)
	}
	secret, err := s.aead.Open(nil, nil, sealed[1:], []byte(id))
	if err != nil {
		return "", fmt.Errorf("auth: sealed secret of %s does not open: damaged, or sealed with another master key", id)
	}
	return string(secret), nil
}

package cluster

import (
	"errors"
	"fmt"
)

const (
	// MaxData is how many bytes a message may hold. More is refused.
	MaxData = 1 << 20
	// maxSubject is how long a subject may be.
	maxSubject = 200

	// A subscriber that does not keep up loses what comes once so many messages,
	// or so many bytes of them, wait for it.
	maxPending      = 1 << 16
	maxPendingBytes = 64 << 20
)

// ErrClosed is what a bus returns once it is closed.
var ErrClosed = errors.New("cluster: the bus is closed")

// ErrTooLarge is in the error of a message, or of a request whose answer is one,
// that holds more than MaxData, or than a server elsewhere lets pass.
var ErrTooLarge = errors.New("cluster: message too large")

// checkSubject returns an error unless s is a list of tokens separated by dots.
func checkSubject(s string) error {
	if len(s) > maxSubject {
		return fmt.Errorf("cluster: subject of %d bytes, want at most %d", len(s), maxSubject)
	}
	last := '.'
	for _, c := range s {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		case c == '.' && last != '.':
		default:
			return fmt.Errorf("cluster: malformed subject %q", s)
		}
		last = c
	}
	if last == '.' {
		return fmt.Errorf("cluster: malformed subject %q", s)
	}
	return nil
}

// checkMessage returns an error unless the message can be sent at all.
func checkMessage(subject string, data []byte) error {
	err := checkSize(data)
	if err != nil {
		return err
	}
	return checkSubject(subject)
}

func checkSize(data []byte) error {
	if len(data) > MaxData {
		return fmt.Errorf("%w: %d bytes, want at most %d", ErrTooLarge, len(data), MaxData)
	}
	return nil
}

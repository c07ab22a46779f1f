package engine

import (
	"strconv"
	"strings"

	"muster/internal/apierr"
)

// A position is a list's key as text: numbers joined by dots. The empty
// position is the beginning, or the end. Surfaces wrap it into an opaque token.

func position(more bool, key ...int64) string {
	if !more {
		return ""
	}
	var b strings.Builder
	for i, k := range key {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(strconv.FormatInt(k, 10))
	}
	return b.String()
}

// parsePosition returns the n numbers of a position, zeros if it is empty, or
// Invalid naming nextToken.
func parsePosition(s string, n int) ([]int64, error) {
	key := make([]int64, n)
	if s == "" {
		return key, nil
	}
	fields := strings.Split(s, ".")
	if len(fields) != n {
		return nil, badPosition()
	}
	for i, f := range fields {
		k, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return nil, badPosition()
		}
		key[i] = k
	}
	return key, nil
}

func badPosition() error { return apierr.New(apierr.Invalid, "Invalid nextToken.") }

package wire

import (
	"bytes"
	"encoding/json"
)

// Empty is an object without members. DescribeJob shows one for each
// configuration that a job does not have.
type Empty struct{}

// List is a list in a response that is always present: nil is written as [].
type List[T any] []T

// MarshalJSON returns the list, never null.
func (l List[T]) MarshalJSON() ([]byte, error) {
	if l == nil {
		return []byte("[]"), nil
	}
	return Encode([]T(l))
}

// Encode returns v as compact JSON in its HTTP form. Unlike json.Marshal it
// leaves <, > and & as they are, like AWS does.
func Encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

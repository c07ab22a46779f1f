package postgres

import (
	"encoding/json"
	"fmt"
)

// encode returns v as JSON text to be stored, or nil (NULL) if empty is set.
func encode(v any, empty bool) (*string, error) {
	if empty {
		return nil, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	text := string(b)
	return &text, nil
}

// decode reads JSON that encode has written. NULL leaves v alone.
func decode(text *string, v any) error {
	if text == nil || *text == "" {
		return nil
	}
	err := json.Unmarshal([]byte(*text), v)
	if err != nil {
		return fmt.Errorf("postgres: stored JSON: %w", err)
	}
	return nil
}

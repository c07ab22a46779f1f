package sqlite

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// list writes numbers as a JSON array, for json_each and for paths of groups.
func list(ns []int64) string {
	b := append(make([]byte, 0, 21*len(ns)+2), '[')
	for i, n := range ns {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return string(append(b, ']'))
}

// names writes strings as a JSON array, for json_each.
func names(ss []string) (string, error) {
	b := append(make([]byte, 0, 32*len(ss)+2), '[')
	for i, s := range ss {
		if i > 0 {
			b = append(b, ',')
		}
		if plain(s) {
			b = append(append(append(b, '"'), s...), '"')
			continue
		}
		q, err := json.Marshal(s)
		if err != nil {
			return "", err
		}
		b = append(b, q...)
	}
	return string(append(b, ']')), nil
}

// plain reports whether s needs no escapes between JSON quotes.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return true
}

// encode returns v as JSON text to be bound, or nil (NULL) if empty is set.
func encode(v any, empty bool) (any, error) {
	if empty {
		return nil, nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

// decode reads JSON that encode has written. NULL leaves v alone.
func decode(text string, v any) error {
	if text == "" {
		return nil
	}
	err := json.Unmarshal([]byte(text), v)
	if err != nil {
		return fmt.Errorf("sqlite: stored JSON: %w", err)
	}
	return nil
}

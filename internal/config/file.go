package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/BurntSushi/toml"
)

// file takes the values of a TOML file. Keys that are no setting are errors, so
// that a misspelled one is not silently the default.
func (l *loader) file(path string) {
	values := make(map[string]any)
	if _, err := toml.DecodeFile(path, &values); err != nil {
		l.errs = append(l.errs, fmt.Errorf("config: %s: %w", path, err))
		return
	}
	source := fmt.Sprintf("file %q", path)
	for _, k := range l.table {
		v, ok := values[k.name]
		if !ok {
			continue
		}
		delete(values, k.name)
		if text, limit := k.fromTOML(v); limit == "" {
			l.give(k, text, source)
		} else {
			l.sources[k.name] = source
			l.fault(k.name, fmt.Sprint(v), limit)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		l.sources[name] = source
		l.fault(name, fmt.Sprint(values[name]), "is not a setting"+l.suggest(name))
	}
}

// fromTOML returns the text of a decoded value, or what it must be instead.
func (k key) fromTOML(v any) (text, limit string) {
	switch v := v.(type) {
	case string:
		if k.kind == boolean {
			return "", "must be true or false, without quotes"
		}
		return v, ""
	case bool:
		if k.kind == boolean {
			return strconv.FormatBool(v), ""
		}
	case int64:
		if k.kind == size {
			return strconv.FormatInt(v, 10), ""
		}
	}
	switch k.kind {
	case boolean:
		return "", "must be true or false"
	case size:
		return "", "must be a string with a unit, or a number of bytes"
	default:
		return "", "must be a string in quotes"
	}
}

// suggest returns the setting that a misspelled name may mean, as part of a sentence.
func (l *loader) suggest(name string) string {
	for _, k := range l.table {
		if words(k.name, '_') == words(name, '_') || distance(k.name, name) <= 2 {
			return "; did you mean " + k.name + "?"
		}
	}
	return ""
}

// distance is the number of letters to insert, delete or replace to make a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

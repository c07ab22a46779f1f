package config

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// key is one setting: its name in the file, and how its value is read and
// written. Environment and flags take the same text as the file.
type key struct {
	name string
	help string // for people, without a full stop
	kind kind
	// set stores the value that text describes. It returns what the value must be if it is not.
	set func(c *Config, text string) error
	// get returns the value as set takes it.
	get func(c *Config) string
	// hide takes what is secret out of a value; nil if nothing is.
	hide func(string) string
}

// shown returns a value of the setting as people may see it.
func (k key) shown(value string) string {
	if k.hide == nil {
		return value
	}
	return k.hide(value)
}

// kind is the TOML type of a value.
type kind int

const (
	text    kind = iota // a string
	boolean             // true or false
	size                // a string with a unit, or an integer number of bytes
)

// env returns the name of the environment variable: MUSTER_ANY_REGION for anyRegion.
func (k key) env() string {
	return "MUSTER_" + strings.ToUpper(words(k.name, '_'))
}

// flag returns the name of the flag: any-region for anyRegion.
func (k key) flag() string {
	return words(k.name, '-')
}

// words splits a camel-case name into lower-case words: deviceCAFile is device, ca, file.
func words(name string, sep rune) string {
	var b strings.Builder
	letters := []rune(name)
	for i, r := range letters {
		begins := i > 0 && unicode.IsUpper(r) &&
			(!unicode.IsUpper(letters[i-1]) || i+1 < len(letters) && unicode.IsLower(letters[i+1]))
		if begins {
			b.WriteRune(sep)
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// textKey is a setting of free text that check accepts.
func textKey(name, help string, field func(*Config) *string, check func(string) error) key {
	return key{
		name: name, help: help, kind: text,
		set: func(c *Config, s string) error {
			if err := check(s); err != nil {
				return err
			}
			*field(c) = s
			return nil
		},
		get: func(c *Config) string { return *field(c) },
	}
}

// secretKey is a textKey whose value is shown without what hide takes out.
func secretKey(name, help string, field func(*Config) *string, check func(string) error, hide func(string) string) key {
	k := textKey(name, help, field, check)
	k.hide = hide
	return k
}

// intKey is a whole number, least and most included.
func intKey(name, help string, field func(*Config) *int64, least, most int64) key {
	return key{
		name: name, help: help, kind: size,
		set: func(c *Config, s string) error {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil || n < least || n > most {
				return fmt.Errorf("must be a whole number from %d to %d", least, most)
			}
			*field(c) = n
			return nil
		},
		get: func(c *Config) string { return strconv.FormatInt(*field(c), 10) },
	}
}

func boolKey(name, help string, field func(*Config) *bool) key {
	return key{
		name: name, help: help, kind: boolean,
		set: func(c *Config, s string) error {
			b, err := strconv.ParseBool(s)
			if err != nil {
				return errors.New("must be true or false")
			}
			*field(c) = b
			return nil
		},
		get: func(c *Config) string { return strconv.FormatBool(*field(c)) },
	}
}

// durationKey is a duration in Go's spelling, least and most included.
func durationKey(name, help string, field func(*Config) *time.Duration, least, most time.Duration) key {
	return key{
		name: name, help: help, kind: text,
		set: func(c *Config, s string) error {
			d, err := time.ParseDuration(s)
			if err != nil || d < least || d > most {
				return fmt.Errorf("must be a duration with its unit, from %s to %s", duration(least), duration(most))
			}
			*field(c) = d
			return nil
		},
		get: func(c *Config) string { return duration(*field(c)) },
	}
}

// duration is d.String without the units that are zero: 5m instead of 5m0s.
func duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// sizeKey is a number of bytes, least and most included.
func sizeKey(name, help string, field func(*Config) *int64, least, most int64) key {
	return key{
		name: name, help: help, kind: size,
		set: func(c *Config, s string) error {
			n, ok := parseBytes(s)
			if !ok || n < least || n > most {
				return fmt.Errorf("must be a size such as 512KiB, 2MiB or 1048576, from %s to %s", bytes(least), bytes(most))
			}
			*field(c) = n
			return nil
		},
		get: func(c *Config) string { return bytes(*field(c)) },
	}
}

const kib, mib = 1 << 10, 1 << 20

// parseBytes reads a number of bytes with an optional unit.
func parseBytes(s string) (n int64, ok bool) {
	unit := int64(1)
	if rest, ok := strings.CutSuffix(s, "KiB"); ok {
		s, unit = rest, kib
	} else if rest, ok := strings.CutSuffix(s, "MiB"); ok {
		s, unit = rest, mib
	}
	u, err := strconv.ParseUint(strings.TrimSpace(s), 10, 40) // times a MiB still fits
	return int64(u) * unit, err == nil
}

// bytes is the inverse of parseBytes, with the largest unit that divides n.
func bytes(n int64) string {
	switch {
	case n > 0 && n%mib == 0:
		return fmt.Sprintf("%dMiB", n/mib)
	case n > 0 && n%kib == 0:
		return fmt.Sprintf("%dKiB", n/kib)
	}
	return strconv.FormatInt(n, 10)
}

// levelKey is a level of slog.
func levelKey(name, help string, field func(*Config) *slog.Level) key {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	return key{
		name: name, help: help, kind: text,
		set: func(c *Config, s string) error {
			l, ok := levels[s]
			if !ok {
				return errors.New("must be debug, info, warn or error")
			}
			*field(c) = l
			return nil
		},
		get: func(c *Config) string { return strings.ToLower(field(c).String()) },
	}
}

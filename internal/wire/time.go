package wire

import (
	"math"
	"strconv"
)

// Seconds is a time in milliseconds since the Unix epoch that is written as
// whole seconds, rounded down: the spelling of the device surfaces. Zero is
// never, and is left out by fields with omitzero.
type Seconds int64

// MarshalJSON returns the whole seconds.
func (t Seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, int64(t)/1000, 10), nil
}

// UnmarshalJSON takes a number of seconds. It fails on anything else.
func (t *Seconds) UnmarshalJSON(data []byte) error {
	ms, err := parseSeconds(data)
	*t = Seconds(ms)
	return err
}

// FractionalSeconds is a time in milliseconds since the Unix epoch that is
// written as seconds with a fraction, such as 1560787022.733: the spelling of
// the control plane. Zero is never, and is left out by fields with omitzero.
type FractionalSeconds int64

// MarshalJSON returns the seconds with three decimals.
func (t FractionalSeconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(t)/1000, 'f', 3, 64), nil
}

// UnmarshalJSON takes a number of seconds. It fails on anything else.
func (t *FractionalSeconds) UnmarshalJSON(data []byte) error {
	ms, err := parseSeconds(data)
	*t = FractionalSeconds(ms)
	return err
}

// parseSeconds returns the milliseconds of a JSON number of seconds.
func parseSeconds(data []byte) (int64, error) {
	if string(data) == "null" {
		return 0, nil
	}
	s, err := strconv.ParseFloat(string(data), 64)
	if err != nil {
		return 0, err
	}
	return int64(math.Round(s * 1000)), nil
}

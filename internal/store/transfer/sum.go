package transfer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

// sum adds up checksums of rows, in any order. Both sides compute it from what
// they hold: here from the values as SQLite returns them, there by sumQuery.
type sum struct {
	rows   int64
	hi, lo uint64
	text   []byte
}

// add adds a row, and before its values the part that it is in, if it has one.
func (s *sum) add(placed bool, part int, row []any) {
	s.text = s.text[:0]
	if placed {
		s.text = append(strconv.AppendInt(s.text, int64(part), 10), '|')
	}
	for i, v := range row {
		if i > 0 {
			s.text = append(s.text, '|')
		}
		switch v := v.(type) {
		case int64:
			s.text = strconv.AppendInt(s.text, v, 10)
		case string:
			s.text = append(append(s.text, '='), v...)
		case []byte:
			s.text = hex.AppendEncode(append(s.text, '='), v)
		default:
			s.text = append(s.text, '~')
		}
	}
	h := sha256.Sum256(s.text)
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, binary.BigEndian.Uint64(h[:])>>8, 0)
	s.hi += carry
	s.rows++
}

// String returns the sum in decimal digits.
func (s *sum) String() string {
	n := new(big.Int).Lsh(new(big.Int).SetUint64(s.hi), 64)
	return n.Or(n, new(big.Int).SetUint64(s.lo)).String()
}

// sumQuery returns a statement for the number and the sum of all rows of a table,
// or of another thing to select from.
func sumQuery(from string, exprs []string) string {
	return `SELECT count(*), coalesce(sum(('x' || encode(substr(sha256(convert_to(concat_ws('|', ` + strings.Join(exprs, `, `) +
		`), 'UTF8')), 1, 7), 'hex'))::bit(56)::bigint), 0)::text FROM ` + from
}

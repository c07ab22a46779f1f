package wire

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// deref returns the value to fill, made first if it is behind a pointer.
func (n *node) deref(v reflect.Value) reflect.Value {
	if !n.pointer {
		return v
	}
	v.Set(reflect.New(v.Type().Elem()))
	return v.Elem()
}

// decodeText fills v from a value of the path or query.
func (n *node) decodeText(v reflect.Value, value string) *fault {
	v = n.deref(v)
	switch n.kind {
	case numberKind:
		i, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return refuse(value, "Member must be an integer")
		}
		v.SetInt(i)
		return n.shape.checkNumber(i)
	case boolKind:
		isTrue := strings.EqualFold(value, "true")
		if !isTrue && !strings.EqualFold(value, "false") {
			return refuse(value, "Member must be true or false")
		}
		v.SetBool(isTrue)
		return nil
	}
	if !utf8.ValidString(value) {
		return refuse(value, "Member must be valid UTF-8")
	}
	v.SetString(value)
	return n.shape.checkText(value)
}

// decode fills v from a JSON value that is not null.
func (n *node) decode(v reflect.Value, raw []byte) *fault {
	v = n.deref(v)
	switch n.kind {
	case textKind:
		s, bad := n.textOf(raw)
		v.SetString(s)
		return bad
	case numberKind:
		i, bad := n.numberOf(raw)
		v.SetInt(i)
		return bad
	case boolKind:
		if raw[0] != 't' && raw[0] != 'f' {
			return wrongType(raw, "a boolean")
		}
		v.SetBool(raw[0] == 't')
		return nil
	case listKind:
		return n.decodeList(v, raw)
	case mapKind:
		return n.decodeMap(v, raw)
	case unservedKind:
		return checkUnserved(raw)
	}
	if raw[0] != '{' {
		return wrongType(raw, "an object")
	}
	v.SetZero()
	return n.plan.decodeBody(v, raw, 0)
}

func (n *node) textOf(raw []byte) (string, *fault) {
	var s string
	switch c := raw[0]; {
	case c == '"':
		s = string(unescape(raw))
	case n.shape.scalars && c != '{' && c != '[':
		s = string(raw)
	default:
		return "", wrongType(raw, "a string")
	}
	return s, n.shape.checkText(s)
}

func (n *node) numberOf(raw []byte) (int64, *fault) {
	digits := string(raw)
	if n.lenient && raw[0] == '"' {
		digits = string(unescape(raw))
	}
	i, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		f, ferr := strconv.ParseFloat(digits, 64)
		if ferr != nil || raw[0] == '"' || f != math.Trunc(f) || math.Abs(f) >= 1<<53 {
			return 0, wrongType(raw, "an integer")
		}
		i = int64(f) // some encoders write 1 as 1.0
	}
	return i, n.shape.checkNumber(i)
}

func (n *node) decodeList(v reflect.Value, raw []byte) *fault {
	if raw[0] != '[' {
		return wrongType(raw, "a list")
	}
	count := 0
	for range elements(raw) {
		count++
	}
	if bad := n.shape.checkCount(count); bad != nil {
		return bad
	}
	out := reflect.MakeSlice(v.Type(), count, count)
	i := 0
	for item := range elements(raw) {
		if isNull(item) {
			return missing("").entry(i)
		}
		if bad := n.elem.decode(out.Index(i), item); bad != nil {
			return bad.entry(i)
		}
		i++
	}
	v.Set(out)
	return nil
}

func (n *node) decodeMap(v reflect.Value, raw []byte) *fault {
	if raw[0] != '{' {
		return wrongType(raw, "an object")
	}
	out := make(map[string]string)
	for name, item := range members(raw) {
		key := string(name)
		if bad := n.key.checkText(key); bad != nil {
			return bad.mapped("keys")
		}
		if isNull(item) {
			return missing(key)
		}
		s, bad := n.elem.textOf(item)
		if bad != nil {
			return bad.mapped("values").under(key)
		}
		out[key] = s
	}
	if bad := n.shape.checkCount(len(out)); bad != nil {
		return bad
	}
	v.Set(reflect.ValueOf(out).Convert(v.Type()))
	return nil
}

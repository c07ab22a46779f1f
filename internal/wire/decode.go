package wire

import (
	"encoding/json"
	"fmt"
	"reflect"
	"unicode/utf8"

	"muster/internal/apierr"
)

// Param is one decoded value of a request's path.
type Param struct {
	Name, Value string
}

// Params are the decoded path values of a request, or what stands for them in
// an MQTT topic. They are few, so a list serves better than a map.
type Params []Param

// Get returns the value called name, and whether there is one.
func (p Params) Get(name string) (string, bool) {
	for _, v := range p {
		if v.Name == name {
			return v.Value, true
		}
	}
	return "", false
}

// Decode fills dst, a pointer to a zero request struct, from the path values,
// the query and the JSON body of a request, and checks every constraint of its
// members. An empty body is an empty object; null is absent; unknown members
// are ignored; names match exactly; of a member given twice the last counts.
// A value of the query or path wins over one of the body.
//
// It fails with [apierr.InvalidJSON] on a body that is not a JSON object in
// UTF-8, with [apierr.LimitExceeded] on a list longer than its quota, and with
// [apierr.Invalid], naming the member and the limit, on everything else. On
// error dst is in no particular state.
func Decode(dst any, p Params, query map[string][]string, body []byte) error {
	v, pl, err := target(dst)
	if err != nil {
		return err
	}
	if err := checkJSON(body); err != nil {
		return err
	}
	var given uint64
	if pl.outer {
		if f := pl.decodeOuter(v, p, query, &given); f != nil {
			return f.err()
		}
	}
	if f := pl.decodeBody(v, body, given); f != nil {
		return f.err()
	}
	return nil
}

// target returns the struct behind a pointer, and its plan.
func target(ptr any) (reflect.Value, *plan, error) {
	v := reflect.ValueOf(ptr)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return v, nil, fmt.Errorf("wire: %T is not a pointer to a request", ptr)
	}
	v = v.Elem()
	pl, err := planOf(v.Type())
	return v, pl, err
}

// checkJSON accepts nothing at all and a JSON object in UTF-8.
func checkJSON(body []byte) error {
	if len(body) == 0 {
		return nil
	}
	if !utf8.Valid(body) {
		return apierr.New(apierr.InvalidJSON, "the content is not valid UTF-8")
	}
	if !json.Valid(body) {
		var raw json.RawMessage
		return apierr.New(apierr.InvalidJSON, "the content is not valid JSON: %v", json.Unmarshal(body, &raw))
	}
	if halfCharacter(body) {
		return apierr.New(apierr.InvalidJSON, "the content is not valid JSON: an escape is half of a surrogate pair")
	}
	if body[skipSpace(body, 0)] != '{' {
		return apierr.New(apierr.InvalidJSON, "the content is not a JSON object")
	}
	return nil
}

// decodeOuter takes what comes by path and query, and marks it in given.
func (p *plan) decodeOuter(v reflect.Value, params Params, query map[string][]string, given *uint64) *fault {
	for i := range p.fields {
		f := &p.fields[i]
		value, ok := "", false
		if f.uri != "" {
			value, ok = params.Get(f.uri)
		} else if f.query != "" && len(query[f.query]) > 0 {
			value, ok = query[f.query][0], true
		}
		if !ok {
			continue
		}
		if bad := f.decodeText(v.Field(f.index), value); bad != nil {
			return bad.under(f.member())
		}
		*given |= 1 << i
	}
	return nil
}

// decodeBody takes the members of a JSON object, except those already given,
// and checks that every required member has come by now. body may be empty.
func (p *plan) decodeBody(v reflect.Value, body []byte, given uint64) *fault {
	seen := given
	if len(body) > 0 {
		for name, raw := range members(body[skipSpace(body, 0):]) {
			i, ok := p.bodies[string(name)]
			if !ok || given&(1<<i) != 0 {
				continue
			}
			f := &p.fields[i]
			if isNull(raw) {
				v.Field(f.index).SetZero()
				seen &^= 1 << i
				continue
			}
			if bad := f.decode(v.Field(f.index), raw); bad != nil {
				return bad.under(f.member())
			}
			seen |= 1 << i
		}
	}
	for i := range p.fields {
		if f := &p.fields[i]; f.required && seen&(1<<i) == 0 {
			return missing(f.member())
		}
	}
	return nil
}

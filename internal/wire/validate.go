package wire

import (
	"maps"
	"reflect"
	"slices"
)

// check walks the members of v. A zero member is absent, except behind a
// pointer.
func (p *plan) check(v reflect.Value) *fault {
	for i := range p.fields {
		f := &p.fields[i]
		member := v.Field(f.index)
		if f.absent(member) {
			if f.required {
				return missing(f.member())
			}
			continue
		}
		if bad := f.check(member); bad != nil {
			return bad.under(f.member())
		}
	}
	return nil
}

// absent reports whether v stands for a member that is not there. A required
// number of value 0 and a struct held by value cannot be absent.
func (f *field) absent(v reflect.Value) bool {
	if !f.pointer && (f.kind == structKind || f.kind == numberKind && f.required) {
		return false
	}
	return v.IsZero()
}

// check checks a value that is there.
func (n *node) check(v reflect.Value) *fault {
	if n.pointer {
		v = v.Elem()
	}
	switch n.kind {
	case textKind:
		return n.shape.checkText(v.String())
	case numberKind:
		return n.shape.checkNumber(v.Int())
	case listKind:
		return n.checkList(v)
	case mapKind:
		return n.checkMap(v)
	case structKind:
		return n.plan.check(v)
	case boolKind, unservedKind:
	}
	return nil
}

func (n *node) checkList(v reflect.Value) *fault {
	if bad := n.shape.checkCount(v.Len()); bad != nil {
		return bad
	}
	for i := range v.Len() {
		if bad := n.elem.check(v.Index(i)); bad != nil {
			return bad.entry(i)
		}
	}
	return nil
}

// checkMap goes by sorted keys, so that of several faults it always names the
// same one.
func (n *node) checkMap(v reflect.Value) *fault {
	if bad := n.shape.checkCount(v.Len()); bad != nil {
		return bad
	}
	m := make(map[string]string, v.Len())
	for it := v.MapRange(); it.Next(); {
		m[it.Key().String()] = it.Value().String()
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if bad := n.key.checkText(key); bad != nil {
			return bad.mapped("keys")
		}
		if bad := n.elem.shape.checkText(m[key]); bad != nil {
			return bad.mapped("values").under(key)
		}
	}
	return nil
}

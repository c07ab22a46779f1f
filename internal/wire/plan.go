package wire

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// kind is the form of a member, which selects how it is decoded and checked.
type kind uint8

const (
	textKind kind = iota
	numberKind
	boolKind
	listKind
	mapKind
	structKind
	unservedKind
)

// node is what the binder knows of a type in the place where it stands.
type node struct {
	kind    kind
	pointer bool // the Go type is a pointer to the kind
	lenient bool // a number may come as a numeric string
	shape   *shape
	elem    *node  // list entry or map value
	key     *shape // map key
	plan    *plan  // struct
}

// field is one member of a request.
type field struct {
	node
	index    int
	uri      string
	query    string
	body     string
	required bool
}

// member is the name that messages use.
func (f *field) member() string {
	switch {
	case f.uri != "":
		return f.uri
	case f.query != "":
		return f.query
	}
	return f.body
}

// plan is how a struct type is decoded and checked, worked out once.
type plan struct {
	fields []field
	bodies map[string]int // member of the body to index in fields
	outer  bool           // some field has a place outside the body
}

// plans caches the plan of each struct type; it holds nothing else.
var plans sync.Map // reflect.Type to *plan

// planOf returns the plan of a struct type. It fails on a tag that names no
// shape and on a field type that the binder does not know, which are mistakes
// in this package that its tests find.
func planOf(t reflect.Type) (*plan, error) {
	known, _ := plans.Load(t)
	if p, ok := known.(*plan); ok {
		return p, nil
	}
	p, err := newPlan(t)
	if err != nil {
		return nil, err
	}
	plans.Store(t, p) // whoever comes at the same time stores the same
	return p, nil
}

func newPlan(t reflect.Type) (*plan, error) {
	p := &plan{bodies: make(map[string]int)}
	for i := range t.NumField() {
		sf := t.Field(i)
		n, err := newNode(sf.Type, sf.Tag.Get("shape"))
		if err != nil {
			return nil, fmt.Errorf("wire: %s.%s: %w", t, sf.Name, err)
		}
		n.lenient = sf.Tag.Get("lenient") == "true"
		f := field{
			node:     n,
			index:    i,
			uri:      sf.Tag.Get("uri"),
			query:    sf.Tag.Get("query"),
			required: sf.Tag.Get("required") == "true" || sf.Tag.Get("uri") != "",
		}
		if name, _, _ := strings.Cut(sf.Tag.Get("json"), ","); name != "-" {
			f.body = name
			p.bodies[name] = len(p.fields)
		}
		p.outer = p.outer || f.uri != "" || f.query != ""
		p.fields = append(p.fields, f)
	}
	return p, nil
}

func newNode(t reflect.Type, shapeName string) (node, error) {
	n := node{shape: &shape{}}
	if t.Kind() == reflect.Pointer {
		n.pointer = true
		t = t.Elem()
	}
	if shapeName != "" {
		s, ok := shapes[shapeName]
		if !ok {
			return n, fmt.Errorf("no shape %q", shapeName)
		}
		n.shape = &s
	}
	var err error
	switch {
	case t == reflect.TypeFor[Unserved]():
		n.kind = unservedKind
	case t.Kind() == reflect.String:
		n.kind = textKind
	case t.Kind() == reflect.Int64, t.Kind() == reflect.Int:
		n.kind = numberKind
	case t.Kind() == reflect.Bool:
		n.kind = boolKind
	case t.Kind() == reflect.Slice:
		n.kind = listKind
		err = n.setElem(t.Elem())
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String && t.Elem().Kind() == reflect.String:
		n.kind = mapKind
		key := shapes[n.shape.key]
		n.key = &key
		err = n.setElem(t.Elem())
	case t.Kind() == reflect.Struct:
		n.kind = structKind
		n.plan, err = planOf(t)
	default:
		err = fmt.Errorf("no decoding for type %s", t)
	}
	return n, err
}

func (n *node) setElem(t reflect.Type) error {
	elem, err := newNode(t, n.shape.elem)
	n.elem = &elem
	return err
}

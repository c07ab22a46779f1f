package httpapi

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/wire"
)

// route is one operation of an API: a line of the table in routes.go.
type route struct {
	pattern   string // method and path, variables in braces: "PUT /jobs/{jobId}"
	operation string // name in the published model
	plane     auth.Plane
	action    string // name in policies: "iot:CreateJob"
	serve     handler
}

// router finds routes by the path as it was sent. The path is split before it
// is decoded, so that a segment may hold an encoded slash, and it is neither
// cleaned nor redirected: the signature covers it as it is, and an id may well
// be "..".
//
// A segment matches the same text before it matches a variable, so a thing
// named jobs and a job named cancel are told apart by where they stand.
type router struct {
	root node
}

// node stands behind a prefix of the known paths.
type node struct {
	literals map[string]*node
	variable *node
	ends     map[string]*endpoint // by method
}

// endpoint is what a method and path lead to: an operation of either plane, or
// of both, which only the service signed for tells apart.
type endpoint struct {
	control, data *entry
}

// entry is a route with what follows from its pattern.
type entry struct {
	route
	variables []variable
}

type variable struct {
	name string
	at   int // index of the segment
}

// newRouter returns a router for the routes, and for every other published
// operation, which it answers with NotImplemented. It fails on patterns that
// are malformed or there twice.
func newRouter(routes []route) (*router, error) {
	r := &router{}
	var errs []error
	for _, rt := range append(routes[:len(routes):len(routes)], unserved(routes)...) {
		if err := r.add(rt); err != nil {
			errs = append(errs, fmt.Errorf("httpapi: route %s: %w", rt.operation, err))
		}
	}
	return r, errors.Join(errs...)
}

// unserved returns a route for every published operation that routes lack.
func unserved(routes []route) []route {
	type key struct {
		plane     auth.Plane
		operation string
	}
	served := make(map[key]bool, len(routes))
	for _, rt := range routes {
		served[key{rt.plane, rt.operation}] = true
	}
	var rest []route
	for _, op := range wire.Operations() {
		plane, _ := auth.PlaneOf(op.Service)
		if served[key{plane, op.Name}] {
			continue
		}
		rest = append(rest, route{
			pattern:   op.Method + " " + op.URI,
			operation: op.Name,
			plane:     plane,
			serve:     notImplemented(op.Name),
		})
	}
	return rest
}

func notImplemented(operation string) handler {
	return func(*call) (any, error) {
		return nil, apierr.New(apierr.NotImplemented, "The operation %s is not implemented by this server.", operation)
	}
}

// add puts a route into the tree.
func (r *router) add(rt route) error {
	method, path, ok := strings.Cut(rt.pattern, " ")
	if !ok || method == "" || !strings.HasPrefix(path, "/") {
		return fmt.Errorf("bad pattern %q", rt.pattern)
	}
	e := &entry{route: rt}
	n := &r.root
	for i, seg := range strings.Split(path[1:], "/") {
		if name, ok := strings.CutPrefix(seg, "{"); ok {
			e.variables = append(e.variables, variable{name: strings.TrimSuffix(name, "}"), at: i})
			n = n.behindVariable()
		} else {
			n = n.behindLiteral(seg)
		}
	}
	slot, err := n.end(method).slot(rt.plane)
	if err != nil {
		return err
	}
	if *slot != nil {
		return fmt.Errorf("%s is taken by %s", rt.pattern, (*slot).operation)
	}
	*slot = e
	return nil
}

func (n *node) behindVariable() *node {
	if n.variable == nil {
		n.variable = &node{}
	}
	return n.variable
}

func (n *node) behindLiteral(seg string) *node {
	if n.literals == nil {
		n.literals = make(map[string]*node)
	}
	if n.literals[seg] == nil {
		n.literals[seg] = &node{}
	}
	return n.literals[seg]
}

func (n *node) end(method string) *endpoint {
	if n.ends == nil {
		n.ends = make(map[string]*endpoint)
	}
	if n.ends[method] == nil {
		n.ends[method] = &endpoint{}
	}
	return n.ends[method]
}

func (e *endpoint) slot(p auth.Plane) (**entry, error) {
	switch p {
	case auth.ControlPlane:
		return &e.control, nil
	case auth.DataPlane:
		return &e.data, nil
	}
	return nil, errors.New("no plane")
}

// on returns the operation for a request to the given plane. A path that only
// one plane has leads there whatever the request was signed for.
func (e *endpoint) on(p auth.Plane) *entry {
	if e.data == nil || e.control != nil && p != auth.DataPlane {
		return e.control
	}
	return e.data
}

// find returns where a method and an escaped path lead, and the decoded
// segments of the path. It fails with Invalid if a segment is badly escaped and
// with UnknownOperation if there is nothing.
func (r *router) find(method, escapedPath string) (*endpoint, []string, error) {
	path, ok := strings.CutPrefix(escapedPath, "/")
	if !ok {
		return nil, nil, unknownOperation(method, escapedPath)
	}
	segs := strings.Split(path, "/")
	for i, seg := range segs {
		decoded, err := url.PathUnescape(seg)
		if err != nil {
			return nil, nil, apierr.New(apierr.Invalid, "The path is not valid: bad escape in %.256q.", seg)
		}
		segs[i] = decoded
	}
	if e := r.root.find(method, segs); e != nil {
		return e, segs, nil
	}
	return nil, nil, unknownOperation(method, escapedPath)
}

func unknownOperation(method, path string) error {
	return apierr.New(apierr.UnknownOperation, "Unknown operation: %.16s %.256s", method, path)
}

func (n *node) find(method string, segs []string) *endpoint {
	if len(segs) == 0 {
		return n.ends[method]
	}
	if next := n.literals[segs[0]]; next != nil {
		if e := next.find(method, segs[1:]); e != nil {
			return e
		}
	}
	if n.variable != nil {
		return n.variable.find(method, segs[1:])
	}
	return nil
}

// params returns the values of the pattern's variables in a path it matches.
func (e *entry) params(segs []string) wire.Params {
	p := make(wire.Params, len(e.variables))
	for i, v := range e.variables {
		p[i] = wire.Param{Name: v.name, Value: segs[v.at]}
	}
	return p
}

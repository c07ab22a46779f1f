package httpapi

import (
	"context"

	"muster/internal/auth"
	"muster/internal/wire"
)

// call is one authenticated request on its way through a handler.
type call struct {
	ctx       context.Context // lives as long as the request, and no longer
	principal auth.Principal

	params wire.Params
	query  map[string][]string
	body   []byte
}

// handler serves an operation and returns the response struct to encode.
type handler func(c *call) (any, error)

// handle makes a handler of a function from request struct to response struct:
// the request is decoded and has met every constraint when serve gets it.
func handle[In, Out any](serve func(*call, *In) (Out, error)) handler {
	return func(c *call) (any, error) {
		in := new(In)
		if err := wire.Decode(in, c.params, c.query, c.body); err != nil {
			return nil, err
		}
		out, err := serve(c, in)
		if err != nil {
			return nil, err
		}
		return out, nil
	}
}

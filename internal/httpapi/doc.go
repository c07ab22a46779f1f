// Package httpapi is the HTTP surface: the control plane and the data plane of
// AWS, both REST with JSON bodies, on one address.
//
// The table in routes.go is the API, one line an operation. The front, in
// middleware.go, is what every request goes through: it reads the body, finds
// out who sent it, finds the route, runs its handler, and writes the answer.
// A handler decodes a wire request, makes one call of the engine or the
// registry, and encodes a wire response; rules live elsewhere. The tables in
// errors.go are the only place that knows how an error is spelled.
package httpapi

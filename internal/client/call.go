package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"muster/internal/wire"
)

// Call sends the request of an operation by its published name. in points to
// its request struct of package wire, whose tags say what goes where; out, which
// may be nil, points to the response struct. Errors are those of Do, with the
// operation's name in front.
func (c *Client) Call(ctx context.Context, service, operation string, in, out any) error {
	op, ok := c.operations[operationKey{service, operation}]
	if !ok {
		return fmt.Errorf("client: %s has no operation %s", service, operation)
	}
	path, query, err := bind(op, in)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	body := in
	if op.Method == http.MethodGet || op.Method == http.MethodDelete {
		body = nil // all members are in path and query
	}
	if err := c.Do(ctx, service, op.Method, path, query, body, out); err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	return nil
}

// call is Call with a new response.
func call[Out any](ctx context.Context, c *Client, service, operation string, in any) (*Out, error) {
	out := new(Out)
	if err := c.Call(ctx, service, operation, in, out); err != nil {
		return nil, err
	}
	return out, nil
}

// bind returns the path and query of a request. It fails if a name in the path
// is empty: the path would be that of another operation.
func bind(op wire.Operation, in any) (string, url.Values, error) {
	v := reflect.Indirect(reflect.ValueOf(in))
	if v.Kind() != reflect.Struct {
		return "", nil, errors.New("client: the request is not a struct")
	}
	path, query := op.URI, make(url.Values)
	for field, value := range v.Fields() {
		text := spell(value)
		if name := field.Tag.Get("uri"); name != "" {
			if text == "" {
				return "", nil, fmt.Errorf("client: %s must not be empty", name)
			}
			path = strings.Replace(path, "{"+name+"}", url.PathEscape(text), 1)
		}
		// Zero is absent, except behind a pointer.
		if name := field.Tag.Get("query"); name != "" && !value.IsZero() {
			query.Set(name, text)
		}
	}
	if strings.Contains(path, "{") {
		return "", nil, fmt.Errorf("client: %s is not a request of %s", v.Type(), op.Name)
	}
	return path, query, nil
}

// spell returns a member of path or query as text, "" for what they never hold.
func spell(v reflect.Value) string {
	v = reflect.Indirect(v)
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	default:
		return ""
	}
}

package httpapi

import "muster/internal/auth"

// RouteInfo is a line of the route table.
type RouteInfo struct {
	Pattern, Operation string
	Plane              auth.Plane
	Action             string
}

// Routes returns the route tables, that of AWS first.
func Routes() []RouteInfo {
	a := &API{}
	var out []RouteInfo
	for _, r := range append(a.routes(), a.musterRoutes()...) {
		out = append(out, RouteInfo{r.pattern, r.operation, r.plane, r.action})
	}
	return out
}

// ActionAt returns the action of the route that a request for a service leads
// to, or nothing.
func ActionAt(service, method, path string) string {
	a := &API{}
	rt, err := newRouter(append(a.routes(), a.musterRoutes()...))
	if err != nil {
		return ""
	}
	end, _, err := rt.find(method, path)
	if err != nil {
		return ""
	}
	plane, _ := auth.PlaneOf(service)
	return end.on(plane).action
}

// Token returns the token of a list for a position.
func Token(position, operation string, filters ...string) string {
	return list(operation, anys(filters)...).token(position)
}

// Position returns the position of a list's token.
func Position(token, operation string, filters ...string) (string, error) {
	return list(operation, anys(filters)...).position(token)
}

func anys(ss []string) []any {
	out := make([]any, len(ss))
	for i, s := range ss {
		out[i] = s
	}
	return out
}

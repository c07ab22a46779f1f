package httpapi_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"muster/internal/auth"
	"muster/internal/engine"
	"muster/internal/httpapi"
	"muster/internal/registry"
	"muster/internal/wire"
)

// published finds an operation of the published models by plane and name.
type published map[auth.Plane]map[string]wire.Operation

func operations(t testing.TB) published {
	t.Helper()
	all := published{auth.ControlPlane: {}, auth.DataPlane: {}}
	for _, op := range wire.Operations() {
		plane, ok := auth.PlaneOf(op.Service)
		if !ok {
			t.Fatalf("%s: no plane for service %s", op.Name, op.Service)
		}
		all[plane][op.Name] = op
	}
	return all
}

// prefixes are those of the actions in policies.
var prefixes = map[string]string{"iot": "iot:", "iot-jobs-data": "iotjobsdata:"}

// TestRoutesAreAsPublished holds every line of the table to the published
// model: plane, name, method, path, and the action that is named after it.
func TestRoutesAreAsPublished(t *testing.T) {
	t.Parallel()
	ops := operations(t)
	for _, r := range httpapi.Routes() {
		if strings.Contains(r.Pattern, " /muster/") {
			if r.Action != "muster:"+r.Operation {
				t.Errorf("%s: got action %s", r.Pattern, r.Action)
			}
			continue
		}
		op, ok := ops[r.Plane][r.Operation]
		if !ok {
			t.Errorf("%s: no such operation on the %v", r.Operation, r.Plane)
			continue
		}
		if want := op.Method + " " + op.URI; r.Pattern != want {
			t.Errorf("%s: got %s, want %s", r.Operation, r.Pattern, want)
		}
		if want := prefixes[op.Service] + op.Name; r.Action != want {
			t.Errorf("%s: got action %s, want %s", r.Operation, r.Action, want)
		}
	}
}

// TestRoutesAreAuthorizedUnderTheirNames sends each operation to an API that
// allows nothing: what it asks for is the action of the table, and nothing else.
func TestRoutesAreAuthorizedUnderTheirNames(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string // guarded by mu
	deny := func(_ context.Context, p auth.Principal, action, resource string) error {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, action)
		return auth.Denied(p, action, resource)
	}
	w := newWorld(t, func(e *engine.Config, r *registry.Config) { e.Authorize, r.Authorize = deny, deny })
	// What requests must hold, beside their path, to be understood.
	bodies := map[string]string{
		"CreateJob":                 `{"targets":["` + thingARN + `t"],"document":"{}"}`,
		"AssociateTargetsWithJob":   `{"targets":["` + thingARN + `t"]}`,
		"UpdateJobExecution":        `{"status":"FAILED"}`,
		"AddThingToThingGroup":      `{"thingName":"t","thingGroupName":"g"}`,
		"RemoveThingFromThingGroup": `{"thingName":"t","thingGroupName":"g"}`,
		"UpdateThingGroupsForThing": `{"thingName":"t","thingGroupsToAdd":["g"]}`,
		"UpdateThingGroup":          `{"thingGroupProperties":{}}`,
		"TagResource":               `{"resourceArn":"` + groupARN + `g","tags":[]}`,
		"UntagResource":             `{"resourceArn":"` + groupARN + `g","tagKeys":[]}`,
	}
	queries := map[string]string{"ListTagsForResource": "?resourceArn=" + url.QueryEscape(groupARN+"g")}
	for _, r := range httpapi.Routes() {
		method, path, _ := strings.Cut(r.Pattern, " ")
		path = strings.NewReplacer("{executionNumber}", "1", "{", "", "}", "").Replace(path)
		service := "iot"
		if r.Plane == auth.DataPlane {
			service = "iot-jobs-data"
		}
		asked = nil
		got := w.send(t, method, path+queries[r.Operation], bodies[r.Operation], "Test-Service", service)
		if got.status != 403 || !slices.Equal(asked, []string{r.Action}) {
			t.Errorf("%s: got %d %s, and it asked for %q, want %s", r.Operation, got.status, got.body, asked, r.Action)
		}
	}
}

// TestNoRouteIsMissing counts what must be served, so that a line that gets
// lost is not only a line less in the documentation.
func TestNoRouteIsMissing(t *testing.T) {
	t.Parallel()
	got := make(map[string]int)
	for _, r := range httpapi.Routes() {
		service, _, _ := strings.Cut(r.Action, ":")
		got[service]++
	}
	// 8 of jobs, 5 of executions, 5 of things, 6 of types, 10 of groups, 3 of tags, DescribeEndpoint
	for service, want := range map[string]int{"iotjobsdata": 4, "iot": 8 + 5 + 5 + 6 + 10 + 3 + 1, "muster": 5} {
		if got[service] != want {
			t.Errorf("%s: got %d routes, want %d", service, got[service], want)
		}
	}
}

// TestEveryPublishedOperationIsAnswered sends a request for each: what Muster
// does not serve is refused by name, and nothing is unknown.
func TestEveryPublishedOperationIsAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	served := make(map[auth.Plane]map[string]bool)
	for _, r := range httpapi.Routes() {
		if served[r.Plane] == nil {
			served[r.Plane] = make(map[string]bool)
		}
		served[r.Plane][r.Operation] = true
	}
	for plane, ops := range operations(t) {
		for name, op := range ops {
			path := strings.NewReplacer("{", "", "}", "").Replace(op.URI)
			r := w.send(t, op.Method, path, "", "Test-Service", op.Service)
			code := r.header.Get("X-Amzn-Errortype")
			switch {
			case served[plane][name]:
				if code == "UnknownOperationException" || code == "NotImplementedException" || r.status >= 500 {
					t.Errorf("%s: got %d %s, want it served", name, r.status, code)
				}
			case r.status != 501 || code != "NotImplementedException" || !strings.Contains(r.body, name):
				t.Errorf("%s: got %d %s %s, want 501 by name", name, r.status, code, r.body)
			}
		}
	}
}

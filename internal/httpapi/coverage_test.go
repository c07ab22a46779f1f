package httpapi_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"muster/internal/auth"
	"muster/internal/httpapi"
	"muster/internal/wire"

	"github.com/google/go-cmp/cmp"
)

const coverageFile = "../../docs/coverage.md"

// TestCoverage keeps docs/coverage.md what the route table says. With -update
// it writes the file.
func TestCoverage(t *testing.T) {
	t.Parallel()
	want := coverage(t)
	if *update {
		if err := os.WriteFile(coverageFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(coverageFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("docs/coverage.md is stale, run make generate (-route table +file):\n%s", diff)
	}
}

const coverageHead = `# Coverage

<!-- Code generated from the route table by make generate; DO NOT EDIT. -->

Which operations of the AWS services around jobs Muster serves over HTTP. Clients that ask for one of the others below
get 501 ` + "`NotImplementedException`" + ` with its name; what is not listed at all gets 404 ` + "`UnknownOperationException`" + `.

`

func coverage(t *testing.T) string {
	t.Helper()
	services := []struct{ name, title string }{
		{"iot-jobs-data", "Data plane: executions, for their devices"},
		{"iot", "Control plane: jobs and the registry, for operators"},
		{"iotdata", "Data plane: messages and shadows"},
	}
	served := make(map[string]bool)
	own := ""
	for _, r := range httpapi.Routes() {
		if strings.HasPrefix(r.Action, "muster:") {
			own += fmt.Sprintf("| %s | `%s` |\n", r.Operation, r.Pattern)
			continue
		}
		served[fmt.Sprint(r.Plane, r.Pattern)] = true
	}
	var summary, tables strings.Builder
	summary.WriteString("| Service | Implemented | Known |\n|---|---:|---:|\n")
	for _, s := range services {
		fmt.Fprintf(&tables, "\n## `%s`\n\n%s.\n\n| Operation | Request | Status |\n|---|---|---|\n", s.name, s.title)
		var implemented, others []string
		for _, op := range wire.Operations() {
			if op.Service != s.name {
				continue
			}
			plane, _ := auth.PlaneOf(op.Service)
			request := op.Method + " " + op.URI
			if served[fmt.Sprint(plane, request)] {
				implemented = append(implemented, fmt.Sprintf("| %s | `%s` | implemented |\n", op.Name, request))
			} else {
				others = append(others, fmt.Sprintf("| %s | `%s` | 501 |\n", op.Name, request))
			}
		}
		tables.WriteString(strings.Join(append(implemented, others...), ""))
		fmt.Fprintf(&summary, "| `%s` | %d | %d |\n", s.name, len(implemented), len(implemented)+len(others))
	}
	return coverageHead + summary.String() + tables.String() +
		"\n## Muster's own\n\nSigned like the others, for the service `iot`.\n\n| Operation | Request |\n|---|---|\n" + own
}

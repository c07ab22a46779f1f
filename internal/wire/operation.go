package wire

import (
	_ "embed" // for the table of operations
	"strings"
)

// Operation is an operation of the published service models, whether Muster
// serves it or not.
type Operation struct {
	// Service is the name in the scope of a signature: iot, iot-jobs-data or iotdata.
	Service string
	Name    string
	Method  string
	// URI is the path with its variables in braces, as published.
	URI string
}

//go:embed operations.tsv
var operations string

// Operations returns every operation of the published models, by service and
// name. Surfaces use it to say by name what they do not serve.
func Operations() []Operation {
	lines := strings.Split(strings.TrimSpace(operations), "\n")
	all := make([]Operation, 0, len(lines))
	for _, line := range lines {
		col := strings.Split(line, "\t")
		all = append(all, Operation{Service: col[0], Name: col[1], Method: col[2], URI: col[3]})
	}
	return all
}

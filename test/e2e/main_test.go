// Package e2e_test tests the real program from outside: with the clients of AWS
// for Go and Python, with loss of power, with broken disks.
package e2e_test

import (
	"os"
	"testing"

	"muster/test/internal/harness"
)

// program is the one under test, built once for all of them.
var program harness.Program

func TestMain(m *testing.M) { os.Exit(harness.Main(m, &program)) }

// Package e2e_test tests the real program from outside: with the clients of AWS
// for Go, Python and JavaScript, with kills in the middle of work, with broken disks.
//
// MUSTER_TEST_SEED repeats the choices of a test that has printed one,
// MUSTER_TEST_BINARY tests a program that is there already, and MUSTER_TEST_RACE=1
// one with the race detector.
package e2e_test

import (
	"os"
	"testing"

	"muster/test/internal/harness"
)

// program is the one under test, built once for all of them.
var program harness.Program

func TestMain(m *testing.M) { os.Exit(harness.Main(m, &program)) }

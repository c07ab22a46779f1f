package e2e_test

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// The model of an execution in progress: a version, and who wrote it. An update
// that expects the current version writes the next one; any other is refused
// with the current one and changes nothing; a read returns both.

type state struct {
	version int64
	by      string
}

// question is a read, or an update that expects a version and says who it is from.
type question struct {
	thing    string
	update   bool
	expected int64
	by       string
}

type answerKind int

const (
	taken answerKind = iota
	conflict
	unknown // no answer: the request may have been served or not
)

// answer is the state that a caller was told. In a conflict over HTTP, it is not
// told who wrote it: by is empty.
type answer struct {
	kind    answerKind
	version int64
	by      string
}

var versioned = porcupine.Model{
	Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
		things := make(map[string][]porcupine.Operation)
		for _, op := range all {
			in, _ := op.Input.(question)
			things[in.thing] = append(things[in.thing], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range things {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return state{version: 2} }, // just started
	Step: func(now, input, output any) (bool, any) {
		s, _ := now.(state)
		in, _ := input.(question)
		out, _ := output.(answer)
		return step(s, in, out)
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v: %+v", in, out) },
}

// step reports whether a request may be answered so in state s, and what follows.
func step(s state, in question, out answer) (bool, state) {
	if !in.update {
		return out == answer{taken, s.version, s.by}, s
	}
	if in.expected != s.version {
		return out.kind == unknown || out == answer{conflict, s.version, s.by} || out == answer{kind: conflict, version: s.version}, s
	}
	next := state{s.version + 1, in.by}
	return out.kind == unknown || out == answer{taken, next.version, next.by}, next
}

// possible returns a history without the updates that cannot have happened,
// which are too many for the checker: their outcome is unknown, but another
// update was taken with the version that they expected. Nothing is hidden by
// that: if both had happened, the history would be wrong without them as well.
func possible(all []porcupine.Operation) []porcupine.Operation {
	type version struct {
		thing    string
		expected int64
	}
	used := make(map[version]bool)
	ask := func(op porcupine.Operation) (question, answer) {
		in, _ := op.Input.(question)
		out, _ := op.Output.(answer)
		return in, out
	}
	for _, op := range all {
		if in, out := ask(op); in.update && out.kind == taken {
			used[version{in.thing, in.expected}] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(op porcupine.Operation) bool {
		in, out := ask(op)
		return out.kind == unknown && used[version{in.thing, in.expected}]
	})
}

// TestModelCatchesWrongAnswers shows that the check above would notice.
func TestModelCatchesWrongAnswers(t *testing.T) {
	t.Parallel()
	op := func(from, to int64, in question, out answer) porcupine.Operation {
		in.thing = "device"
		return porcupine.Operation{Input: in, Call: from, Output: out, Return: to}
	}
	write := func(expected int64, by string) question { return question{update: true, expected: expected, by: by} }
	read := question{}
	for _, test := range []struct {
		name    string
		history []porcupine.Operation
		want    porcupine.CheckResult
	}{
		{"one after the other", []porcupine.Operation{
			op(1, 2, write(2, "a"), answer{taken, 3, "a"}), op(3, 4, write(3, "b"), answer{taken, 4, "b"}), op(5, 6, read, answer{taken, 4, "b"}),
		}, porcupine.Ok},
		{"two at once, one of them refused", []porcupine.Operation{
			op(1, 9, write(2, "a"), answer{kind: conflict, version: 3}), op(1, 9, write(2, "b"), answer{taken, 3, "b"}),
		}, porcupine.Ok},
		{"two take the same version", []porcupine.Operation{
			op(1, 9, write(2, "a"), answer{taken, 3, "a"}), op(1, 9, write(2, "b"), answer{taken, 3, "b"}),
		}, porcupine.Illegal},
		{"an update is lost", []porcupine.Operation{
			op(1, 2, write(2, "a"), answer{taken, 3, "a"}), op(3, 4, read, answer{taken, 2, ""}),
		}, porcupine.Illegal},
		{"a read goes back in time", []porcupine.Operation{
			op(1, 9, write(2, "a"), answer{taken, 3, "a"}), op(2, 3, read, answer{taken, 3, "a"}), op(4, 5, read, answer{taken, 2, ""}),
		}, porcupine.Illegal},
		{"refused, yet nobody else has written", []porcupine.Operation{
			op(1, 2, write(2, "a"), answer{kind: conflict, version: 3}),
		}, porcupine.Illegal},
		{"refused with a version that was never current", []porcupine.Operation{
			op(1, 2, write(2, "a"), answer{taken, 3, "a"}), op(3, 4, write(2, "b"), answer{kind: conflict, version: 5}),
		}, porcupine.Illegal},
		{"the right version with the words of another", []porcupine.Operation{
			op(1, 9, write(2, "a"), answer{taken, 3, "a"}), op(1, 9, write(2, "b"), answer{kind: conflict, version: 3}), op(10, 11, read, answer{taken, 3, "b"}),
		}, porcupine.Illegal},
		{"refused with the words of who has written", []porcupine.Operation{
			op(1, 9, write(2, "a"), answer{taken, 3, "a"}), op(1, 9, write(2, "b"), answer{conflict, 3, "a"}),
		}, porcupine.Ok},
		{"refused with the words of nobody who has written", []porcupine.Operation{
			op(1, 9, write(2, "a"), answer{taken, 3, "a"}), op(1, 9, write(2, "b"), answer{conflict, 3, "b"}),
		}, porcupine.Illegal},
		{"an unknown outcome that has happened", []porcupine.Operation{
			op(1, math.MaxInt64, write(2, "a"), answer{kind: unknown}), op(3, 4, read, answer{taken, 2, ""}), op(5, 6, read, answer{taken, 3, "a"}),
		}, porcupine.Ok},
		{"an unknown outcome that has not happened", []porcupine.Operation{
			op(1, math.MaxInt64, write(2, "a"), answer{kind: unknown}), op(3, 4, write(2, "b"), answer{taken, 3, "b"}), op(5, 6, read, answer{taken, 3, "b"}),
		}, porcupine.Ok},
		{"an unknown outcome that is undone", []porcupine.Operation{
			op(1, math.MaxInt64, write(2, "a"), answer{kind: unknown}), op(3, 4, read, answer{taken, 3, "a"}), op(5, 6, read, answer{taken, 2, ""}),
		}, porcupine.Illegal},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := porcupine.CheckOperationsTimeout(versioned, possible(test.history), 10*time.Second); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// seedOf returns the seed of a test's random choices: MUSTER_TEST_SEED, or a new
// one. It is always told, so that a failure can be looked into with the same.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("MUSTER_TEST_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		check(t, "MUSTER_TEST_SEED", err)
	}
	t.Logf("MUSTER_TEST_SEED=%d", seed)
	return seed
}

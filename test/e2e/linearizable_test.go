package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"muster/internal/client"
	"muster/internal/wire"

	"github.com/anishathalye/porcupine"
)

// TestVersionChecksAreLinearizable lets 64 clients update and read a few
// executions at once, each with the version that it believes to be the current
// one, and checks that some order of the calls explains every answer. Some
// clients hang up before the answer: nobody knows what became of those.
func TestVersionChecksAreLinearizable(t *testing.T) {
	t.Parallel()
	const clients, executions, calls = 64, 8, 60
	seed := seedOf(t)
	s := newStack(t)
	c := own(t, s.Server)
	things := numbered("device-", executions)
	s.things(t, things...)
	s.group(t, "fleet", things...)
	s.job(t, "j", nil, groupARN("fleet"))
	for _, thing := range things {
		s.start(t, thing)
	}

	h := &history{start: time.Now()}
	var wg sync.WaitGroup
	for id := range clients {
		wg.Go(func() {
			p := player{id: id, client: c, history: h, rand: rand.New(rand.NewPCG(seed, uint64(id)))}
			believed := make(map[string]int64)
			for n := range calls {
				thing := things[p.rand.IntN(executions)]
				p.call(t, thing, n, believed)
			}
		})
	}
	wg.Wait()
	result, info := porcupine.CheckOperationsVerbose(versioned, possible(h.operations), time.Minute)
	if result != porcupine.Ok {
		path := t.ArtifactDir() + "/history.html"
		t.Errorf("%d calls: %s; go test -artifacts keeps a picture in %s: %v", len(h.operations), result, path, porcupine.VisualizePath(versioned, info, path))
	}
	updated, refused, unknown := h.tally()
	t.Logf("%d calls: %d updates taken, %d refused, %d unknown", len(h.operations), updated, refused, unknown)
	if updated < executions*10 || refused == 0 || unknown == 0 {
		t.Error("the clients did not get into each other's way")
	}
}

// history is what clients have called and been answered, in the terms of the model.
type history struct {
	start      time.Time
	mu         sync.Mutex
	operations []porcupine.Operation // guarded by mu
}

func (h *history) now() int64 { return int64(time.Since(h.start)) }

func (h *history) add(client int, in question, call int64, out answer) {
	ret := h.now()
	if out.kind == unknown {
		ret = math.MaxInt64 // it may happen at any time from now on, or never
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: ret})
}

func (h *history) tally() (updated, refused, unknowns int) {
	for _, op := range h.operations {
		in, _ := op.Input.(question)
		out, _ := op.Output.(answer)
		switch {
		case out.kind == unknown:
			unknowns++
		case out.kind == conflict:
			refused++
		case in.update:
			updated++
		}
	}
	return updated, refused, unknowns
}

// player is one of the clients.
type player struct {
	id      int
	client  *client.Client
	history *history
	rand    *rand.Rand
}

// call makes one call about the execution on a thing. believed holds the version
// that this client has last heard of, by thing.
func (p *player) call(t *testing.T, thing string, n int, believed map[string]int64) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	if p.rand.IntN(20) == 0 { // hangs up
		ctx, cancel = context.WithTimeout(t.Context(), time.Duration(p.rand.Int64N(int64(4*time.Millisecond))))
	}
	defer cancel()
	in := question{thing: thing}
	var out answer
	if version := believed[thing]; version > 0 && p.rand.IntN(4) > 0 {
		in = question{thing: thing, update: true, expected: version, by: fmt.Sprintf("%d/%d", p.id, n)}
	}
	call := p.history.now()
	var err error
	if in.update {
		out, err = p.update(ctx, in)
	} else {
		out, err = p.read(ctx, thing)
	}
	if err != nil && ctx.Err() == nil {
		t.Errorf("client %d: %v", p.id, err)
	}
	believed[thing] = out.version // 0: ask
	if out.kind == unknown && !in.update {
		return // a read that nobody has seen says nothing
	}
	p.history.add(p.id, in, call, out)
}

func (p *player) read(ctx context.Context, thing string) (answer, error) {
	out, err := p.client.DeviceDescribeJobExecution(ctx, &wire.DeviceDescribeJobExecutionRequest{ThingName: thing, JobID: "j"})
	if err != nil {
		return answer{kind: unknown}, err
	}
	x := out.Execution
	return answer{taken, x.VersionNumber, x.StatusDetails["by"]}, nil
}

func (p *player) update(ctx context.Context, in question) (answer, error) {
	out, err := p.client.UpdateJobExecution(ctx, &wire.UpdateJobExecutionRequest{
		ThingName: in.thing, JobID: "j", Status: "IN_PROGRESS", ExpectedVersion: &in.expected,
		StatusDetails: wire.Details{"by": in.by}, IncludeJobExecutionState: true,
	})
	if e, ok := errors.AsType[*client.Error](err); ok && e.Code == "InvalidStateTransitionException" {
		var expected, found int64
		if _, err := fmt.Sscanf(e.Message, "Expected version %d but found version %d", &expected, &found); err != nil || expected != in.expected {
			return answer{kind: unknown}, fmt.Errorf("refusal %q of version %d: %w", e.Message, in.expected, err)
		}
		return answer{kind: conflict, version: found}, nil
	}
	if err != nil {
		return answer{kind: unknown}, err
	}
	return answer{taken, out.ExecutionState.VersionNumber, out.ExecutionState.StatusDetails["by"]}, nil
}

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muster/internal/client"
	"muster/internal/wire"
	"muster/test/internal/harness"

	"github.com/anishathalye/porcupine"
)

// TestVersionChecksAreLinearizable lets 64 clients update and read a few
// executions at once, each with the version that it believes to be the current
// one, over HTTP or MQTT by turns, and checks that some order of the calls
// explains every answer. Some clients hang up before the answer: nobody knows
// what became of those.
func TestVersionChecksAreLinearizable(t *testing.T) {
	t.Parallel()
	linearizable(t, []*gateway{plainGateway(t, "")})
}

// TestVersionChecksAreLinearizableAcrossNodes does the same with clients that
// are on all nodes by turns.
func TestVersionChecksAreLinearizableAcrossNodes(t *testing.T) {
	t.Parallel()
	linearizable(t, newCluster(t, 3, durable(t), nil).nodes)
}

func linearizable(t *testing.T, nodes []*gateway) {
	t.Helper()
	const clients, executions, calls = 64, 8, 60
	seed, g := seedOf(t), nodes[0]
	things := numbered("device-", executions)
	for _, thing := range things {
		g.thing(t, thing)
	}
	g.job(t, "j", things...)
	for _, thing := range things { // other nodes roll out to theirs when the job has been answered
		harness.Wait(t, soon, thing+" to have something to start", func(ctx context.Context) error {
			out, err := g.own.StartNextPendingJobExecution(ctx, &wire.StartNextPendingJobExecutionRequest{ThingName: thing})
			if err == nil && out.Execution == nil {
				err = errors.New("nothing to start")
			}
			return err
		})
	}

	h := &history{start: time.Now()}
	var messages atomic.Int64 // answers over MQTT
	var wg sync.WaitGroup
	for id := range clients {
		wg.Go(func() {
			p := player{id: id, nodes: nodes, history: h, rand: rand.New(rand.NewPCG(seed, uint64(id)))}
			p.mqtt = newCourier(dialing{version: 3 + id%2*2, id: fmt.Sprint("player-", id), plain: nodes[id%len(nodes)].plain})
			if err := p.mqtt.connect(t.Context()); err != nil {
				t.Errorf("client %d: %v", id, err)
				return
			}
			defer func() { p.mqtt.link.close() }() // the last one
			believed := make(map[string]int64)
			for n := range calls {
				thing := things[p.rand.IntN(executions)]
				p.call(t, thing, n, believed)
			}
			messages.Add(int64(p.mqtt.answers))
		})
	}
	wg.Wait()
	result, info := porcupine.CheckOperationsVerbose(versioned, possible(h.operations), time.Minute)
	if result != porcupine.Ok {
		path := t.ArtifactDir() + "/history.html"
		t.Errorf("%d calls: %s; go test -artifacts keeps a picture in %s: %v", len(h.operations), result, path, porcupine.VisualizePath(versioned, info, path))
	}
	updated, refused, unknown := h.tally()
	t.Logf("%d calls: %d updates taken, %d refused, %d unknown; %d answers over MQTT", len(h.operations), updated, refused, unknown, messages.Load())
	if updated < executions*10 || refused == 0 || unknown == 0 || messages.Load() < clients*calls/4 {
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
	nodes   []*gateway
	mqtt    *courier
	history *history
	rand    *rand.Rand
}

// call makes one call about the execution on a thing. believed holds the version
// that this client has last heard of, by thing.
func (p *player) call(t *testing.T, thing string, n int, believed map[string]int64) {
	door := deviceAPI(p.nodes[p.rand.IntN(len(p.nodes))].own)
	if p.rand.IntN(2) == 0 {
		door = p.mqtt
	}
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
		out, err = update(ctx, door, in)
	} else {
		out, err = read(ctx, door, thing)
	}
	if err != nil && ctx.Err() == nil {
		t.Errorf("client %d: %v", p.id, err)
	}
	if err != nil && door == p.mqtt {
		p.mqtt.link.hangUp()
		p.mqtt.plain = p.nodes[p.rand.IntN(len(p.nodes))].plain
		if err := p.mqtt.connect(t.Context()); err != nil {
			t.Errorf("client %d, again: %v", p.id, err)
		}
	}
	believed[thing] = out.version // 0: ask
	if out.kind == unknown && !in.update {
		return // a read that nobody has seen says nothing
	}
	p.history.add(p.id, in, call, out)
}

func read(ctx context.Context, door deviceAPI, thing string) (answer, error) {
	out, err := door.DeviceDescribeJobExecution(ctx, &wire.DeviceDescribeJobExecutionRequest{ThingName: thing, JobID: "j"})
	if err != nil {
		return answer{kind: unknown}, err
	}
	x := out.Execution
	return answer{taken, x.VersionNumber, x.StatusDetails["by"]}, nil
}

func update(ctx context.Context, door deviceAPI, in question) (answer, error) {
	out, err := door.UpdateJobExecution(ctx, &wire.UpdateJobExecutionRequest{
		ThingName: in.thing, JobID: "j", Status: "IN_PROGRESS", ExpectedVersion: &in.expected,
		StatusDetails: wire.Details{"by": in.by}, IncludeJobExecutionState: true,
	})
	if e, ok := errors.AsType[*client.Error](err); ok && e.Code == "InvalidStateTransitionException" {
		var expected, found int64
		if _, err := fmt.Sscanf(e.Message, "Expected version %d but found version %d", &expected, &found); err != nil || expected != in.expected {
			return answer{kind: unknown}, fmt.Errorf("refusal %q of version %d: %w", e.Message, in.expected, err)
		}
		out := answer{kind: conflict, version: found}
		if r, ok := errors.AsType[refused](err); ok {
			if r.state == nil || r.state.VersionNumber != found {
				return answer{kind: unknown}, fmt.Errorf("refusal %q with the state %+v", e.Message, r.state)
			}
			out.by = r.state.StatusDetails["by"]
		}
		return out, nil
	}
	if err != nil {
		return answer{kind: unknown}, err
	}
	return answer{taken, out.ExecutionState.VersionNumber, out.ExecutionState.StatusDetails["by"]}, nil
}

package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/internal/agent"
)

// wait lets fake time pass, until nothing moves any more.
func wait(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // the fake clock of a synctest bubble
	synctest.Wait()
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestJobIsDoneStepByStep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, h := newServer(), &hands{}
		s.add("j", steps("a", "b"))
		defer device(t, s, h)()
		wait(5 * time.Second)
		want(t, "runs", h.runs(), "a b")
		want(t, "updates", s.updates(), []string{
			`j IN_PROGRESS`,
			`j IN_PROGRESS action="do a" step="1/2"`,
			`j IN_PROGRESS action="do b" step="2/2"`,
			`j SUCCEEDED`,
		})
		s.add("k", steps("c"))
		wait(5 * time.Second)
		want(t, "runs after a notification", h.runs(), "c")
		want(t, "status", s.status("k"), agent.Succeeded)
	})
}

func TestWaitingJobsAreDoneInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, h := newServer(), &hands{}
		for _, j := range []string{"j1", "j2", "j3"} {
			s.add(j, steps(j))
		}
		var finished []string
		defer device(t, s, h, func(c *agent.Config) {
			c.Finished = func(job, status string) { finished = append(finished, job+" "+status) }
		})()
		wait(5 * time.Second)
		want(t, "runs", h.runs(), "j1 j2 j3")
		want(t, "finished", finished, []string{"j1 SUCCEEDED", "j2 SUCCEEDED", "j3 SUCCEEDED"})
	})
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 2000)
	for name, tt := range map[string]struct {
		document string
		do       func(c agent.Call) agent.Outcome
		runs     string
		last     string
	}{
		"an invalid document is rejected and not started": {
			document: `{"version":"2.0"}`,
			last:     `j REJECTED error="version \"2.0\" is not \"1.0\"" reason="Unable to execute job, invalid job document provided!"`,
		},
		"the first failure ends it": {
			document: steps("a", "bad", "c"), runs: "a bad",
			last: `j FAILED reason="step 2/3 (do bad): exited with status 3"`,
		},
		"a failure that is ignored does not": {
			document: `{"version":"1.0","steps":[{"action":{"name":"x","type":"runHandler","ignoreStepFailure":"true","input":{"handler":"bad"}}}],
				"finalStep":{"action":{"name":"y","type":"runHandler","input":{"handler":"last"}}}}`,
			runs: "bad last", last: `j SUCCEEDED stderr="oops"`,
		},
		"the final step is left out after a failure": {
			document: `{"version":"1.0","steps":[{"action":{"name":"x","type":"runHandler","input":{"handler":"bad"}}}],
				"finalStep":{"action":{"name":"y","type":"runHandler","input":{"handler":"last"}}}}`,
			do:   func(agent.Call) agent.Outcome { return agent.Outcome{Reason: "no"} },
			runs: "bad", last: `j FAILED reason="step 1/2 (x): no"`,
		},
		"a missing handler is told": {
			document: steps("missing"), last: `j FAILED reason="step 1/1 (do missing): there is no such handler"`,
		},
		"standard output is told when that is wanted, of all steps": {
			document: `{"operation":"talk","includeStdOut":"true"}`, runs: "talk",
			last: `j SUCCEEDED stderr="warning\n" stdout="hello\tworld\n"`,
		},
		"standard error is always told": {document: steps("talk"), runs: "talk", last: `j SUCCEEDED stderr="warning\n"`},
		"more lines on standard error than allowed are a failure": {
			document: `{"operation":"talk","allowStdErr":0}`, runs: "talk",
			last: `j FAILED reason="step 1/1 (talk): it wrote 1 lines to its standard error, of which 0 are allowed" stderr="warning\n"`,
		},
		"as many as allowed are none": {document: `{"operation":"talk","allowStdErr":1}`, runs: "talk", last: `j SUCCEEDED stderr="warning\n"`},
		"of long output the end is told, without control characters": {
			document: steps("x"), runs: "x",
			do:   func(agent.Call) agent.Outcome { return agent.Outcome{Stderr: "start" + long + "\x00\xff😀"} },
			last: `j SUCCEEDED stderr="` + strings.Repeat("é", 1020) + `��😀"`,
		},
		"what the steps have left is told with a success, the later over the earlier": {
			document: steps("x", "tidy"), runs: "x tidy",
			do: func(agent.Call) agent.Outcome {
				return agent.Outcome{Details: map[string]string{"version": "1\x01", "size": "5"}}
			},
			last: `j SUCCEEDED size="5" version="2"`,
		},
		"and with a failure, over what the agent says itself": {
			document: steps("tidy", "x"), runs: "tidy x",
			do: func(agent.Call) agent.Outcome {
				return agent.Outcome{Reason: "no", Details: map[string]string{"reason": "disk full"}}
			},
			last: `j FAILED reason="disk full" version="2"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, h := newServer(), &hands{do: map[string]func(context.Context, agent.Call) agent.Outcome{
					"bad": func(context.Context, agent.Call) agent.Outcome {
						return agent.Outcome{Reason: "exited with status 3", Stderr: "oops"}
					},
					"talk": func(context.Context, agent.Call) agent.Outcome {
						return agent.Outcome{Stdout: "hello\tworld\n", Stderr: "warning\n", StderrLines: 1}
					},
					"tidy": func(context.Context, agent.Call) agent.Outcome {
						return agent.Outcome{Details: map[string]string{"version": "2"}}
					},
				}}
				if tt.runs == "a bad" { // the one without output
					h.do["bad"] = func(context.Context, agent.Call) agent.Outcome {
						return agent.Outcome{Reason: "exited with status 3"}
					}
				}
				if do := tt.do; do != nil {
					f := func(_ context.Context, c agent.Call) agent.Outcome { return do(c) }
					h.do["x"], h.do["bad"] = f, f
				}
				s.add("j", tt.document)
				defer device(t, s, h)()
				wait(10 * time.Second)
				updates := s.updates()
				want(t, "runs", h.runs(), tt.runs)
				want(t, "last update", updates[len(updates)-1], tt.last)
				if strings.HasPrefix(tt.last, "j REJECTED") {
					want(t, "updates", len(updates), 1)
				}
			})
		})
	}
}

func TestHandlersReportProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, h := newServer(), &hands{do: map[string]func(context.Context, agent.Call) agent.Outcome{
			"a": func(ctx context.Context, c agent.Call) agent.Outcome {
				second(ctx)
				for _, p := range []string{"10", "20", "50\x01"} { // only the last of a row counts
					c.Report(map[string]string{"percent": p})
				}
				return second(ctx)
			},
		}}
		s.add("j", steps("a"))
		defer device(t, s, h)()
		wait(5 * time.Second)
		updates := s.updates()
		want(t, "update", updates[len(updates)-2], `j IN_PROGRESS action="do a" percent="50�" step="1/1"`)
	})
}

func TestLastStatusIsSentUntilAccepted(t *testing.T) {
	t.Parallel()
	last := func(r request) bool { return r.topic == "j/update" && strings.Contains(r.body, agent.Succeeded) }
	for name, tt := range map[string]struct {
		fault   func(n int) fault // of the n-th attempt
		updates []string          // that the server sees, from the last status on
		after   []string          // when the attempts are made, in seconds
	}{
		"at once when all is well": {
			fault: func(int) fault { return fault{} }, updates: []string{"j SUCCEEDED"}, after: []string{"1"},
		},
		"a lost reply is waited for, and the second answer is the end": {
			fault:   func(n int) fault { return fault{mute: n == 0} },
			updates: []string{"j SUCCEEDED", "j SUCCEEDED InvalidStateTransition"}, after: []string{"1", "21"},
		},
		"throttling and faults of the server pass": {
			fault: func(n int) fault {
				return fault{code: []string{"RequestThrottled", "InternalError", ""}[n]}
			},
			updates: []string{"j SUCCEEDED"}, after: []string{"1", "11", "31"},
		},
		"the pauses double up to 640 seconds": {
			fault:   func(n int) fault { return fault{deaf: n < 9} },
			updates: []string{"j SUCCEEDED"},
			after:   []string{"1", "21", "51", "101", "191", "361", "691", "1341", "1991", "2641"},
		},
		"a refusal for good is the end": {
			fault:   func(int) fault { return fault{expire: true} },
			updates: []string{"j SUCCEEDED InvalidStateTransition"}, after: []string{"1"},
		},
		"a lost connection makes it start over": {
			fault:   func(n int) fault { return fault{deaf: n < 3, cut: n == 2} },
			updates: []string{"j SUCCEEDED"}, after: []string{"1", "21", "51", "51"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, h := newServer(), &hands{}
				attempts := 0
				var after []time.Duration
				s.faults = func(r request) fault {
					if !last(r) {
						return fault{}
					}
					after = append(after, time.Since(s.start))
					attempts++
					return tt.fault(attempts - 1)
				}
				s.add("j", steps("a"))
				defer device(t, s, h)()
				wait(2 * time.Hour)
				var updates []string
				for _, u := range s.updates() {
					if strings.Contains(u, agent.Succeeded) {
						updates = append(updates, u)
					}
				}
				want(t, "updates", updates, tt.updates)
				want(t, "attempts", len(after), len(tt.after))
				for i := range min(len(after), len(tt.after)) {
					at, err := time.ParseDuration(tt.after[i] + "s")
					if err != nil {
						t.Fatal(err)
					}
					// Each pause is up to a quarter longer than it must be.
					if got := after[i]; got < at || got > at+at/4+2*time.Second {
						t.Errorf("attempt %d was made after %v, want about %v", i+1, got, at)
					}
				}
				s.add("k", steps("b"))
				wait(5 * time.Second)
				want(t, "the next job", s.status("k"), agent.Succeeded)
			})
		})
	}
}

func TestRefusedDetailsDoNotCostTheStatus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, h := newServer(), &hands{}
		s.faults = func(r request) fault {
			if strings.Contains(r.body, "reason") {
				return fault{code: "InvalidRequest"}
			}
			return fault{}
		}
		s.add("j", steps("missing"))
		defer device(t, s, h)()
		wait(5 * time.Second)
		want(t, "status", s.status("j"), agent.Failed)
	})
}

func TestExecutionsAreDoneOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, h := newServer(), &hands{}
		x := s.add("j", steps("a"))
		defer device(t, s, h)()
		repeat := func() { s.mu.Lock(); s.notify(); s.mu.Unlock() }
		synctest.Wait()
		repeat()
		wait(5 * time.Second)
		want(t, "runs", h.runs(), "a")

		// A notification that is late.
		late := *x
		late.Status = "QUEUED"
		s.mu.Lock()
		s.conn.send("notify-next", map[string]any{"timestamp": 1, "execution": late})
		s.mu.Unlock()
		wait(5 * time.Second)
		want(t, "runs after a late notification", h.runs(), "")

		retry := late
		retry.ExecutionNumber = 2
		s.change(func() { s.queue = append(s.queue, &retry) })
		wait(5 * time.Second)
		want(t, "runs of a retry", h.runs(), "a")
		want(t, "status of the retry", retry.Status, agent.Succeeded)

		again := late // deleted, and made again under its name
		again.QueuedAt++
		s.change(func() { s.queue = []*execution{&again} })
		wait(5 * time.Second)
		want(t, "runs of the new job", h.runs(), "a")
		want(t, "status of the new job", again.Status, agent.Succeeded)

		another := again // the same within the second, with another document
		another.Status, another.Document = "QUEUED", json.RawMessage(steps("b"))
		s.change(func() { s.queue = []*execution{&another} })
		wait(5 * time.Second)
		want(t, "runs of the other job", h.runs(), "b")
		want(t, "status of the other job", another.Status, agent.Succeeded)
	})
}

// TestSignedURLsAreNoOtherDocument shows an execution with a URL that is signed
// anew each time, as documents with signed URLs are.
func TestSignedURLsAreNoOtherDocument(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		document := func(signature string) json.RawMessage {
			return json.RawMessage(`{"version":"1.0","steps":[{"action":{"name":"x","type":"runHandler","input":{"handler":"a",
				"args":["https://h/f?X-Amz-Date=` + signature + `&X-Amz-Signature=` + signature + `","/f"]}}}]}`)
		}
		s, h := newServer(), &hands{}
		x := s.add("j", string(document("1")))
		s.faults = func(request) fault { x.Document = document(x.Status); return fault{} }
		defer device(t, s, h)()
		wait(500 * time.Millisecond)
		s.mu.Lock()
		x.Document = document("2")
		s.notify() // while it runs
		s.mu.Unlock()
		wait(5 * time.Second)
		s.change(func() { x.Status, x.Document = agent.InProgress, document("3") })
		wait(5 * time.Second)
		want(t, "runs", h.runs(), "a")
		want(t, "status", s.status("j"), agent.Succeeded)
	})
}

// TestJobThatIsMadeAnewInTheMiddle deletes a job and makes it again with
// another document, in every phase of the old one: what is said of the old one
// must not be taken for the new one.
func TestJobThatIsMadeAnewInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, while := range []string{"connected", "offline", "down"} {
		t.Run("while the device is "+while, func(t *testing.T) {
			t.Parallel()
			for half := range 6 {
				synctest.Test(t, func(t *testing.T) { madeAnew(t, while, half) })
			}
		})
	}
}

// madeAnew does so in one half second of the old job.
func madeAnew(t *testing.T, while string, half int) {
	dir, s, h := t.TempDir(), newServer(), repeatable()
	x := s.add("j", steps("old", "after"))
	stop := device(t, s, h, in(dir))
	wait(time.Duration(half)*500*time.Millisecond + 250*time.Millisecond)
	switch while {
	case "offline":
		s.mu.Lock()
		s.refuse = 6
		_ = s.conn.Close()
		s.mu.Unlock()
		synctest.Wait()
	case "down":
		stop()
	}
	s.updates()
	anew := *x
	anew.Status, anew.Details, anew.Document = "QUEUED", nil, json.RawMessage(steps("new"))
	s.change(func() { s.queue = []*execution{&anew} })
	if while == "down" {
		stop = device(t, s, h, in(dir))
	}
	wait(10 * time.Minute)
	stop()
	if runs := h.runs(); strings.Count(runs, "new") != 1 || !strings.HasSuffix(runs, "new") {
		t.Errorf("in half second %d: it ran %q", half, runs)
	}
	want(t, fmt.Sprintf("updates of the new one, made in half second %d", half), s.updates(), []string{
		`j IN_PROGRESS`, `j IN_PROGRESS action="do new" step="1/1"`, `j SUCCEEDED`,
	})
}

// TestReportThatOvertakesANewJob has a report on its way while its job is deleted
// and made again: the new one is in progress before it has begun.
func TestReportThatOvertakesANewJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, h := newServer(), &hands{}
		x := s.add("j", steps("old", "after"))
		anew := *x
		anew.Document = json.RawMessage(steps("new"))
		s.faults = func(r request) fault {
			if strings.Contains(r.body, "do after") && s.queue[0] == x {
				s.queue = []*execution{&anew}
				s.notify()
			}
			return fault{}
		}
		defer device(t, s, h)()
		wait(10 * time.Minute)
		if runs := h.runs(); !strings.HasSuffix(runs, " new") {
			t.Errorf("it ran %q", runs)
		}
		want(t, "status", s.status("j"), agent.Succeeded)
	})
}

func TestServerThatForgetsIsToldAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, h := newServer(), &hands{}
		x := s.add("j", steps("a"))
		defer device(t, s, h)()
		wait(5 * time.Second)
		s.updates()
		s.change(func() { x.Status = agent.InProgress })
		wait(5 * time.Second)
		want(t, "updates", s.updates(), []string{"j SUCCEEDED"})
		want(t, "runs", h.runs(), "a")
	})
}

func TestExecutionThatTheServerEnds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		act   func(s *server, x *execution)
		after time.Duration
		runs  string
	}{
		"canceled by force while it runs, it is stopped": {
			act: func(s *server, x *execution) { s.change(func() { x.Status = "CANCELED" }) }, after: 500 * time.Millisecond, runs: "a",
		},
		"canceled while no notification comes through, it is stopped before the next step": {
			act:   func(s *server, x *execution) { s.mu.Lock(); x.Status = "CANCELED"; s.mu.Unlock() },
			after: 500 * time.Millisecond, runs: "a",
		},
		"deleted, it is stopped": {
			act: func(s *server, x *execution) { s.change(func() { s.queue = nil }) }, after: 500 * time.Millisecond, runs: "a",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, h := newServer(), &hands{do: map[string]func(context.Context, agent.Call) agent.Outcome{
					"b": func(ctx context.Context, _ agent.Call) agent.Outcome {
						<-ctx.Done()
						return agent.Outcome{Reason: "told to stop"}
					},
				}}
				x := s.add("j", steps("a", "b"))
				defer device(t, s, h)()
				wait(tt.after)
				tt.act(s, x)
				wait(5 * time.Second)
				if r := h.runs(); r != tt.runs && r != tt.runs+" b" {
					t.Errorf("runs: %q", r)
				}
				s.add("k", steps("c"))
				wait(5 * time.Second)
				want(t, "the next job", s.status("k"), agent.Succeeded)
			})
		})
	}
}

func TestCanceledBeforeItBeginsIsNotRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, h := newServer(), &hands{}
		x := s.add("j", steps("a"))
		s.faults = func(r request) fault {
			if r.topic == "j/update" && r.n == 0 {
				x.Status = "CANCELED" // while the claim is on its way
			}
			return fault{}
		}
		defer device(t, s, h)()
		wait(5 * time.Second)
		want(t, "runs", h.runs(), "")
	})
}

func TestRefusedClaimIsNoFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, h := newServer(), &hands{}
		s.add("j", steps("a"))
		s.faults = func(r request) fault { // a server whose parts do not agree for a while
			if r.topic == "j/update" && r.n < 3 {
				return fault{code: "ResourceNotFound"}
			}
			return fault{}
		}
		defer device(t, s, h)()
		wait(time.Minute)
		want(t, "runs", h.runs(), "a")
		want(t, "status", s.status("j"), agent.Succeeded)
		if n := len(s.requests); n > 20 {
			t.Errorf("%d requests were made", n)
		}
	})
}

func TestUnknownExecutionInProgressIsNotGuessed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, h := newServer(), &hands{}
		s.add("j", steps("a")).Status = agent.InProgress
		defer device(t, s, h)()
		wait(5 * time.Second)
		want(t, "runs", h.runs(), "")
		want(t, "updates", s.updates(), []string{
			`j FAILED reason="the execution was in progress already, and this device has no record of what was done"`,
		})
	})
}

func TestUnknownExecutionInProgressIsAdopted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, h := newServer(), &hands{}
		s.add("j", steps("a")).Status = agent.InProgress
		defer device(t, s, h, func(c *agent.Config) { c.Adopt = true })()
		wait(5 * time.Second)
		want(t, "runs", h.runs(), "a")
		want(t, "status", s.status("j"), agent.Succeeded)
	})
}

func TestDocumentsOfAnotherForm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, h := newServer(), &hands{}
		s.add("j", `["a","b"]`)
		s.add("k", `"c"`)
		parse := func(text string) (d agent.Document, err error) {
			var names []string
			err = json.Unmarshal([]byte(text), &names)
			for _, n := range names {
				d.Actions = append(d.Actions, agent.Action{Name: n, Handler: n})
			}
			return d, err
		}
		defer device(t, s, h, func(c *agent.Config) { c.Parse = parse })()
		wait(5 * time.Second)
		want(t, "runs", h.runs(), "a b")
		want(t, "statuses", s.status("j")+" "+s.status("k"), agent.Succeeded+" "+agent.Rejected)
	})
}

func TestLostConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, h := newServer(), &hands{}
		s.refuse = 3
		s.add("j", steps("a", "b"))
		cuts := 0
		s.faults = func(r request) fault {
			if cuts++; cuts <= 5 { // in every phase of the conversation
				return fault{cut: true, mute: cuts%2 == 0}
			}
			return fault{}
		}
		defer device(t, s, h)()
		wait(time.Hour)
		want(t, "runs", h.runs(), "a b")
		want(t, "status", s.status("j"), agent.Succeeded)
	})
}

func TestPolling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, h := newServer(), &hands{}
		defer device(t, s, h)()
		wait(time.Second)
		s.mu.Lock() // and no notification
		s.queue = append(s.queue, &execution{JobID: "j", Status: "QUEUED", ExecutionNumber: 1, Document: []byte(steps("a"))})
		s.mu.Unlock()
		wait(time.Hour + time.Minute)
		want(t, "status", s.status("j"), agent.Succeeded)
	})
}

func TestAnswerThatANotificationHasOvertaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, h := newServer(), &hands{}
		s.faults = func(r request) fault {
			if r.topic != "$next/get" || r.n > 0 {
				return fault{}
			}
			return fault{meanwhile: func() {
				s.queue = append(s.queue, &execution{JobID: "j", Status: "QUEUED", ExecutionNumber: 1, Document: []byte(steps("a"))})
				s.notify()
			}}
		}
		defer device(t, s, h)()
		wait(10 * time.Second)
		want(t, "runs", h.runs(), "a")
		want(t, "status", s.status("j"), agent.Succeeded)
	})
}

func TestNonsenseIsIgnored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, h := newServer(), &hands{}
		defer device(t, s, h)()
		synctest.Wait()
		for _, m := range []agent.Message{
			{Topic: "a/b", Payload: []byte("{}")},
			{Topic: "$aws/things/other/jobs/notify-next", Payload: []byte(`{"execution":{"jobId":"x"}}`)},
			{Topic: base + "notify-next", Payload: []byte("{")},
			{Topic: base + "notify-next", Payload: []byte(`{"execution":{"jobId":7}}`)},
			{Topic: base + "notify-next", Payload: []byte(`{"execution":{}}`)},
			{Topic: base + "$next/get/accepted", Payload: []byte(`{"clientToken":"nobody's","execution":{"jobId":"x","jobDocument":{}}}`)},
			{Topic: base + "$next/get/rejected", Payload: []byte(`{}`)},
			{Topic: base + "notify-next", Payload: nil},
		} {
			s.conn.messages <- m
		}
		s.add("j", steps("a"))
		wait(5 * time.Second)
		want(t, "runs", h.runs(), "a")
	})
}

func TestOnce(t *testing.T) {
	t.Parallel()
	once := func(s *server, h *hands, dir string) (*agent.Agent, error) {
		return agent.New(agent.Config{Thing: "t", Transport: s, Handlers: h.find, Dir: dir, Once: true})
	}
	for name, tt := range map[string]struct {
		prepare func(s *server)
		runs    string
		err     string
	}{
		"without work it ends at once":      {prepare: func(*server) {}},
		"it does all that waits":            {prepare: func(s *server) { s.add("j", steps("a")); s.add("k", steps("b")) }, runs: "a b"},
		"it fails when nobody answers":      {prepare: func(s *server) { s.refuse = 1 }, err: "no answer"},
		"it fails when it is told nothing":  {prepare: func(s *server) { s.faults = func(request) fault { return fault{code: "ResourceNotFound"} } }, err: "ResourceNotFound"},
		"it does not mind a refused update": {prepare: func(s *server) { s.add("j", `{}`) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, h := newServer(), &hands{}
				tt.prepare(s)
				a, err := once(s, h, t.TempDir())
				if err != nil {
					t.Fatal(err)
				}
				err = a.Run(t.Context())
				if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
					t.Errorf("got error %v, want %q", err, tt.err)
				}
				want(t, "runs", h.runs(), tt.runs)
			})
		})
	}
}

func TestNewWantsWhatItNeeds(t *testing.T) {
	t.Parallel()
	if _, err := agent.New(agent.Config{Thing: "t"}); err == nil {
		t.Error("got an agent without a transport")
	}
}

func TestOneAgentAtATime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	started := make(started)
	stop := device(t, newServer(), &hands{}, in(dir), func(c *agent.Config) { c.Transport = started })
	<-started // so the folder is its own
	a, err := agent.New(agent.Config{Thing: "t", Transport: newServer(), Handlers: (&hands{}).find, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "another agent") {
		t.Errorf("got error %v, want one about another agent", err)
	}
	stop()
}

// started is a transport that tells of an attempt to connect, which lasts.
type started chan struct{}

// Connect implements agent.Transport.
func (s started) Connect(ctx context.Context, _ []string) (agent.Conn, error) {
	close(s)
	<-ctx.Done()
	return nil, ctx.Err()
}

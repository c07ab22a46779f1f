package agent

import "context"

// progress holds what is to be told about a running execution. Only the latest
// report counts.
type progress struct {
	reports chan map[string]string // holds one
}

func newProgress() *progress { return &progress{reports: make(chan map[string]string, 1)} }

// report puts where the work stands, and more about it, in the place of a
// report that waits to be sent.
func (p *progress) report(where, more map[string]string) {
	d := merged(where, more)
	for {
		select {
		case p.reports <- d:
			return
		default:
		}
		select {
		case <-p.reports:
		default:
		}
	}
}

// watch tells the server about the progress of the execution, and returns the
// code with which the server says that it is over, or "" when ctx ends. The
// server says so in the answer to a report. So there is also one when the
// server names another execution as next, to find out.
func (a *Agent) watch(ctx context.Context, k key, p *progress) string {
	var last map[string]string
	var heard uint64 // the news up to which it has been found out
	for {
		v := a.front.view(k)
		if !v.other || v.told == heard {
			select {
			case last = <-p.reports:
			case <-v.changed:
				continue
			case <-ctx.Done():
				return ""
			}
		}
		heard = v.told
		code, err := a.update(ctx, k, report{InProgress, last})
		if err != nil {
			return ""
		}
		if ends(code) {
			return code
		}
	}
}

// ends reports whether a refusal means that the execution is over.
func ends(code string) bool {
	return code == "InvalidStateTransition" || code == "TerminalStateReached" || code == notFound
}

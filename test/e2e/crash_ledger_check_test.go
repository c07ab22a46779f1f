package e2e_test

import "testing"

// TestLedgerCatchesLoss shows that the audit of TestCrashes would notice.
func TestLedgerCatchesLoss(t *testing.T) {
	t.Parallel()
	queued := outcome{"QUEUED", 1, ""}
	working := outcome{"IN_PROGRESS", 3, "x"}
	done := outcome{"SUCCEEDED", 4, "y"}
	for _, test := range []struct {
		name    string
		known   outcome
		asked   []outcome
		started bool // a start-next without an answer
		cancel  cancelState
		force   bool
		got     outcome
		ok      bool
	}{
		{name: "as acknowledged", known: working, got: working, ok: true},
		{name: "an acknowledged update is lost", known: working, got: outcome{"IN_PROGRESS", 2, ""}},
		{name: "an acknowledged end is lost", known: done, got: working},
		{name: "the right version with other details", known: working, got: outcome{"IN_PROGRESS", 3, "z"}},
		{name: "a change that nobody has asked for", known: working, got: done},
		{name: "an update without an answer was served", known: working, asked: []outcome{done}, got: done, ok: true},
		{name: "an update without an answer was not served", known: working, asked: []outcome{done}, got: working, ok: true},
		{name: "half of an update without an answer", known: working, asked: []outcome{done}, got: outcome{"SUCCEEDED", 4, "x"}},
		{name: "a start without an answer was served", known: queued, started: true, got: outcome{"IN_PROGRESS", 2, ""}, ok: true},
		{name: "a start that nobody has asked for", known: queued, got: outcome{"IN_PROGRESS", 2, ""}},
		{name: "canceled", known: queued, cancel: canceled, got: outcome{"CANCELED", 2, ""}, ok: true},
		{name: "an acknowledged cancel is lost", known: queued, cancel: canceled, got: queued},
		{name: "a cancel without an answer was served", known: queued, cancel: maybeCanceled, got: outcome{"CANCELED", 2, ""}, ok: true},
		{name: "a cancel without an answer was not served", known: queued, cancel: maybeCanceled, got: queued, ok: true},
		{name: "a cancel without force ends what is in progress", known: working, cancel: canceled, got: outcome{"CANCELED", 4, "x"}},
		{name: "a cancel with force", known: working, cancel: canceled, force: true, got: outcome{"CANCELED", 4, "x"}, ok: true},
		{name: "an acknowledged cancel with force is lost", known: working, cancel: canceled, force: true, got: working},
		{name: "a cancel with force of what was over", known: done, cancel: canceled, force: true, got: outcome{"CANCELED", 5, "y"}},
		{name: "an update without an answer, then a cancel", known: working, asked: []outcome{{"IN_PROGRESS", 4, "y"}}, cancel: canceled, force: true, got: outcome{"CANCELED", 5, "y"}, ok: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			key := executionKey{"device", "job"}
			l := newLedger()
			l.jobs["job"] = &jobRecord{things: []string{"device"}, cancel: test.cancel, force: test.force}
			l.executions[key] = &record{test.known, test.asked}
			if test.started {
				l.starts["device"] = 1
			}
			if err := l.found(key, test.got); (err == nil) != test.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

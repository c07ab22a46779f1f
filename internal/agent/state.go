package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
)

// keepEnded is how many executions that have ended are remembered.
const keepEnded = 16

// state is what the journal says.
type state struct {
	task *task         // the execution that is worked on; nil: none
	past []endedReport // the last keepEnded, oldest first
}

// task is an execution that is worked on.
type task struct {
	key
	document string
	step     int    // the action that is done or the next to do, from 0
	starts   int    // how often it has been begun
	boot     string // when it was begun the last time
	// stdout and stderr are the ends of the output of the actions before.
	stdout, stderr string
	details        map[string]string // that they have left for the last report
	final          *report           // what the server is to be told; nil: not done yet
}

// endedReport is an execution of which the server has been told everything.
type endedReport struct {
	Key    key    `json:"key"`
	Report report `json:"report"`
}

// entry is one line of the journal: one of its members is set.
type entry struct {
	Received *received    `json:"received,omitempty"`
	Start    *start       `json:"start,omitempty"`
	End      *stepEnd     `json:"end,omitempty"`
	Final    *report      `json:"final,omitempty"`
	Ended    *ended       `json:"ended,omitempty"`
	Past     *endedReport `json:"past,omitempty"` // in a journal that was written anew
}

type (
	received struct {
		Key      key    `json:"key"`
		Document string `json:"document"`
	}
	start struct {
		Step int    `json:"step"`
		Boot string `json:"boot,omitempty"`
	}
	stepEnd struct {
		Step    int               `json:"step"`
		Stdout  string            `json:"stdout,omitempty"`
		Stderr  string            `json:"stderr,omitempty"`
		Details map[string]string `json:"details,omitempty"`
	}
	ended struct{}
)

var errOrder = errors.New("agent: journal entry does not follow from those before")

// apply changes the state as e says. It fails, and changes nothing, if e makes
// no sense here.
func (s *state) apply(e entry) error {
	t := s.task
	switch {
	case e.Past != nil:
		s.remember(*e.Past)
		return nil
	case e.Received != nil:
		if t != nil {
			return errOrder
		}
		t = &task{key: e.Received.Key, document: e.Received.Document}
		t.Document = fingerprint(t.document) // whatever the agent that wrote it made of it
		s.task = t
		return nil
	case t == nil:
		return errOrder
	case e.Ended != nil:
		if t.final != nil { // else nothing was done
			s.remember(endedReport{t.key, *t.final})
		}
		s.task = nil
		return nil
	case e.Final != nil:
		t.final = e.Final
		return nil
	case e.Start != nil && e.Start.Step == t.step:
		t.starts, t.boot = t.starts+1, e.Start.Boot
		return nil
	case e.End != nil && e.End.Step == t.step:
		t.step, t.starts, t.boot = t.step+1, 0, ""
		t.stdout, t.stderr = end(t.stdout+e.End.Stdout), end(t.stderr+e.End.Stderr)
		t.details = merged(t.details, e.End.Details)
		return nil
	}
	return errOrder
}

func (s *state) remember(r endedReport) {
	s.past = append(s.past, r)
	if n := len(s.past) - keepEnded; n > 0 {
		s.past = append([]endedReport(nil), s.past[n:]...)
	}
}

// current returns the execution that is worked on, or nil.
func (s *state) current() *task { return s.task }

// ended returns the last report of an execution that has ended here, if it is
// remembered.
func (s *state) ended(k key) (report, bool) {
	for i := range s.past {
		if p := s.past[len(s.past)-1-i]; p.Key.same(k) {
			return p.Report, true
		}
	}
	return report{}, false
}

// replaced reports whether an execution with the name and number of k that has
// ended here is remembered, and is not k.
func (s *state) replaced(k key) bool {
	return slices.ContainsFunc(s.past, func(p endedReport) bool {
		return p.Key.Job == k.Job && p.Key.Number == k.Number && !p.Key.same(k)
	})
}

// summary returns the lines of a journal that says the same. It must not be
// called while an execution is worked on.
func (s *state) summary() []byte {
	var out []byte
	for _, p := range s.past {
		out = entry{Past: &p}.append(out)
	}
	return out
}

// replay applies the lines of a journal and returns how many bytes of it are
// good: it ends at the first line that is not complete, or does not follow.
func (s *state) replay(data []byte) int {
	good := 0
	for {
		line, _, complete := bytes.Cut(data[good:], []byte("\n"))
		if !complete {
			return good
		}
		e, err := parseEntry(line)
		if err != nil || s.apply(e) != nil {
			return good
		}
		good += len(line) + 1
	}
}

// anyGood reports whether any line of data is whole, wherever it belongs.
func anyGood(data []byte) bool {
	for line := range bytes.Lines(data) {
		if text, complete := bytes.CutSuffix(line, []byte("\n")); complete {
			if _, err := parseEntry(text); err == nil {
				return true
			}
		}
	}
	return false
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// append adds the line of e to dst: a checksum in hex, a space, and JSON.
func (e entry) append(dst []byte) []byte {
	text, err := json.Marshal(e)
	if err != nil {
		return dst // strings and numbers always have a JSON form
	}
	return fmt.Appendf(dst, "%08x %s\n", crc32.Checksum(text, castagnoli), text)
}

func parseEntry(line []byte) (e entry, err error) {
	sum, text, _ := bytes.Cut(line, []byte(" "))
	if string(sum) != fmt.Sprintf("%08x", crc32.Checksum(text, castagnoli)) {
		return e, errors.New("agent: journal entry is damaged")
	}
	return e, json.Unmarshal(text, &e)
}

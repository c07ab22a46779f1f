package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Document is a job document: what a device is asked to do. The form is that of
// the AWS IoT Device Client, in its schema "1.0" and in the one before, which
// has no version and one operation.
type Document struct {
	// Actions are done one after the other until one fails. The last of them
	// is the document's final step, if it has one: it is done when all others
	// have succeeded, which is what being last comes to.
	Actions []Action
	// IncludeStdout says that the standard output is to be reported.
	IncludeStdout bool
	// Conditions are read and not enforced, like AWS's client does.
	Conditions []Condition
}

// Action is one step of a document: a handler to run, or a command.
type Action struct {
	// Name is for people.
	Name string
	// Handler is the name of the handler; empty for a command.
	Handler string
	// Path is the folder of the handler: [DefaultPath] is the agent's own,
	// empty leaves it to the agent.
	Path string
	// Args are the arguments of the handler.
	Args []string
	// Command is the command with its arguments; nil for a handler.
	Command []string
	// User is who runs it; empty is the agent's own user.
	User string
	// AllowStderr is how many lines it may write to its standard error and
	// still succeed; nil is any number.
	AllowStderr *int
	// IgnoreFailure says that the next action is done even if this one fails.
	IgnoreFailure bool
}

// Condition is a condition on the device under which the document is meant to be run.
type Condition struct {
	Key   string   `json:"key"`
	Value []string `json:"value"`
	Type  string   `json:"type"`
}

// DefaultPath is the Path that means the agent's own handlers.
const DefaultPath = "default"

// schema is the only version of documents with steps.
const schema = "1.0"

// The types of an action.
const (
	runHandler = "runHandler"
	runCommand = "runCommand"
)

// The documents as they are written.
type (
	rawDocument struct {
		Version       *string     `json:"version"`
		IncludeStdOut flag        `json:"includeStdOut"`
		Conditions    []Condition `json:"conditions"`
		Steps         []rawStep   `json:"steps"`
		FinalStep     *rawStep    `json:"finalStep"`
		rawOperation
	}
	// rawOperation is the whole of a document of the old schema.
	rawOperation struct {
		Operation   string   `json:"operation"`
		Args        []string `json:"args"`
		Path        string   `json:"path"`
		AllowStdErr *int     `json:"allowStdErr"`
	}
	rawStep struct {
		Action *rawAction `json:"action"`
	}
	rawAction struct {
		Name  string `json:"name"`
		Type  string `json:"type"`
		Input struct {
			Handler string   `json:"handler"`
			Args    []string `json:"args"`
			Path    string   `json:"path"`
			Command string   `json:"command"`
		} `json:"input"`
		RunAsUser         string `json:"runAsUser"`
		AllowStdErr       *int   `json:"allowStdErr"`
		IgnoreStepFailure flag   `json:"ignoreStepFailure"`
	}
)

// flag is a boolean that is also written as a string: the client's manual and
// its code differ in that.
type flag bool

// UnmarshalJSON takes true, false, and both as strings.
func (f *flag) UnmarshalJSON(data []byte) error {
	switch text := string(data); text {
	case "true", `"true"`:
		*f = true
	case "false", `"false"`, "null":
		*f = false
	default:
		return fmt.Errorf("%s is neither true nor false", text)
	}
	return nil
}

// ParseDocument reads a job document. It fails if the document does not say
// clearly what to do; members that it does not know are ignored.
func ParseDocument(text string) (Document, error) {
	var raw rawDocument
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return Document{}, err
	}
	d := Document{IncludeStdout: bool(raw.IncludeStdOut)}
	if raw.Version == nil {
		return d, d.addOperation(raw.rawOperation)
	}
	if *raw.Version != schema {
		return d, fmt.Errorf("version %q is not %q", *raw.Version, schema)
	}
	for i, c := range raw.Conditions {
		if c.Key == "" || len(c.Value) == 0 {
			return d, fmt.Errorf("condition %d lacks its key or value", i+1)
		}
	}
	d.Conditions = raw.Conditions
	if len(raw.Steps) == 0 {
		return d, errors.New("there are no steps")
	}
	for i, s := range raw.Steps {
		if err := d.add(s); err != nil {
			return d, fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	if raw.FinalStep != nil {
		if err := d.add(*raw.FinalStep); err != nil {
			return d, fmt.Errorf("final step: %w", err)
		}
	}
	return d, nil
}

// addOperation adds what a document of the old schema asks for.
func (d *Document) addOperation(o rawOperation) error {
	if o.Operation == "" {
		return errors.New("there is neither a version nor an operation")
	}
	d.Actions = []Action{{
		Name: o.Operation, Handler: o.Operation, Args: o.Args, Path: o.Path, AllowStderr: o.AllowStdErr,
	}}
	return nil
}

// add adds the action of a step.
func (d *Document) add(s rawStep) error {
	if s.Action == nil {
		return errors.New("there is no action")
	}
	r, input := s.Action, s.Action.Input
	if r.Name == "" {
		return errors.New("the action has no name")
	}
	a := Action{Name: r.Name, User: r.RunAsUser, AllowStderr: r.AllowStdErr, IgnoreFailure: bool(r.IgnoreStepFailure)}
	switch r.Type {
	case runHandler:
		if input.Handler == "" {
			return errors.New("the action has no handler")
		}
		a.Handler, a.Path, a.Args = input.Handler, input.Path, input.Args
	case runCommand:
		a.Command = splitCommand(input.Command)
		if a.Command[0] == "" || strings.ContainsFunc(a.Command[0], unicode.IsSpace) {
			return errors.New("the command does not begin with a single word")
		}
	default:
		return fmt.Errorf("the action's type %q is neither %s nor %s", r.Type, runHandler, runCommand)
	}
	d.Actions = append(d.Actions, a)
	return nil
}

// splitCommand takes apart a command whose words are separated by commas; a
// comma within a word follows a backslash. There is always at least one word.
func splitCommand(s string) []string {
	var words []string
	var word strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == ',':
			word.WriteByte(',')
			i++
		case s[i] == ',':
			words = append(words, word.String())
			word.Reset()
		default:
			word.WriteByte(s[i])
		}
	}
	return append(words, word.String())
}

package agent_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/agent"
)

func TestParseDocument(t *testing.T) {
	t.Parallel()
	two := 2
	for name, tt := range map[string]struct {
		text string
		want agent.Document
	}{
		"a managed template": {
			text: `{"version":"1.0","steps":[{"action":{"name":"Download-File","type":"runHandler","input":{"handler":"download-file.sh",
				"args":["https://example.com/f","/tmp/f"],"path":""},"runAsUser":""}}]}`,
			want: agent.Document{Actions: []agent.Action{{
				Name: "Download-File", Handler: "download-file.sh", Args: []string{"https://example.com/f", "/tmp/f"},
			}}},
		},
		"the command of a managed template": {
			text: `{"version":"1.0","steps":[{"action":{"name":"Run-Command","type":"runCommand","input":{"command":"echo,a b,c\\,d"},"runAsUser":"u"}}]}`,
			want: agent.Document{Actions: []agent.Action{{Name: "Run-Command", Command: []string{"echo", "a b", "c,d"}, User: "u"}}},
		},
		"all there is": {
			text: `{"_comment":"x","version":"1.0","includeStdOut":true,"conditions":[{"key":"os","value":["linux"],"type":"stringEqual"}],
				"steps":[{"action":{"name":"a","type":"runHandler","input":{"handler":"h","args":[],"path":"default"},"allowStdErr":2,"ignoreStepFailure":"true"}}],
				"finalStep":{"action":{"name":"z","type":"runCommand","input":{"command":"true"}}}}`,
			want: agent.Document{
				IncludeStdout: true,
				Conditions:    []agent.Condition{{Key: "os", Value: []string{"linux"}, Type: "stringEqual"}},
				Actions: []agent.Action{
					{Name: "a", Handler: "h", Path: agent.DefaultPath, Args: []string{}, AllowStderr: &two, IgnoreFailure: true},
					{Name: "z", Command: []string{"true"}},
				},
			},
		},
		"the old schema": {
			text: `{"operation":"install.sh","args":["x"],"path":"default","includeStdOut":"true","allowStdErr":2}`,
			want: agent.Document{IncludeStdout: true, Actions: []agent.Action{{
				Name: "install.sh", Handler: "install.sh", Args: []string{"x"}, Path: agent.DefaultPath, AllowStderr: &two,
			}}},
		},
		"flags as booleans": {
			text: `{"version":"1.0","includeStdOut":"false","steps":[{"action":{"name":"a","type":"runHandler","ignoreStepFailure":true,"input":{"handler":"h"}}}]}`,
			want: agent.Document{Actions: []agent.Action{{Name: "a", Handler: "h", IgnoreFailure: true}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := agent.ParseDocument(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseDocumentRefuses(t *testing.T) {
	t.Parallel()
	step := func(action string) string { return `{"version":"1.0","steps":[{"action":` + action + `}]}` }
	for name, tt := range map[string]struct{ text, want string }{
		"no JSON":                     {`{`, "unexpected end"},
		"no document":                 {``, "unexpected end"},
		"an array":                    {`[]`, "cannot unmarshal"},
		"nothing to do":               {`{}`, "neither a version nor an operation"},
		"another version":             {`{"version":"1.1","steps":[]}`, `"1.1"`},
		"a version that is a number":  {`{"version":1.0}`, "cannot unmarshal"},
		"no steps":                    {`{"version":"1.0","steps":[]}`, "no steps"},
		"a step without an action":    {`{"version":"1.0","steps":[{}]}`, "step 1: there is no action"},
		"an action without a name":    {step(`{"type":"runHandler","input":{"handler":"h"}}`), "no name"},
		"an action without a type":    {step(`{"name":"n","input":{"handler":"h"}}`), `type ""`},
		"an action of another type":   {step(`{"name":"n","type":"runOther","input":{"handler":"h"}}`), "runOther"},
		"no handler":                  {step(`{"name":"n","type":"runHandler","input":{"command":"c"}}`), "no handler"},
		"no input":                    {step(`{"name":"n","type":"runHandler"}`), "no handler"},
		"no command":                  {step(`{"name":"n","type":"runCommand","input":{}}`), "single word"},
		"a command of several words":  {step(`{"name":"n","type":"runCommand","input":{"command":"rm -rf,/"}}`), "single word"},
		"a command that begins empty": {step(`{"name":"n","type":"runCommand","input":{"command":",x"}}`), "single word"},
		"a flag that is neither":      {`{"operation":"x","includeStdOut":"yes"}`, "neither true nor false"},
		"a condition without a value": {`{"version":"1.0","conditions":[{"key":"k"}],"steps":[{}]}`, "condition 1"},
		"a bad final step":            {`{"version":"1.0","steps":[{"action":{"name":"n","type":"runHandler","input":{"handler":"h"}}}],"finalStep":{}}`, "final step"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := agent.ParseDocument(tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestCommandsAreTakenApart(t *testing.T) {
	t.Parallel()
	for command, want := range map[string][]string{
		`ls`:           {"ls"},
		`ls,-l,/tmp`:   {"ls", "-l", "/tmp"},
		`echo,`:        {"echo", ""},
		`echo,,x`:      {"echo", "", "x"},
		`echo,a\\,b`:   {"echo", "a,b"},
		`echo,\\,,\\,`: {"echo", ",", ","},
		`echo,a\\b`:    {"echo", `a\b`},
		`echo,a\\`:     {"echo", `a\`},
		`echo, a b `:   {"echo", " a b "},
	} {
		d, err := agent.ParseDocument(`{"version":"1.0","steps":[{"action":{"name":"n","type":"runCommand","input":{"command":"` + command + `"}}}]}`)
		if err != nil {
			t.Errorf("%s: %v", command, err)
			continue
		}
		if diff := cmp.Diff(want, d.Actions[0].Command); diff != "" {
			t.Errorf("%s (-want +got):\n%s", command, diff)
		}
	}
}

func FuzzParseDocument(f *testing.F) {
	f.Add(`{"version":"1.0","steps":[{"action":{"name":"n","type":"runCommand","input":{"command":"a,b\\,c"}}}]}`)
	f.Add(`{"operation":"x","includeStdOut":"true","args":["a"]}`)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := agent.ParseDocument(text)
		if err != nil {
			return
		}
		if len(d.Actions) == 0 {
			t.Fatal("a valid document without anything to do")
		}
		for _, a := range d.Actions {
			if (a.Handler == "") == (len(a.Command) == 0) {
				t.Errorf("%+v is not either a handler or a command", a)
			}
		}
	})
}

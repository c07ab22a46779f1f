package wire_test

import (
	"strings"
	"testing"

	"muster/internal/apierr"
	"muster/internal/wire"

	"github.com/google/go-cmp/cmp"
)

var t1j1 = wire.Params{{Name: "thingName", Value: "t1"}, {Name: "jobId", Value: "j1"}}

func TestDecodeUpdateJobExecution(t *testing.T) {
	t.Parallel()
	base := wire.UpdateJobExecutionRequest{ThingName: "t1", JobID: "j1", Status: "IN_PROGRESS"}
	with := func(change func(*wire.UpdateJobExecutionRequest)) wire.UpdateJobExecutionRequest {
		r := base
		change(&r)
		return r
	}
	tests := []struct {
		name string
		body string
		want wire.UpdateJobExecutionRequest
	}{
		{"the status alone is enough", `{"status":"IN_PROGRESS"}`, base},
		{"white space is free", " {\n\t\"status\" :\r\"IN_PROGRESS\" } ", base},
		{"unknown members are ignored", `{"thingName":"x","jobId":7,"n":{"a":[1,{"b":"]}"}]},"status":"IN_PROGRESS","z":[]}`, base},
		{"names match exactly", `{"Status":"FAILED","STATUS":1,"status":"IN_PROGRESS","ſtatus":2}`, base},
		{"an escaped name is the same name", `{"st\u0061tus":"IN_PROGRESS"}`, base},
		{"an escaped value is the same value", `{"status":"IN\u005fPROGRESS"}`, base},
		{"null is absent", `{"status":"IN_PROGRESS","statusDetails":null,"expectedVersion":null,"includeJobDocument":null}`, base},
		{"the last of two counts", `{"status":"FAILED","expectedVersion":3,"expectedVersion":null,"status":"IN_PROGRESS"}`, base},
		{
			"numbers may be strings",
			`{"status":"IN_PROGRESS","expectedVersion":"2","executionNumber":"-1","stepTimeoutInMinutes":"10"}`,
			with(func(r *wire.UpdateJobExecutionRequest) {
				r.ExpectedVersion, r.ExecutionNumber, r.StepTimeoutInMinutes = new(int64(2)), new(int64(-1)), 10
			}),
		},
		{
			"zero is a version",
			`{"status":"IN_PROGRESS","expectedVersion":0}`,
			with(func(r *wire.UpdateJobExecutionRequest) { r.ExpectedVersion = new(int64(0)) }),
		},
		{
			"whole numbers may have a fraction of zero or an exponent",
			`{"status":"IN_PROGRESS","expectedVersion":2.0,"stepTimeoutInMinutes":1e3}`,
			with(func(r *wire.UpdateJobExecutionRequest) {
				r.ExpectedVersion, r.StepTimeoutInMinutes = new(int64(2)), 1000
			}),
		},
		{
			"the largest number keeps its digits",
			`{"status":"IN_PROGRESS","expectedVersion":9223372036854775807}`,
			with(func(r *wire.UpdateJobExecutionRequest) { r.ExpectedVersion = new(int64(9223372036854775807)) }),
		},
		{
			"minus one stops the step timer",
			`{"status":"IN_PROGRESS","stepTimeoutInMinutes":-1}`,
			with(func(r *wire.UpdateJobExecutionRequest) { r.StepTimeoutInMinutes = -1 }),
		},
		{
			"flags are booleans",
			`{"status":"IN_PROGRESS","includeJobExecutionState":true,"includeJobDocument":false}`,
			with(func(r *wire.UpdateJobExecutionRequest) { r.IncludeJobExecutionState = true }),
		},
		{
			"numbers and booleans become details as their text",
			`{"status":"IN_PROGRESS","statusDetails":{"uptime":1.50e3,"ok":true,"no":false,"s":"x"}}`,
			with(func(r *wire.UpdateJobExecutionRequest) {
				r.StatusDetails = wire.Details{"uptime": "1.50e3", "ok": "true", "no": "false", "s": "x"}
			}),
		},
		{
			"empty details are there",
			`{"status":"IN_PROGRESS","statusDetails":{}}`,
			with(func(r *wire.UpdateJobExecutionRequest) { r.StatusDetails = wire.Details{} }),
		},
		{
			"line breaks and tabs may be in details",
			`{"status":"IN_PROGRESS","statusDetails":{"stdout":"a\n\tb\r"}}`,
			with(func(r *wire.UpdateJobExecutionRequest) { r.StatusDetails = wire.Details{"stdout": "a\n\tb\r"} }),
		},
		{
			"a surrogate pair is one character, and an escaped backslash begins none",
			`{"status":"IN_PROGRESS","statusDetails":{"k":"\ud83d\ude00\ufffd\\ud83d"}}`,
			with(func(r *wire.UpdateJobExecutionRequest) { r.StatusDetails = wire.Details{"k": "😀\uFFFD" + `\ud83d`} }),
		},
		{
			"a name given twice counts once among ten",
			`{"status":"IN_PROGRESS","statusDetails":{"k":"0","k":"1"}}`,
			with(func(r *wire.UpdateJobExecutionRequest) { r.StatusDetails = wire.Details{"k": "1"} }),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got wire.UpdateJobExecutionRequest
			if err := wire.Decode(&got, t1j1, nil, []byte(tt.body)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	const prefix = "1 validation error detected: Value "
	tests := []struct {
		name string
		body string
		kind apierr.Kind
		want string
	}{
		{"an empty body without the status", ``, apierr.Invalid, prefix + "null at 'status' failed to satisfy constraint: Member must not be null"},
		{"a null status", `{"status":null}`, apierr.Invalid, prefix + "null at 'status' failed to satisfy constraint: Member must not be null"},
		{"a status nulled later", `{"status":"FAILED","status":null}`, apierr.Invalid, prefix + "null at 'status'"},
		{"a status in another case of name", `{"STATUS":"FAILED"}`, apierr.Invalid, prefix + "null at 'status'"},
		{"an unknown status", `{"status":"SUCCESS"}`, apierr.Invalid, prefix + "'SUCCESS' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [IN_PROGRESS, SUCCEEDED, FAILED, REJECTED]"},
		{"a status that only the service sets", `{"status":"CANCELED"}`, apierr.Invalid, prefix + "'CANCELED' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [IN_PROGRESS, SUCCEEDED, FAILED, REJECTED]"},
		{"a status that is a number", `{"status":1}`, apierr.Invalid, prefix + "'1' at 'status' failed to satisfy constraint: Member must be a string"},
		{"half a body", `{"status":`, apierr.InvalidJSON, "not valid JSON"},
		{"white space alone", ` `, apierr.InvalidJSON, "not valid JSON"},
		{"two bodies", `{}{}`, apierr.InvalidJSON, "not valid JSON"},
		{"a list", `[]`, apierr.InvalidJSON, "not a JSON object"},
		{"a string", ` "x"`, apierr.InvalidJSON, "not a JSON object"},
		{"null", `null`, apierr.InvalidJSON, "not a JSON object"},
		{"a byte that is no UTF-8", "{\"status\":\"\xff\"}", apierr.InvalidJSON, "UTF-8"},
		{"the first half of a character alone", `{"status":"FAILED","statusDetails":{"k":"\ud83d"}}`, apierr.InvalidJSON, "half of a surrogate pair"},
		{"the second half alone", `{"status":"FAILED","statusDetails":{"k":"\uDE00"}}`, apierr.InvalidJSON, "half of a surrogate pair"},
		{"two first halves", `{"status":"FAILED","statusDetails":{"k":"\ud83d\ud83d"}}`, apierr.InvalidJSON, "half of a surrogate pair"},
		{"a half before another escape", `{"status":"FAILED","statusDetails":{"k":"\ud83d\n"}}`, apierr.InvalidJSON, "half of a surrogate pair"},
		{"a half in a name that is ignored", `{"status":"FAILED","\ud83d":1}`, apierr.InvalidJSON, "half of a surrogate pair"},
		{"nesting beyond all measure", `{"a":` + strings.Repeat("[", 100_000), apierr.InvalidJSON, "not valid JSON"},
		{"details in a list", `{"status":"FAILED","statusDetails":[]}`, apierr.Invalid, "'[]' at 'statusDetails' failed to satisfy constraint: Member must be an object"},
		{"an object in details", `{"status":"FAILED","statusDetails":{"k":{}}}`, apierr.Invalid, "'{}' at 'statusDetails.k' failed to satisfy constraint: Map values must satisfy constraint: [Member must be a string]"},
		{"a list in details", `{"status":"FAILED","statusDetails":{"k":[1]}}`, apierr.Invalid, "at 'statusDetails.k'"},
		{"null in details", `{"status":"FAILED","statusDetails":{"k":null}}`, apierr.Invalid, "Value null at 'statusDetails.k'"},
		{"an empty detail", `{"status":"FAILED","statusDetails":{"k":""}}`, apierr.Invalid, "[Member must have length greater than or equal to 1]"},
		{"a control character in details", `{"status":"FAILED","statusDetails":{"k":"a\u0000"}}`, apierr.Invalid, `[Member must satisfy regular expression pattern: [^\p{C}]+]`},
		{"a bad name in details", `{"status":"FAILED","statusDetails":{"a b":"x"}}`, apierr.Invalid, "'a b' at 'statusDetails' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy"},
		{"a version that is no number", `{"status":"FAILED","expectedVersion":"two"}`, apierr.Invalid, "at 'expectedVersion' failed to satisfy constraint: Member must be an integer"},
		{"a version with a fraction", `{"status":"FAILED","expectedVersion":1.5}`, apierr.Invalid, "at 'expectedVersion'"},
		{"a version with a fraction in a string", `{"status":"FAILED","expectedVersion":"1.0"}`, apierr.Invalid, "at 'expectedVersion'"},
		{"a version beyond 64 bits", `{"status":"FAILED","expectedVersion":9223372036854775808}`, apierr.Invalid, "at 'expectedVersion'"},
		{"a version in a list", `{"status":"FAILED","expectedVersion":[1]}`, apierr.Invalid, "at 'expectedVersion'"},
		{"a step timer of 0", `{"status":"FAILED","stepTimeoutInMinutes":0}`, apierr.Invalid, "'0' at 'stepTimeoutInMinutes' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"a step timer of -2", `{"status":"FAILED","stepTimeoutInMinutes":-2}`, apierr.Invalid, "greater than or equal to 1"},
		{"a flag in a string", `{"status":"FAILED","includeJobDocument":"true"}`, apierr.Invalid, "at 'includeJobDocument' failed to satisfy constraint: Member must be a boolean"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := wire.Decode(new(wire.UpdateJobExecutionRequest), t1j1, nil, []byte(tt.body))
			if err == nil || apierr.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want kind %q and %q", err, tt.kind, tt.want)
			}
		})
	}
}

func TestDecodeCreateJob(t *testing.T) {
	t.Parallel()
	params := wire.Params{{Name: "jobId", Value: "j1"}}
	const body = `{"targets":["arn:aws:iot:us-east-1:123456789012:thing/t1"],"document":"{\"a\": 1}","description":"d",
		"targetSelection":"SNAPSHOT","timeoutConfig":{"inProgressTimeoutInMinutes":5},"namespaceId":"ns",
		"tags":[{"Key":"k","Value":"v"},{"Key":"only key"}],"presignedUrlConfig":{},"abortConfig":null,
		"jobExecutionsRetryConfig":{},"destinationPackageVersions":[]}`
	want := wire.CreateJobRequest{
		JobID: "j1", Targets: []string{"arn:aws:iot:us-east-1:123456789012:thing/t1"}, Document: `{"a": 1}`,
		Description: "d", TargetSelection: "SNAPSHOT", TimeoutConfig: wire.TimeoutConfig{InProgressTimeoutInMinutes: 5},
		NamespaceID: "ns", Tags: []wire.Tag{{Key: "k", Value: "v"}, {Key: "only key"}},
	}
	var got wire.CreateJobRequest
	if err := wire.Decode(&got, params, nil, []byte(body)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}

	refusals := []struct {
		name, body string
		kind       apierr.Kind
		want       string
	}{
		{"101 targets pass a quota", `{"targets":[` + strings.Repeat(`"a",`, 100) + `"a"]}`, apierr.LimitExceeded, "at 'targets' failed to satisfy constraint: Member must have length less than or equal to 100"},
		{"no targets are too few", `{"targets":[]}`, apierr.Invalid, "greater than or equal to 1"},
		{"a long target is named by its place", `{"targets":["a","` + strings.Repeat("x", 2049) + `"]}`, apierr.Invalid, "at 'targets.2.member' failed"},
		{"a null target is named by its place", `{"targets":["a",null]}`, apierr.Invalid, "Value null at 'targets.2.member'"},
		{"a nested limit is named by its path", `{"targets":["a"],"timeoutConfig":{"inProgressTimeoutInMinutes":10081}}`, apierr.Invalid, "'10081' at 'timeoutConfig.inProgressTimeoutInMinutes'"},
		{"a timeout of 0 is too short", `{"targets":["a"],"timeoutConfig":{"inProgressTimeoutInMinutes":0}}`, apierr.Invalid, "greater than or equal to 1"},
		{"a tag needs a key", `{"targets":["a"],"tags":[{"Value":"v"}]}`, apierr.Invalid, "Value null at 'tags.1.member.Key'"},
		{"a reserved tag is refused in any case", `{"targets":["a"],"tags":[{"Key":"AWS:x"}]}`, apierr.Invalid, "at 'tags.1.member.Key' failed to satisfy constraint: Member must not begin with the reserved prefix aws:"},
		{"a document is JSON", `{"targets":["a"],"document":"{"}`, apierr.Invalid, "at 'document' failed to satisfy constraint: Member must be a JSON document"},
		{"a document has whole characters", `{"targets":["a"],"document":"\"\\ud83d\""}`, apierr.Invalid, "at 'document' failed to satisfy constraint: Member must be a JSON document"},
		{"a document is not empty", `{"targets":["a"],"document":""}`, apierr.Invalid, "at 'document'"},
		{"a document's limit counts bytes", `{"targets":["a"],"document":"\"` + strings.Repeat("é", 16384) + `\""}`, apierr.Invalid, "less than or equal to 32768 bytes"},
	}
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := wire.Decode(new(wire.CreateJobRequest), params, nil, []byte(tt.body))
			if err == nil || apierr.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want kind %q and %q", err, tt.kind, tt.want)
			}
			if len(err.Error()) > 500 {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestDecodeQuery(t *testing.T) {
	t.Parallel()
	query := map[string][]string{
		"includeJobDocument": {"FALSE"}, "executionNumber": {"3", "4"}, "other": {"x"}, "namespaceId": {"ns"},
	}
	want := wire.DeviceDescribeJobExecutionRequest{
		ThingName: "t1", JobID: "$next", IncludeJobDocument: new(false), ExecutionNumber: new(int64(3)), NamespaceID: "ns",
	}
	var got wire.DeviceDescribeJobExecutionRequest
	params := wire.Params{{Name: "thingName", Value: "t1"}, {Name: "jobId", Value: "$next"}}
	if err := wire.Decode(&got, params, query, []byte(`{"executionNumber":"9"}`)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	for key, value := range map[string]string{
		"includeJobDocument": "yes", "executionNumber": "1.0", "namespaceId": "\xff",
	} {
		err := wire.Decode(&got, params, map[string][]string{key: {value}}, nil)
		if !apierr.Is(err, apierr.Invalid) || !strings.Contains(err.Error(), "at '"+key+"'") {
			t.Errorf("%s=%q: got %v, want a refusal that names it", key, value, err)
		}
	}
}

func TestDecodeNeedsAPointerToARequest(t *testing.T) {
	t.Parallel()
	type odd struct {
		Member complex128 `json:"member"`
	}
	type nameless struct {
		Member string `json:"member" shape:"NoSuchShape"`
	}
	for _, dst := range []any{nil, wire.UpdateJobExecutionRequest{}, (*wire.UpdateJobExecutionRequest)(nil), new(int), new(odd), new(nameless)} {
		if err := wire.Decode(dst, t1j1, nil, nil); err == nil || apierr.KindOf(err) != apierr.Internal {
			t.Errorf("%T: got %v, want an internal error", dst, err)
		}
	}
}

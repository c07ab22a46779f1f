package wire_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"
	"unicode/utf8"

	"muster/internal/apierr"
	"muster/internal/wire"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecode shows for every request that decoding never panics, refuses only
// with errors that a caller may be told, refuses all that is not JSON, and
// yields values that survive another round.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `[]`, `null`, ` { "status" : "FAILED" , "statusDetails" : { "a\u0062" : 1e5 } } `,
		`{"status":"IN_PROGRESS","expectedVersion":"2","statusDetails":{"k":"v"},"stepTimeoutInMinutes":-1}`,
		`{"targets":["a","b"],"document":"{}","tags":[{"Key":"k"}],"timeoutConfig":{"inProgressTimeoutInMinutes":1}}`,
		`{"attributePayload":{"attributes":{"a":"b"},"merge":true},"expectedVersion":1.0}`,
		`{"thingTypeProperties":{"mqtt5Configuration":{"propagatingAttributes":[{"userPropertyKey":"u"}]}}}`,
		`{"x":"\\\"]}","y":[[{}],{"z":"["}]}`,
	} {
		f.Add("t1", "5", []byte(seed))
	}
	names := slices.Sorted(maps.Keys(requests))
	f.Fuzz(func(t *testing.T, path, query string, body []byte) {
		params := wire.Params{
			{Name: "thingName", Value: path}, {Name: "jobId", Value: path}, {Name: "thingGroupName", Value: path},
			{Name: "thingTypeName", Value: path}, {Name: "executionNumber", Value: query},
		}
		values := map[string][]string{"maxResults": {query}, "expectedVersion": {query}, "force": {path}, "nextToken": {query}}
		for _, name := range names {
			req := requests[name]()
			err := wire.Decode(req, params, values, body)
			if err == nil {
				checkAccepted(t, name, req, params, values, body)
			} else if _, ok := errors.AsType[*apierr.Error](err); !ok || !utf8.ValidString(err.Error()) {
				t.Errorf("%s: %q is no error for a caller", name, err)
			}
		}
	})
}

func checkAccepted(t *testing.T, name string, req any, params wire.Params, values map[string][]string, body []byte) {
	t.Helper()
	if len(body) > 0 && (!json.Valid(body) || !utf8.Valid(body)) {
		t.Errorf("%s: accepted %q, which is not JSON", name, body)
	}
	again, err := wire.Encode(req)
	if err != nil {
		t.Fatal(err)
	}
	second := requests[name]()
	if err := wire.Decode(second, params, values, again); err != nil {
		t.Errorf("%s: refused %s, made of an accepted request: %v", name, again, err)
	}
	// An empty list or map is left out when it is written again.
	third, err := wire.Encode(second)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(again), string(third)); diff != "" {
		t.Errorf("%s: another round differs:\n%s", name, diff)
	}
}

// FuzzDecodeAgainstEncodingJSON compares the scanner with the library on what
// both read alike: details of strings under exact names.
func FuzzDecodeAgainstEncodingJSON(f *testing.F) {
	f.Add([]byte(`{"statusDetails":{"a":"b","c\u0020":"\ud83d\ude00"}}`))
	f.Add([]byte(`{"statusDetails":{"a":"\\","b":"\"}"}, "x":[{}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var req wire.StartNextPendingJobExecutionRequest
		if err := wire.Decode(&req, wire.Params{{Name: "thingName", Value: "t"}}, nil, body); err != nil || len(body) == 0 {
			return
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(body, &members); err != nil {
			t.Fatalf("accepted %q: %v", body, err)
		}
		var details map[string]string
		raw, ok := members["statusDetails"]
		if !ok || json.Unmarshal(raw, &details) != nil {
			return // scalars, which the library does not take for strings
		}
		if diff := cmp.Diff(details, map[string]string(req.StatusDetails)); diff != "" {
			t.Errorf("%q: library -, scanner +:\n%s", body, diff)
		}
	})
}

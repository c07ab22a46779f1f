package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"muster/internal/apierr"
	"muster/internal/wire"

	"pgregory.net/rapid"
)

// requests makes an empty request of every operation served.
var requests = map[string]func() any{
	"iot-jobs-data DescribeJobExecution":         func() any { return new(wire.DeviceDescribeJobExecutionRequest) },
	"iot-jobs-data GetPendingJobExecutions":      func() any { return new(wire.GetPendingJobExecutionsRequest) },
	"iot-jobs-data StartNextPendingJobExecution": func() any { return new(wire.StartNextPendingJobExecutionRequest) },
	"iot-jobs-data UpdateJobExecution":           func() any { return new(wire.UpdateJobExecutionRequest) },

	"iot CreateJob":                 func() any { return new(wire.CreateJobRequest) },
	"iot DescribeJob":               func() any { return new(wire.DescribeJobRequest) },
	"iot UpdateJob":                 func() any { return new(wire.UpdateJobRequest) },
	"iot CancelJob":                 func() any { return new(wire.CancelJobRequest) },
	"iot DeleteJob":                 func() any { return new(wire.DeleteJobRequest) },
	"iot GetJobDocument":            func() any { return new(wire.GetJobDocumentRequest) },
	"iot ListJobs":                  func() any { return new(wire.ListJobsRequest) },
	"iot ListJobExecutionsForJob":   func() any { return new(wire.ListJobExecutionsForJobRequest) },
	"iot ListJobExecutionsForThing": func() any { return new(wire.ListJobExecutionsForThingRequest) },
	"iot DescribeJobExecution":      func() any { return new(wire.DescribeJobExecutionRequest) },
	"iot CancelJobExecution":        func() any { return new(wire.CancelJobExecutionRequest) },
	"iot DeleteJobExecution":        func() any { return new(wire.DeleteJobExecutionRequest) },
	"iot AssociateTargetsWithJob":   func() any { return new(wire.AssociateTargetsWithJobRequest) },

	"iot CreateThing":   func() any { return new(wire.CreateThingRequest) },
	"iot DescribeThing": func() any { return new(wire.DescribeThingRequest) },
	"iot UpdateThing":   func() any { return new(wire.UpdateThingRequest) },
	"iot DeleteThing":   func() any { return new(wire.DeleteThingRequest) },
	"iot ListThings":    func() any { return new(wire.ListThingsRequest) },

	"iot CreateThingType":    func() any { return new(wire.CreateThingTypeRequest) },
	"iot DescribeThingType":  func() any { return new(wire.DescribeThingTypeRequest) },
	"iot UpdateThingType":    func() any { return new(wire.UpdateThingTypeRequest) },
	"iot DeprecateThingType": func() any { return new(wire.DeprecateThingTypeRequest) },
	"iot DeleteThingType":    func() any { return new(wire.DeleteThingTypeRequest) },
	"iot ListThingTypes":     func() any { return new(wire.ListThingTypesRequest) },

	"iot CreateThingGroup":          func() any { return new(wire.CreateThingGroupRequest) },
	"iot DescribeThingGroup":        func() any { return new(wire.DescribeThingGroupRequest) },
	"iot UpdateThingGroup":          func() any { return new(wire.UpdateThingGroupRequest) },
	"iot DeleteThingGroup":          func() any { return new(wire.DeleteThingGroupRequest) },
	"iot ListThingGroups":           func() any { return new(wire.ListThingGroupsRequest) },
	"iot AddThingToThingGroup":      func() any { return new(wire.AddThingToThingGroupRequest) },
	"iot RemoveThingFromThingGroup": func() any { return new(wire.RemoveThingFromThingGroupRequest) },
	"iot ListThingsInThingGroup":    func() any { return new(wire.ListThingsInThingGroupRequest) },
	"iot ListThingGroupsForThing":   func() any { return new(wire.ListThingGroupsForThingRequest) },
	"iot UpdateThingGroupsForThing": func() any { return new(wire.UpdateThingGroupsForThingRequest) },

	"iot TagResource":         func() any { return new(wire.TagResourceRequest) },
	"iot UntagResource":       func() any { return new(wire.UntagResourceRequest) },
	"iot ListTagsForResource": func() any { return new(wire.ListTagsForResourceRequest) },
	"iot DescribeEndpoint":    func() any { return new(wire.DescribeEndpointRequest) },
}

// unserved are the top members that are refused whatever they hold.
var unserved = []string{
	"documentSource", "presignedUrlConfig", "jobExecutionsRolloutConfig", "abortConfig", "jobTemplateArn",
	"jobExecutionsRetryConfig", "documentParameters", "schedulingConfig", "destinationPackageVersions",
}

// fact is what the published model, or a published guide, says of one member
// of one request. A member inside a list ends in [], a map's key in {key}.
type fact struct {
	operation, member, shape, location, typ, pattern string
	enum                                             []string
	min, max                                         *int64
	required                                         bool
}

func (f fact) refused() bool {
	top, _, _ := strings.Cut(strings.NewReplacer("[", ".", "{", ".").Replace(f.member), ".")
	return slices.Contains(unserved, top)
}

// facts reads the fixture.
func facts(tb testing.TB) []fact {
	tb.Helper()
	data, err := os.ReadFile("testdata/shapes.tsv")
	if err != nil {
		tb.Fatal(err)
	}
	var all []fact
	for line := range strings.Lines(string(data)) {
		c := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if c[0] == "service" {
			continue
		}
		f := fact{
			operation: c[0] + " " + c[1], member: c[2], shape: c[3], location: c[4], typ: c[5],
			min: bound(tb, c[6]), max: bound(tb, c[7]), pattern: c[8], required: c[10] == "yes",
		}
		if c[9] != "" {
			f.enum = strings.Split(c[9], ",")
		}
		all = append(all, f)
	}
	return all
}

func bound(tb testing.TB, s string) *int64 {
	tb.Helper()
	if s == "" {
		return nil
	}
	f, err := strconv.ParseFloat(s, 64) // bounds of refused members may have a fraction
	if err != nil {
		tb.Fatal(err)
	}
	n := int64(f)
	return &n
}

// call is a request as a surface hands it over.
type call struct {
	operation string
	params    wire.Params
	query     map[string][]string
	body      map[string]any
}

// minimal returns a request with all its required members and no others.
func minimal(operation string, all []fact) call {
	c := call{operation: operation, query: map[string][]string{}, body: map[string]any{}}
	for _, f := range all {
		if f.operation == operation && f.required && !strings.ContainsAny(f.member, ".[{") {
			c.set(f, f.member, example(f))
		}
	}
	return c
}

// example returns a good value for a fact.
func example(f fact) any {
	switch f.typ {
	case "long", "integer":
		return int64(5)
	case "boolean":
		return true
	case "list", "map":
		return entries(f, 1)
	case "structure":
		return map[string]any{}
	}
	if len(f.enum) > 0 {
		return f.enum[0]
	}
	return "A"
}

// set puts value at a member, below what it is nested in.
func (c *call) set(f fact, member string, value any) {
	switch f.location {
	case "uri":
		c.params = slices.DeleteFunc(c.params, func(p wire.Param) bool { return p.Name == member })
		c.params = append(c.params, wire.Param{Name: member, Value: fmt.Sprint(value)})
	case "query":
		c.query[member] = []string{fmt.Sprint(value)}
	default:
		c.body[topOf(member)] = nest(member, value)[topOf(member)]
	}
}

func topOf(member string) string { return member[:min(len(member), firstBreak(member))] }

func firstBreak(member string) int {
	if i := strings.IndexAny(member, ".[{"); i >= 0 {
		return i
	}
	return len(member)
}

// nest returns the JSON object in which value stands at the member's path.
func nest(member string, value any) map[string]any {
	top := topOf(member)
	return map[string]any{top: wrap(member[len(top):], value)}
}

func wrap(rest string, value any) any {
	switch {
	case rest == "":
		return value
	case strings.HasPrefix(rest, "[]"):
		return []any{wrap(rest[2:], value)}
	case rest == "{key}":
		return map[string]any{fmt.Sprint(value): "v"}
	case rest == "{value}":
		return map[string]any{"k": value}
	}
	o := nest(rest[1:], value)
	if _, ok := o["Value"]; ok { // a tag needs its key
		o["Key"] = "k"
	}
	return o
}

func (c call) decode() error {
	body, err := json.Marshal(c.body)
	if err != nil {
		return err
	}
	return wire.Decode(requests[c.operation](), c.params, c.query, body)
}

// check shows that value passes or, if want is not empty, that it is refused
// with a message that names the member and says want.
func (c call) check(t *testing.T, f fact, value any, want string) {
	t.Helper()
	c.set(f, f.member, value)
	err := c.decode()
	if want == "" {
		if err != nil {
			t.Errorf("%s: %.40v at %s: got %v, want success", f.operation, value, f.member, err)
		}
		return
	}
	e, ok := errors.AsType[*apierr.Error](err)
	if !ok || e.Kind != apierr.Invalid && e.Kind != apierr.LimitExceeded ||
		!strings.Contains(e.Message, "'"+topOf(f.member)) || !strings.Contains(e.Message, want) {
		t.Errorf("%s: %.40v at %s: got %v, want a refusal that says %q", f.operation, value, f.member, err, want)
	}
}

// expand spells the Java classes of the published patterns in Go's syntax and
// anchors the whole, as the service does.
func expand(pattern string) *regexp.Regexp {
	p := strings.NewReplacer(`\p{Upper}`, `A-Z`, `\p{Digit}`, `0-9`, `\p{Graph}`, `!-~`).Replace(pattern)
	return regexp.MustCompile(`^(?:` + p + `)$`)
}

func TestEveryPublishedConstraintIsEnforced(t *testing.T) {
	t.Parallel()
	all := facts(t)
	for _, f := range all {
		c := minimal(f.operation, all)
		if f.refused() {
			continue
		}
		t.Run(f.operation+" "+f.member, func(t *testing.T) {
			t.Parallel()
			if f.required && !strings.ContainsAny(f.member, ".[{") {
				checkRequired(t, c, f)
			}
			switch f.typ {
			case "string":
				checkString(t, c, f)
			case "long", "integer":
				checkNumber(t, c, f)
			case "list", "map":
				checkCount(t, c, f)
			case "boolean":
				c.check(t, f, true, "")
			}
		})
	}
}

func checkRequired(t *testing.T, c call, f fact) {
	t.Helper()
	c.params = slices.DeleteFunc(slices.Clone(c.params), func(p wire.Param) bool { return p.Name == f.member })
	c.query, c.body = maps.Clone(c.query), maps.Clone(c.body)
	delete(c.query, f.member)
	delete(c.body, f.member)
	if err := c.decode(); err == nil || !strings.Contains(err.Error(), "Value null at '"+f.member+"'") {
		t.Errorf("%s without %s: got %v, want a refusal", f.operation, f.member, err)
	}
}

// ofLength returns a valid value with n characters, or bytes of a document.
func ofLength(f fact, n int64) string {
	if f.shape == "JobDocument" {
		return `"` + strings.Repeat("x", int(n)-2) + `"`
	}
	unit := "A"
	if expand(f.pattern).MatchString("é") || f.pattern == "" {
		unit = "é"
	}
	return strings.Repeat(unit, int(n))
}

func checkString(t *testing.T, c call, f fact) {
	t.Helper()
	if f.max != nil {
		limit := fmt.Sprintf("length less than or equal to %d", *f.max)
		c.check(t, f, ofLength(f, *f.max), "")
		c.check(t, f, ofLength(f, *f.max+1), limit)
	}
	if f.min != nil && *f.min == 1 {
		c.check(t, f, ofLength(f, 1), "")
		c.check(t, f, "", "length greater than or equal to 1")
	}
	for _, value := range f.enum {
		c.check(t, f, value, "")
	}
	if f.enum != nil {
		c.check(t, f, "SUCCESS", "enum value set: ["+strings.Join(f.enum, ", "))
	}
	if f.pattern == "" {
		return
	}
	for _, bad := range []string{"\x01", " ", "é", "a b", "%"} {
		if !expand(f.pattern).MatchString(bad) {
			c.check(t, f, bad, "regular expression pattern: "+f.pattern)
		}
	}
}

func checkNumber(t *testing.T, c call, f fact) {
	t.Helper()
	c.check(t, f, int64(7), "")
	c.check(t, f, "seven", "must be an integer")
	if f.min != nil {
		c.check(t, f, *f.min, "")
		c.check(t, f, *f.min-1, fmt.Sprintf("greater than or equal to %d", *f.min))
	}
	if f.max != nil {
		c.check(t, f, *f.max, "")
		c.check(t, f, *f.max+1, fmt.Sprintf("less than or equal to %d", *f.max))
	}
}

func checkCount(t *testing.T, c call, f fact) {
	t.Helper()
	c.check(t, f, "text", "must be")
	if f.min != nil {
		c.check(t, f, []any{}, fmt.Sprintf("greater than or equal to %d", *f.min))
	}
	if f.max != nil {
		c.check(t, f, entries(f, *f.max), "")
		c.check(t, f, entries(f, *f.max+1), fmt.Sprintf("less than or equal to %d", *f.max))
	}
}

// entries returns a list or map with n valid entries.
func entries(f fact, n int64) any {
	if f.typ == "map" {
		m := map[string]any{}
		for i := range n {
			m[fmt.Sprint("k", i)] = "v"
		}
		return m
	}
	l := make([]any, n)
	for i := range l {
		l[i] = fmt.Sprint("v", i)
		if f.shape == "TagList" {
			l[i] = map[string]any{"Key": fmt.Sprint("k", i), "Value": "v"}
		}
	}
	return l
}

func TestEveryOperationOfTheFixtureHasARequest(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range facts(t) {
		seen[f.operation] = true
	}
	if got, want := slices.Sorted(maps.Keys(requests)), slices.Sorted(maps.Keys(seen)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestUnservedMembersAreRefusedUnlessEmpty(t *testing.T) {
	t.Parallel()
	all := facts(t)
	n := 0
	for _, f := range all {
		if !f.refused() || strings.ContainsAny(f.member, ".[{") {
			continue
		}
		n++
		c := minimal(f.operation, all)
		for _, empty := range []any{nil, map[string]any{}, []any{}, json.RawMessage("{ \n}"), json.RawMessage("[ ]")} {
			c.check(t, f, empty, "")
		}
		for _, full := range []any{"", "x", 5, true, map[string]any{"a": nil}, []any{nil}} {
			c.check(t, f, full, "this server does not support it")
		}
	}
	if n != 9+4 {
		t.Errorf("got %d members, want the 9 of CreateJob and the 4 of UpdateJob", n)
	}
}

func TestTextMatchesAsItsPublishedPatternDoes(t *testing.T) {
	t.Parallel()
	all := facts(t)
	seen := map[string]bool{"DetailsValue": true} // wider on purpose, has its own test
	for _, f := range all {
		if f.pattern == "" || f.refused() || seen[f.shape] {
			continue
		}
		seen[f.shape] = true
		t.Run(f.shape, func(t *testing.T) {
			t.Parallel()
			published := expand(f.pattern)
			rapid.Check(t, func(t *rapid.T) {
				s := rapid.OneOf(
					rapid.StringOfN(rapid.RuneFrom([]rune("aZ09_-:.,@/#=[]$+~! \n\x00é٣\u200d\ue000\u2028")), 0, 3, -1),
					rapid.StringN(0, 3, -1),
					rapid.Just("$next"),
				).Draw(t, "s")
				if f.min != nil && s == "" || strings.HasPrefix(s, "aws:") {
					return
				}
				c := minimal(f.operation, all)
				c.set(f, f.member, s)
				if err := c.decode(); (err == nil) != published.MatchString(s) {
					t.Errorf("%q: got %v, but the pattern %s says %v", s, err, f.pattern, err != nil)
				}
			})
		})
	}
}

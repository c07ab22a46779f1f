package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"muster/test/internal/harness"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/google/go-cmp/cmp"
)

// isInvalid reports whether an operator was told that a request breaks a rule.
func isInvalid(err error) bool {
	_, ok := errors.AsType[*types.InvalidRequestException](err)
	return ok
}

// TestThings registers, changes and deletes things.
func TestThings(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	in := &iot.CreateThingInput{
		ThingName: aws.String("pump"), AttributePayload: &types.AttributePayload{Attributes: map[string]string{"site": "north", "hw": "2"}},
	}
	created, err := s.iot.CreateThing(t.Context(), in)
	check(t, "create", err)
	again, err := s.iot.CreateThing(t.Context(), in)
	check(t, "create again, the same", err)
	if *created.ThingArn != thingARN("pump") || *again.ThingId != *created.ThingId || len(*created.ThingId) != 36 {
		t.Errorf("created %s %s, then %s", *created.ThingArn, *created.ThingId, *again.ThingId)
	}
	_, err = s.iot.UpdateThing(t.Context(), &iot.UpdateThingInput{
		ThingName: aws.String("pump"), ExpectedVersion: aws.Int64(1),
		AttributePayload: &types.AttributePayload{Attributes: map[string]string{"hw": "3", "site": ""}, Merge: true},
	})
	check(t, "update", err)
	got, err := s.iot.DescribeThing(t.Context(), &iot.DescribeThingInput{ThingName: aws.String("pump")})
	check(t, "describe", err)
	if *got.ThingId != *created.ThingId || got.Version != 2 || *got.DefaultClientId != "pump" || !cmp.Equal(map[string]string{"hw": "3"}, got.Attributes) {
		t.Errorf("updated: got %+v", got)
	}
	found, err := s.iot.ListThings(t.Context(), &iot.ListThingsInput{AttributeName: aws.String("hw"), AttributeValue: aws.String("3")})
	check(t, "list", err)
	if len(found.Things) != 1 || *found.Things[0].ThingName != "pump" {
		t.Errorf("list by attribute: got %+v", found.Things)
	}
	for range 2 { // one that is not there is deleted, too
		_, err = s.iot.DeleteThing(t.Context(), &iot.DeleteThingInput{ThingName: aws.String("pump")})
		check(t, "delete", err)
	}
	if _, err := s.iot.DescribeThing(t.Context(), &iot.DescribeThingInput{ThingName: aws.String("pump")}); !isNotFound(err) {
		t.Errorf("deleted: got %v", err)
	}
	s.things(t, "pump")
	made, err := s.iot.DescribeThing(t.Context(), &iot.DescribeThingInput{ThingName: aws.String("pump")})
	check(t, "describe", err)
	if *made.ThingId == *created.ThingId || made.Version != 1 || len(made.Attributes) != 0 {
		t.Errorf("a thing under an old name: got %+v", made)
	}
}

// TestThingTypes go from use over deprecation to their end.
func TestThingTypes(t *testing.T) {
	t.Parallel()
	s := newStack(t, "--delete-thing-type-wait", "0s")
	made, err := s.iot.CreateThingType(t.Context(), &iot.CreateThingTypeInput{
		ThingTypeName:       aws.String("pump"),
		ThingTypeProperties: &types.ThingTypeProperties{ThingTypeDescription: aws.String("moves water"), SearchableAttributes: []string{"site"}},
		Tags:                []types.Tag{{Key: aws.String("team"), Value: aws.String("water")}},
	})
	check(t, "create type", err)
	if *made.ThingTypeArn != arn("thingtype/pump") {
		t.Errorf("ARN: got %s", *made.ThingTypeArn)
	}
	attributes := make(map[string]string)
	for _, name := range numbered("a", 50) {
		attributes[name] = "v"
	}
	_, err = s.iot.CreateThing(t.Context(), &iot.CreateThingInput{ThingName: aws.String("many"), AttributePayload: &types.AttributePayload{Attributes: attributes}})
	if !isInvalid(err) {
		t.Errorf("50 attributes without a type: got %v", err)
	}
	_, err = s.iot.CreateThing(t.Context(), &iot.CreateThingInput{
		ThingName: aws.String("many"), ThingTypeName: aws.String("pump"), AttributePayload: &types.AttributePayload{Attributes: attributes},
	})
	check(t, "create a thing of the type", err)

	del := func() error {
		_, err := s.iot.DeleteThingType(t.Context(), &iot.DeleteThingTypeInput{ThingTypeName: aws.String("pump")})
		return err
	}
	if err := del(); !isInvalid(err) {
		t.Errorf("delete a type that is not deprecated: got %v", err)
	}
	_, err = s.iot.DeprecateThingType(t.Context(), &iot.DeprecateThingTypeInput{ThingTypeName: aws.String("pump")})
	check(t, "deprecate", err)
	got, err := s.iot.DescribeThingType(t.Context(), &iot.DescribeThingTypeInput{ThingTypeName: aws.String("pump")})
	check(t, "describe type", err)
	if !got.ThingTypeMetadata.Deprecated || !recent(got.ThingTypeMetadata.DeprecationDate) || *got.ThingTypeProperties.ThingTypeDescription != "moves water" {
		t.Errorf("deprecated: got %+v", got)
	}
	if _, err := s.iot.CreateThing(t.Context(), &iot.CreateThingInput{ThingName: aws.String("new"), ThingTypeName: aws.String("pump")}); !isInvalid(err) {
		t.Errorf("a thing of a deprecated type: got %v", err)
	}
	if err := del(); !isInvalid(err) {
		t.Errorf("delete a type that is in use: got %v", err)
	}
	_, err = s.iot.DeleteThing(t.Context(), &iot.DeleteThingInput{ThingName: aws.String("many")})
	check(t, "delete thing", err)
	check(t, "delete type", del())
	list, err := s.iot.ListThingTypes(t.Context(), &iot.ListThingTypesInput{})
	check(t, "list types", err)
	if len(list.ThingTypes) != 0 {
		t.Errorf("types: got %+v", list.ThingTypes)
	}
}

// TestThingGroups makes a hierarchy and moves things about in it.
func TestThingGroups(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	make := func(name string, parent *string) {
		t.Helper()
		_, err := s.iot.CreateThingGroup(t.Context(), &iot.CreateThingGroupInput{
			ThingGroupName: &name, ParentGroupName: parent, ThingGroupProperties: &types.ThingGroupProperties{ThingGroupDescription: aws.String("of " + name)},
		})
		check(t, "create group", err)
	}
	make("world", nil)
	make("north", aws.String("world"))
	make("south", aws.String("world"))
	make("hall", aws.String("north"))
	got, err := s.iot.DescribeThingGroup(t.Context(), &iot.DescribeThingGroupInput{ThingGroupName: aws.String("hall")})
	check(t, "describe group", err)
	var path []string
	for _, g := range got.ThingGroupMetadata.RootToParentThingGroups {
		path = append(path, *g.GroupName)
	}
	if diff := cmp.Diff([]string{"world", "north"}, path); diff != "" || *got.ThingGroupArn != groupARN("hall") || got.Version != 1 {
		t.Errorf("hall: got %+v, path %v", got, path)
	}

	s.things(t, "a", "b")
	s.join(t, "a", "hall")
	s.join(t, "a", "hall") // again
	s.join(t, "b", "north")
	if _, err := s.iot.AddThingToThingGroup(t.Context(), &iot.AddThingToThingGroupInput{ThingName: aws.String("a"), ThingGroupName: aws.String("south")}); !isInvalid(err) {
		t.Errorf("two groups of one hierarchy: got %v", err)
	}
	members := func(group string, recursive bool) []string {
		t.Helper()
		out, err := s.iot.ListThingsInThingGroup(t.Context(), &iot.ListThingsInThingGroupInput{ThingGroupName: &group, Recursive: recursive})
		check(t, "list members", err)
		slices.Sort(out.Things)
		return out.Things
	}
	for _, test := range []struct {
		group     string
		recursive bool
		want      []string
	}{{"world", false, []string{}}, {"world", true, []string{"a", "b"}}, {"north", false, []string{"b"}}, {"hall", false, []string{"a"}}} {
		if got := members(test.group, test.recursive); !slices.Equal(got, test.want) {
			t.Errorf("%s, recursive %v: got %v, want %v", test.group, test.recursive, got, test.want)
		}
	}
	_, err = s.iot.UpdateThingGroupsForThing(t.Context(), &iot.UpdateThingGroupsForThingInput{
		ThingName: aws.String("a"), ThingGroupsToRemove: []string{"hall"}, ThingGroupsToAdd: []string{"south"},
	})
	check(t, "move", err)
	of, err := s.iot.ListThingGroupsForThing(t.Context(), &iot.ListThingGroupsForThingInput{ThingName: aws.String("a")})
	check(t, "groups of a thing", err)
	if len(of.ThingGroups) != 1 || *of.ThingGroups[0].GroupName != "south" {
		t.Errorf("groups of a: got %+v", of.ThingGroups)
	}

	del := func(name string) error {
		_, err := s.iot.DeleteThingGroup(t.Context(), &iot.DeleteThingGroupInput{ThingGroupName: &name})
		return err
	}
	if err := del("north"); !isInvalid(err) {
		t.Errorf("delete a group with children: got %v", err)
	}
	check(t, "delete hall", del("hall"))
	check(t, "delete north with a member", del("north"))
	harness.Wait(t, soon, "b to be in no group", func(ctx context.Context) error {
		out, err := s.iot.ListThingGroupsForThing(ctx, &iot.ListThingGroupsForThingInput{ThingName: aws.String("b")})
		if err == nil && len(out.ThingGroups) > 0 {
			return fmt.Errorf("it is in %+v", out.ThingGroups)
		}
		return err
	})
	s.join(t, "b", "south")
	children, err := s.iot.ListThingGroups(t.Context(), &iot.ListThingGroupsInput{ParentGroup: aws.String("world"), Recursive: aws.Bool(true)})
	check(t, "list groups", err)
	if len(children.ThingGroups) != 1 || *children.ThingGroups[0].GroupName != "south" {
		t.Errorf("groups below world: got %+v", children.ThingGroups)
	}
}

// TestTags are put on jobs, groups and types, and nothing else.
func TestTags(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "pump")
	s.group(t, "site")
	s.job(t, "j", func(in *iot.CreateJobInput) {
		in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("water")}, {Key: aws.String("empty"), Value: aws.String("")}}
	}, thingARN("pump"))
	read := func(resource string) map[string]string {
		t.Helper()
		tags := make(map[string]string)
		pages := iot.NewListTagsForResourcePaginator(s.iot, &iot.ListTagsForResourceInput{ResourceArn: &resource})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			check(t, "list tags", err)
			for _, tag := range page.Tags {
				tags[*tag.Key] = *tag.Value
			}
		}
		return tags
	}
	if diff := cmp.Diff(map[string]string{"team": "water", "empty": ""}, read(jobARN("j"))); diff != "" {
		t.Errorf("tags of the job, -want +got:\n%s", diff)
	}
	put := func(resource, key, value string) error {
		_, err := s.iot.TagResource(t.Context(), &iot.TagResourceInput{ResourceArn: &resource, Tags: []types.Tag{{Key: &key, Value: &value}}})
		return err
	}
	check(t, "tag job", put(jobARN("j"), "team", "fire"))
	check(t, "tag group", put(groupARN("site"), "größe", "50 m²"))
	_, err := s.iot.UntagResource(t.Context(), &iot.UntagResourceInput{ResourceArn: aws.String(jobARN("j")), TagKeys: []string{"empty"}})
	check(t, "untag", err)
	if diff := cmp.Diff(map[string]string{"team": "fire"}, read(jobARN("j"))); diff != "" {
		t.Errorf("tags of the job, -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"größe": "50 m²"}, read(groupARN("site"))); diff != "" {
		t.Errorf("tags of the group, -want +got:\n%s", diff)
	}
	if err := put(thingARN("pump"), "a", "b"); !isInvalid(err) {
		t.Errorf("tag a thing: got %v", err)
	}
	if err := put(jobARN("none"), "a", "b"); !isNotFound(err) {
		t.Errorf("tag what is not there: got %v", err)
	}
	for _, key := range numbered("k", 49) {
		check(t, "fill up", put(jobARN("j"), key, ""))
	}
	_, ok := errors.AsType[*types.LimitExceededException](put(jobARN("j"), "one-more", ""))
	if !ok {
		t.Error("51 tags were taken")
	}
}

// TestDescribeEndpoint names the server for every type of endpoint.
func TestDescribeEndpoint(t *testing.T) {
	t.Parallel()
	s := newStack(t, "--endpoint", "muster.example.com:8443")
	for _, kind := range []string{"", "iot:Data-ATS", "iot:Jobs"} {
		in := &iot.DescribeEndpointInput{}
		if kind != "" {
			in.EndpointType = &kind
		}
		out, err := s.iot.DescribeEndpoint(t.Context(), in)
		check(t, "describe endpoint", err)
		if *out.EndpointAddress != "muster.example.com:8443" {
			t.Errorf("%s: got %s", kind, *out.EndpointAddress)
		}
	}
	if _, err := s.iot.DescribeEndpoint(t.Context(), &iot.DescribeEndpointInput{EndpointType: aws.String("iot:Nothing")}); !isInvalid(err) {
		t.Errorf("an unknown type: got %v", err)
	}
}

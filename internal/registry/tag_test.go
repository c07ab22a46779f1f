package registry_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/registry"
	"muster/internal/store"
	"muster/internal/thing"
)

type tags = []thing.Tag

func tag(key, value string) thing.Tag { return thing.Tag{Key: key, Value: value} }

// job stores a job, which the engine would do.
func (b *bench) job(t *testing.T, id string) job.Job {
	t.Helper()
	now := b.clock.ms.Load()
	j := job.New(job.Spec{ID: id, Document: "{}", Selection: job.Snapshot}, b.config.UIDs.Next(now), now)
	ok(t, b.store.Update(t.Context(), func(tx store.Tx) error { return tx.InsertJob(j, "{}") }))
	return j
}

func TestTags(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.job(t, "j1")
	_, err := b.CreateThingType(ctx, operator, thing.TypeSpec{Name: "lamp"}, tags{tag("made", "yes")})
	ok(t, err)
	in := groupInput("g", "", thing.GroupSpec{})
	in.Tags = tags{tag("made", "yes")}
	_, err = b.CreateThingGroup(ctx, operator, in)
	ok(t, err)
	for _, tt := range []struct {
		arn  string
		made tags // with the resource
	}{
		{arn("job", "j1"), nil},
		{arn("thingtype", "lamp"), tags{tag("made", "yes")}},
		{arn("thinggroup", "g"), tags{tag("made", "yes")}},
	} {
		t.Run(tt.arn, func(t *testing.T) {
			t.Parallel()
			has := func(want tags) {
				t.Helper()
				got, err := b.ListTagsForResource(ctx, operator, tt.arn, "")
				ok(t, err)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			}
			has(tt.made)
			ok(t, b.TagResource(ctx, operator, tt.arn, tags{tag("z", "1"), tag("made", "no")}))
			has(tags{tag("made", "no"), tag("z", "1")})
			ok(t, b.UntagResource(ctx, operator, tt.arn, nil))
			ok(t, b.UntagResource(ctx, operator, tt.arn, []string{"made", "unknown"}))
			has(tags{tag("z", "1")})
			var many tags
			for i := range 49 {
				many = append(many, thing.Tag{Key: fmt.Sprintf("k%d", i)})
			}
			ok(t, b.TagResource(ctx, operator, tt.arn, many))
			refused(t, b.TagResource(ctx, operator, tt.arn, tags{tag("one", "")}), apierr.LimitExceeded, "limit of 50")
		})
	}
}

func TestTagsAreRefused(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.things(t, "t1")
	tests := []struct {
		name string
		arn  string
		kind apierr.Kind
		word string
	}{
		{"things have no tags", arn("thing", "t1"), apierr.Invalid, "thing cannot have tags"},
		{"certificates have no tags", arn("cert", "c"), apierr.Invalid, "cert cannot have tags"},
		{"an unknown job is not found", arn("job", "none"), apierr.NotFound, "none"},
		{"an unknown group is not found", arn("thinggroup", "none"), apierr.NotFound, "none"},
		{"an unknown type is not found", arn("thingtype", "none"), apierr.NotFound, "none"},
		{"another region is refused", "arn:aws:iot:eu-west-1:" + account + ":job/j", apierr.Invalid, "resourceArn"},
		{"what is no ARN is refused", "j", apierr.Invalid, "resourceArn"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			refused(t, b.TagResource(ctx, operator, tt.arn, tags{tag("k", "")}), tt.kind, tt.word)
			refused(t, b.UntagResource(ctx, operator, tt.arn, []string{"k"}), tt.kind, tt.word)
			_, err := b.ListTagsForResource(ctx, operator, tt.arn, "")
			refused(t, err, tt.kind, tt.word)
		})
	}
	b.groups(t, "g")
	_, err := b.ListTagsForResource(ctx, operator, arn("thinggroup", "g"), "x")
	refused(t, err, apierr.Invalid, "nextToken")
}

// Tags that a resource cannot have keep it from being made.
func TestTagsAndResourceAreMadeTogether(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	in := groupInput("g", "", thing.GroupSpec{})
	for i := range 51 {
		in.Tags = append(in.Tags, tag(fmt.Sprintf("k%d", i), ""))
	}
	_, err := b.CreateThingGroup(ctx, operator, in)
	refused(t, err, apierr.LimitExceeded, "limit of 50")
	_, err = b.DescribeThingGroup(ctx, operator, "g")
	refused(t, err, apierr.NotFound, "g")
}

// Who is made again under an old name inherits no tags.
func TestTagsGoWithTheirResource(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t, func(c *registry.Config) { c.DeleteTypeWait = time.Minute }), t.Context()
	in := groupInput("g", "", thing.GroupSpec{})
	in.Tags = tags{tag("k", "v")}
	group, err := b.CreateThingGroup(ctx, operator, in)
	ok(t, err)
	typ, err := b.CreateThingType(ctx, operator, thing.TypeSpec{Name: "lamp"}, in.Tags)
	ok(t, err)
	ok(t, b.DeleteThingGroup(ctx, operator, "g", nil))
	ok(t, b.DeprecateThingType(ctx, operator, "lamp", false))
	b.clock.advance(time.Minute)
	ok(t, b.DeleteThingType(ctx, operator, "lamp"))
	b.read(t, func(rd store.Reader) error {
		for _, key := range []string{thing.TagResource(thing.GroupKind, group.UID), thing.TagResource(thing.TypeKind, typ.UID)} {
			left, err := rd.Tags(key)
			if err != nil {
				return err
			}
			if len(left) > 0 {
				t.Errorf("tags of %s are left: %v", key, left)
			}
		}
		return nil
	})
	b.groups(t, "g")
	got, err := b.ListTagsForResource(ctx, operator, arn("thinggroup", "g"), "")
	ok(t, err)
	if len(got) > 0 {
		t.Errorf("got inherited tags %v", got)
	}
}

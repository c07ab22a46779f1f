package mqtt_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/internal/mqtt"
)

func TestMatches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true},
		{"a/b", "a/b/", false},
		{"a/b", "a", false},
		{"a/+", "a/b", true},
		{"a/+", "a/", true},
		{"a/+", "a", false},
		{"a/+/c", "a/b/c", true},
		{"+", "a", true},
		{"+", "/a", false},
		{"+/+", "/a", true},
		{"#", "a/b", true},
		{"a/#", "a/b/c", true},
		{"a/#", "a/", true},
		{"a/#", "a", false}, // unlike the standard's
		{"#", "$aws/x", false},
		{"+/x", "$aws/x", false},
		{"$aws/+", "$aws/x", true},
		{"$aws/#", "$aws/x/y", true},
		{"aws/#", "$aws/x", false},
	} {
		if got := mqtt.Matches(c.filter, c.topic); got != c.want {
			t.Errorf("%s matches %s: got %v", c.filter, c.topic, got)
		}
		var tree mqtt.Tree
		tree.Subscribe(c.filter, 1)
		if who, _ := tree.Match(c.topic); (len(who) == 1) != c.want {
			t.Errorf("tree with %s asked for %s: got %v", c.filter, c.topic, who)
		}
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]bool{
		"a": true, "/": true, "a//b": true, "+/a/#": true, "$share/g/a/#": true, "$share/g//a": true, "$shared": true,
		"": false, "a/#/b": false, "a#": false, "#a": false, "a+": false, "a/+b": false, "a\x00": false, "\xff": false,
		"$share/g": false, "$share/g/": false, "$share//a": false, "$share/+/a": false,
		"$share/" + strings.Repeat("g", 128) + "/a": true, "$share/" + strings.Repeat("g", 129) + "/a": false,
	} {
		if got := mqtt.ValidFilter(filter); got != want {
			t.Errorf("%q: got %v", filter, got)
		}
	}
}

// TestTreeAgreesWithAList holds the tree against a list of filters.
func TestTreeAgreesWithAList(t *testing.T) {
	t.Parallel()
	level := rapid.SampledFrom([]string{"a", "b", "", "$aws"})
	rapid.Check(t, func(t *rapid.T) {
		var tree mqtt.Tree
		type sub struct {
			filter string
			who    int
		}
		model := map[sub]bool{}
		text := func(wild bool) string {
			levels := rapid.SliceOfN(level, 1, 4).Draw(t, "levels")
			for i := range levels {
				if wild && rapid.IntRange(0, 3).Draw(t, "plus") == 0 {
					levels[i] = "+"
				}
			}
			if wild && rapid.IntRange(0, 3).Draw(t, "hash") == 0 {
				levels = append(levels, "#")
			}
			return strings.Join(levels, "/")
		}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			f, who := text(true), rapid.IntRange(0, 40).Draw(t, "who")
			share := rapid.SampledFrom([]string{"", "", "$share/g/"}).Draw(t, "share")
			if f == "" {
				continue
			}
			if rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
				if got := tree.Unsubscribe(share+f, who); got != model[sub{share + f, who}] {
					t.Fatalf("unsubscribe %s %d: got %v", share+f, who, got)
				}
				delete(model, sub{share + f, who})
				continue
			}
			tree.Subscribe(share+f, who)
			model[sub{share + f, who}] = true
		}
		for range 5 {
			topic := text(false)
			var want []int
			groups := map[string][]int{}
			for s := range model {
				if rest, ok := strings.CutPrefix(s.filter, "$share/g/"); ok {
					if mqtt.Matches(rest, topic) {
						groups[rest] = append(groups[rest], s.who)
					}
				} else if mqtt.Matches(s.filter, topic) {
					want = append(want, s.who)
				}
			}
			got, gotGroups := tree.Match(topic)
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", topic, diff)
			}
			key := func(g []int) string { slices.Sort(g); return fmt.Sprint(g) }
			var a, b []string
			for _, g := range groups {
				a = append(a, key(g))
			}
			for _, g := range gotGroups {
				b = append(b, key(g))
			}
			slices.Sort(a)
			slices.Sort(b)
			if diff := cmp.Diff(a, b); diff != "" {
				t.Fatalf("groups of %s (-want +got):\n%s", topic, diff)
			}
		}
		if tree.Len() != len(model) {
			t.Fatalf("%d subscriptions, want %d", tree.Len(), len(model))
		}
		for s := range maps.Keys(model) {
			tree.Unsubscribe(s.filter, s.who)
		}
		if !tree.Empty() || tree.Len() != 0 {
			t.Fatal("something is kept of filters that nobody subscribes to")
		}
	})
}

func TestTreeIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	var tree mqtt.Tree
	var wg sync.WaitGroup
	for who := range 8 {
		wg.Go(func() {
			for i := range 300 {
				f := fmt.Sprintf("a/%d/+", i%7)
				tree.Subscribe(f, who)
				tree.Match("a/3/x")
				tree.Unsubscribe(f, who)
			}
		})
	}
	wg.Wait()
	if !tree.Empty() {
		t.Error("something is left")
	}
}

func BenchmarkTreeMatch(b *testing.B) {
	for _, devices := range []int{100, 10_000} {
		var tree mqtt.Tree
		for i := range devices {
			for _, f := range []string{"notify", "notify-next", "get/+", "start-next/+", "+/update/+"} {
				tree.Subscribe(fmt.Sprintf("$aws/things/thing-%d/jobs/%s", i, f), i)
			}
		}
		tree.Subscribe("$aws/things/+/jobs/notify", devices)
		b.Run(fmt.Sprintf("%d devices", devices), func(b *testing.B) {
			topic := fmt.Sprintf("$aws/things/thing-%d/jobs/notify", devices/2)
			b.ReportAllocs()
			for b.Loop() {
				if !tree.Walk(topic) {
					b.Fatal("nobody")
				}
			}
		})
	}
}

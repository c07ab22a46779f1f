package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/httpapi"
)

func TestMessagesOfManyNodesAreOneList(t *testing.T) {
	t.Parallel()
	list := func(seqs ...int64) []httpapi.Message {
		var ms []httpapi.Message
		for _, seq := range seqs {
			ms = append(ms, httpapi.Message{Seq: seq})
		}
		return ms
	}
	tests := []struct {
		name    string
		all     []kept
		want    []httpapi.Message
		missing bool
	}{
		{"nobody knows of the thing", []kept{{}, {}}, nil, false},
		{"nobody knows what came before", []kept{{Missing: true}, {}}, nil, true},
		{"in order of their numbers", []kept{{Messages: list(2, 5)}, {Messages: list(1, 3, 9)}}, list(1, 2, 3, 5, 9), false},
		{"who knows nothing misses nothing", []kept{{Missing: true}, {Messages: list(4)}}, list(4), false},
		{"who knows something may miss more", []kept{{}, {Messages: list(4), Missing: true}}, list(4), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, missing := merge(tt.all)
			if diff := cmp.Diff(tt.want, got); diff != "" || missing != tt.missing {
				t.Errorf("missing %t, messages (-want +got):\n%s", missing, diff)
			}
		})
	}
}

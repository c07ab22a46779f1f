package client_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/client"
	"muster/internal/wire"
)

// listing starts a server that has n things, pages of maxResults of them, and a
// page without things before each, as a filter may make it. From token bad on
// it repeats itself.
func listing(t *testing.T, n, bad int) *client.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size, err := strconv.Atoi(r.FormValue("maxResults"))
		if err != nil {
			t.Error(err)
		}
		token := 0
		if s := r.FormValue("nextToken"); s != "" {
			if token, err = strconv.Atoi(s); err != nil {
				w.Header().Set("X-Amzn-Errortype", "InvalidRequestException")
				w.WriteHeader(http.StatusBadRequest)
				return
			}
		}
		var out wire.ListThingsInThingGroupResponse
		if token%2 == 1 { // pages with things
			for i := token / 2 * size; i < min(n, (token/2+1)*size); i++ {
				out.Things = append(out.Things, strconv.Itoa(i))
			}
		}
		switch {
		case token == bad:
			out.NextToken = strconv.Itoa(token)
		case token%2 == 0 || (token/2+1)*size < n:
			out.NextToken = strconv.Itoa(token + 1)
		}
		if err := json.NewEncoder(w).Encode(out); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return newClient(t, server.URL)
}

func TestPagersYieldEverythingOnce(t *testing.T) {
	t.Parallel()
	c := listing(t, 7, -1)
	list := c.ThingsInThingGroup(t.Context(), wire.ListThingsInThingGroupRequest{ThingGroupName: "g", MaxResults: 3})
	want := []string{"0", "1", "2", "3", "4", "5", "6"}
	var wg sync.WaitGroup
	for range 4 { // one list may be walked by several, and again
		wg.Go(func() {
			var got []string
			for name, err := range list {
				if err != nil {
					t.Error(err)
				}
				got = append(got, name)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("things (-want +got):\n%s", diff)
			}
		})
	}
	wg.Wait()
}

func TestPagersStop(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		token string
		bad   int
		most  int // things that are taken
		want  []string
		err   string
	}{
		{"when nobody listens any more", "", -1, 4, []string{"0", "1", "2", "3"}, ""},
		{"at the end, wherever they start", "5", -1, 100, []string{"6"}, ""},
		{"when the server does not go on", "", 2, 100, []string{"0", "1", "2"}, "client: the list does not go on: the server repeats a page's token"},
		{"when a page is refused", "x", -1, 100, nil, "ListThingsInThingGroup: InvalidRequestException: Bad Request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			var last error
			in := wire.ListThingsInThingGroupRequest{ThingGroupName: "g", MaxResults: 3, NextToken: tt.token}
			for name, err := range listing(t, 7, tt.bad).ThingsInThingGroup(t.Context(), in) {
				if last = err; err != nil {
					continue // there must not be another
				}
				if got = append(got, name); len(got) == tt.most {
					break
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("things (-want +got):\n%s", diff)
			}
			if last == nil && tt.err != "" || last != nil && last.Error() != tt.err {
				t.Errorf("got %v, want %q", last, tt.err)
			}
		})
	}
}

// TestPagersReadTheirOwnList shows that each pager asks for its list and finds
// its elements there.
func TestPagersReadTheirOwnList(t *testing.T) {
	t.Parallel()
	tests := []struct {
		target, answer, want string
		read                 func(*client.Client) (string, error)
	}{
		{"/jobs?status=COMPLETED", `{"jobs":[{"jobId":"a"}]}`, "a", func(c *client.Client) (s string, err error) {
			for x, e := range c.Jobs(t.Context(), wire.ListJobsRequest{Status: "COMPLETED"}) {
				s, err = s+x.JobID, e
			}
			return s, err
		}},
		{"/jobs/j/things", `{"executionSummaries":[{"thingArn":"a"}]}`, "a", func(c *client.Client) (s string, err error) {
			for x, e := range c.JobExecutions(t.Context(), wire.ListJobExecutionsForJobRequest{JobID: "j"}) {
				s, err = s+x.ThingARN, e
			}
			return s, err
		}},
		{"/things/t/jobs", `{"executionSummaries":[{"jobId":"a"}]}`, "a", func(c *client.Client) (s string, err error) {
			for x, e := range c.ThingExecutions(t.Context(), wire.ListJobExecutionsForThingRequest{ThingName: "t"}) {
				s, err = s+x.JobID, e
			}
			return s, err
		}},
		{"/things", `{"things":[{"thingName":"a"}]}`, "a", func(c *client.Client) (s string, err error) {
			for x, e := range c.Things(t.Context(), wire.ListThingsRequest{}) {
				s, err = s+x.ThingName, e
			}
			return s, err
		}},
		{"/thing-groups", `{"thingGroups":[{"groupName":"a"}]}`, "a", func(c *client.Client) (s string, err error) {
			for x, e := range c.ThingGroups(t.Context(), wire.ListThingGroupsRequest{}) {
				s, err = s+x.GroupName, e
			}
			return s, err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.target, func(t *testing.T) {
			t.Parallel()
			var got seen
			s, err := tt.read(newClient(t, listen(t, &got, tt.answer).URL))
			if err != nil || s != tt.want || got.Target != tt.target {
				t.Errorf("got %q, %v from %s", s, err, got.Target)
			}
		})
	}
}

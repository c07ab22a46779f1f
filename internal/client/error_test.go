package client_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/client"
)

// respond is a step that answers with all that is given.
func respond(status int, header http.Header, body string) step {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

func TestErrorsAreDecoded(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		header http.Header
		body   string
		want   client.Error
		text   string
	}{
		{"as Muster sends them", 404,
			http.Header{"X-Amzn-Errortype": {"ResourceNotFoundException"}, "X-Amzn-Requestid": {"r-1"}}, `{"message":"Thing t not found"}`,
			client.Error{Status: 404, Code: "ResourceNotFoundException", Message: "Thing t not found", RequestID: "r-1"},
			"DescribeThing: ResourceNotFoundException: Thing t not found (request r-1)"},
		{"with a URL behind the code", 409, http.Header{"X-Amzn-Errortype": {"ConflictException:http://x"}}, `{"Message":"m"}`,
			client.Error{Status: 409, Code: "ConflictException", Message: "m"}, "DescribeThing: ConflictException: m"},
		{"with a namespace in the body", 400, nil, `{"__type":"com.amazon.iot#InvalidRequestException","message":"m"}`,
			client.Error{Status: 400, Code: "InvalidRequestException", Message: "m"}, "DescribeThing: InvalidRequestException: m"},
		{"with a code in the body", 400, nil, `{"code":"InvalidRequestException"}`,
			client.Error{Status: 400, Code: "InvalidRequestException", Message: "Bad Request"}, "DescribeThing: InvalidRequestException: Bad Request"},
		{"of a proxy", 403, nil, "<html>\n  go \xffaway",
			client.Error{Status: 403, Message: "<html> go away"}, "DescribeThing: HTTP 403: <html> go away"},
		{"of a proxy that talks much", 403, nil, strings.Repeat("x", 1000),
			client.Error{Status: 403, Message: strings.Repeat("x", 200)}, "DescribeThing: HTTP 403: " + strings.Repeat("x", 200)},
		{"without a word", 403, nil, "", client.Error{Status: 403, Message: "Forbidden"}, "DescribeThing: HTTP 403: Forbidden"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, _ := scripted(t, respond(tt.status, tt.header, tt.body))
			err := get(t.Context(), c)
			got, ok := errors.AsType[*client.Error](err)
			if !ok {
				t.Fatalf("got %v, want a *client.Error", err)
			}
			if diff := cmp.Diff(tt.want, *got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if err.Error() != tt.text || client.Code(err) != tt.want.Code {
				t.Errorf("got %q with code %q, want %q", err, client.Code(err), tt.text)
			}
		})
	}
}

func TestAnswersThatCannotBeUnderstood(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body, want string
	}{
		{"no JSON", "<html>", "DescribeThing: client: answer of GET /things/t: invalid character"},
		{"too long", strings.Repeat(" ", 17<<20), "DescribeThing: client: answer of GET has more than 16777216 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, s := scripted(t, respond(200, nil, tt.body))
			err := get(t.Context(), c)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || client.Code(err) != "" || s.sent != 1 {
				t.Errorf("got %v after %d requests, want %s after one", err, s.sent, tt.want)
			}
		})
	}
}

package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"muster/internal/auth/sigv4"
)

func TestReadAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, answer, want string
	}{
		{"success", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", ""},
		{"header names in any case", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", ""},
		{"a refusal says why", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone", "HTTP/1.1 404 Not Found: gone"},
		{"no length", "HTTP/1.1 200 OK\r\n\r\n{}", "no Content-Length"},
		{"cut off", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}", "EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := bufio.NewReader(strings.NewReader(c.answer))
			err := readAnswer(r)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("got %v, want success", err)
			case c.want == "" && r.Buffered() > 0:
				t.Errorf("%d bytes of the answer are left", r.Buffered())
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// What the devices send is a request that a real server understands and a real
// verifier believes, several times on one connection.
func TestConnectionSendsSignedRequests(t *testing.T) {
	t.Parallel()
	key := sigv4.Credentials{KeyID: "AKIABENCH", Secret: "not a secret"}
	v, err := sigv4.NewVerifier(sigv4.Config{
		Secret: func(context.Context, string) (string, error) { return key.Secret, nil }, Region: region, Account: account,
	})
	if err != nil {
		t.Fatal(err)
	}
	var bodies []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, r.URL.Path+" "+string(body))
		bareHandler{v}.ServeHTTP(w, rewound(r, body))
	}))
	defer s.Close()
	c, err := dial(t.Context(), target{address: s.Listener.Addr().String(), key: key, signer: new(sigv4.Signer)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for i := range 2 {
		if err := c.update(appendUpdatePath(nil, 7*i), appendUpdateBody(nil, 95*i)); err != nil {
			t.Fatal(err)
		}
	}
	want := `/things/device-0000000/jobs/firmware-2026-11 {"status":"IN_PROGRESS","statusDetails":{"progress":"10","step":"download"}}` + "\n" +
		`/things/device-0000007/jobs/firmware-2026-11 {"status":"IN_PROGRESS","statusDetails":{"progress":"15","step":"download"}}`
	if got := strings.Join(bodies, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func rewound(r *http.Request, body []byte) *http.Request {
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	return r
}

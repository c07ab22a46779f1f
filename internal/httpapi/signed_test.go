package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"muster/internal/auth"
	"muster/internal/auth/sigv4"
)

// signed is the API behind the real verifier, and an access key for it.
type signed struct {
	*world
	api    http.Handler
	key    sigv4.Credentials
	signer sigv4.Signer
}

func newSigned(t *testing.T) *signed {
	t.Helper()
	w := newWorld(t)
	k, secret, err := w.registry.CreateKey(t.Context(), auth.Principal{}, "test")
	if err != nil {
		t.Fatal(err)
	}
	v, err := sigv4.NewVerifier(sigv4.Config{Secret: w.registry.Secret, Region: "us-east-1", AnyRegion: true, Account: account})
	if err != nil {
		t.Fatal(err)
	}
	return &signed{world: w, api: w.api(v), key: sigv4.Credentials{KeyID: k.ID, Secret: secret}}
}

// call sends a request signed for a service and a region, or unsigned if there
// is no service, and returns the status, the exception and the body.
func (s *signed) call(service, region, method, target, body string) (int, string, string) {
	s.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if service != "" {
		if err := s.signer.Sign(r, []byte(body), s.key, region, service, time.Now()); err != nil {
			s.t.Fatal(err)
		}
	}
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, r)
	return w.Code, w.Header().Get("X-Amzn-Errortype"), w.Body.String()
}

func TestSignedRequests(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	tests := []struct {
		name, service, region, method, target, body string
		status                                      int
		exception                                   string
		want                                        string // in the body
	}{
		{"an operator is served", "iot", "us-east-1", "POST", "/things/a:b", "", 200, "", `"thingArn":"arn:aws:iot:us-east-1:123456789012:thing/a:b"`},
		{"another region is served under its own name", "iot", "eu-central-1", "GET", "/things/a%3Ab", "", 200, "", `"thingArn":"arn:aws:iot:eu-central-1:123456789012:thing/a:b"`},
		{"targets are of the region asked", "iot", "eu-central-1", "PUT", "/jobs/j1", `{"targets":["arn:aws:iot:us-east-1:123456789012:thing/a:b"],"document":"{}"}`, 400, "InvalidRequestException", "eu-central-1"},
		{"a job is named in the region asked", "iot", "eu-central-1", "PUT", "/jobs/j1", `{"targets":["arn:aws:iot:eu-central-1:123456789012:thing/a:b"],"document":"{}"}`, 200, "", `"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/j1"`},
		{"its targets are in the region asked", "iot", "us-east-1", "GET", "/jobs/j1", "", 200, "", `"targets":["arn:aws:iot:us-east-1:123456789012:thing/a:b"]`},
		{"a device starts by the literal name", "iot-jobs-data", "us-east-1", "PUT", "/things/a%3Ab/jobs/$next", "{}", 200, "", `"status":"IN_PROGRESS"`},
		{"a device asks by the escaped name", "iot-jobs-data", "us-east-1", "GET", "/things/a%3Ab/jobs/%24next?includeJobDocument=true", "", 200, "", `"jobDocument":"{}"`},
		{"keys are an operator's", "iot", "us-east-1", "GET", "/muster/v1/keys", "", 200, "", `"name":"test"`},
		{"who signs nothing is told nothing", "", "", "GET", "/jobs", "", 403, "MissingAuthenticationTokenException", "Missing Authentication Token"},
		{"nor where there is nothing", "", "", "GET", "/nope", "", 403, "MissingAuthenticationTokenException", ""},
		{"nor of keys", "", "", "GET", "/muster/v1/keys", "", 403, "MissingAuthenticationTokenException", ""},
		{"a path that only devices use refuses as their plane does", "", "", "POST", "/things/t/jobs/j", `{"status":"FAILED"}`, 403, "ForbiddenException", `"traceId":`},
		{"a service that nobody serves is refused", "s3", "us-east-1", "GET", "/jobs", "", 403, "InvalidSignatureException", "correct service: 'iot'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, exception, body := s.call(tt.service, tt.region, tt.method, tt.target, tt.body)
			if status != tt.status || exception != tt.exception || !strings.Contains(body, tt.want) {
				t.Errorf("got %d %s %s, want %d %s with %s", status, exception, body, tt.status, tt.exception, tt.want)
			}
		})
	}
}

// TestADisabledKeyIsOutAtOnce disables the key that signs, by its own request.
func TestADisabledKeyIsOutAtOnce(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	if status, _, body := s.call("iot", "us-east-1", "POST", "/muster/v1/keys/"+s.key.KeyID+"/disable?force=true", ""); status != 200 {
		t.Fatalf("got %d %s", status, body)
	}
	for service, want := range map[string]string{"iot": "UnrecognizedClientException", "iot-jobs-data": "ForbiddenException"} {
		status, exception, body := s.call(service, "us-east-1", "GET", "/things/t/jobs", "")
		if status != 403 || exception != want {
			t.Errorf("%s: got %d %s %s, want 403 %s", service, status, exception, body, want)
		}
	}
}

package e2e_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"muster/internal/client"
	"muster/test/internal/harness"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/smithy-go"
)

// account is the account of every ARN of a server that was told no other.
const account = "123456789012"

// stack is a server with the clients of AWS: v2 of their SDK for operators and,
// because v2 has no module of it, v1 for devices.
type stack struct {
	*harness.Server
	iot  *iot.Client
	jobs *dataPlane
}

// newStack starts a server for a test.
func newStack(t *testing.T, args ...string) *stack {
	t.Helper()
	s := harness.Serve(t, program, harness.Config{Args: args})
	return &stack{s, iot.New(operator(t, s)), device(t, s, nil)}
}

// operator returns the options of a control plane client.
func operator(t *testing.T, s *harness.Server) iot.Options {
	t.Helper()
	c, err := s.Credentials()
	if err != nil {
		t.Fatal(err)
	}
	return iot.Options{
		BaseEndpoint: aws.String(s.URL()), Region: harness.Region,
		Credentials: credentials.NewStaticCredentialsProvider(c.KeyID, c.Secret, ""),
	}
}

// own returns a client of Muster's own, which is faster.
func own(t *testing.T, s *harness.Server) *client.Client {
	t.Helper()
	c, err := s.Client(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// fault is what an AWS client tells of an answer that is an error.
type fault struct {
	status              int
	code, text, request string
}

// faultOf returns what v2 of the SDK tells. ok is false if there was no answer.
func faultOf(err error) (f fault, ok bool) {
	e, ok := errors.AsType[smithy.APIError](err)
	r, answered := errors.AsType[*awshttp.ResponseError](err)
	if !ok || !answered {
		return fault{}, false
	}
	return fault{r.HTTPStatusCode(), e.ErrorCode(), e.ErrorMessage(), r.ServiceRequestID()}, true
}

// check ends the test if err is not nil. what says what has failed.
func check(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func thingARN(name string) string { return arn("thing/" + name) }

func groupARN(name string) string { return arn("thinggroup/" + name) }

func jobARN(id string) string { return arn("job/" + id) }

func arn(resource string) string {
	return "arn:aws:iot:" + harness.Region + ":" + account + ":" + resource
}

// numbered returns names like "device-7".
func numbered(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = prefix + strconv.Itoa(i)
	}
	return names
}

// recent reports whether a time that a server tells is one of this test.
func recent(t *time.Time) bool {
	return t != nil && time.Since(*t).Abs() < 10*time.Minute
}

package e2e_test

import (
	"errors"
	"testing"

	"muster/test/internal/harness"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsv1 "github.com/aws/aws-sdk-go/aws"                //nolint:staticcheck // v2 has no module of the devices' service that could be downloaded
	"github.com/aws/aws-sdk-go/aws/awserr"               //nolint:staticcheck // as above
	"github.com/aws/aws-sdk-go/aws/credentials"          //nolint:staticcheck // as above
	"github.com/aws/aws-sdk-go/aws/request"              //nolint:staticcheck // as above
	"github.com/aws/aws-sdk-go/aws/session"              //nolint:staticcheck // as above
	"github.com/aws/aws-sdk-go/service/iotjobsdataplane" //nolint:staticcheck // as above
)

// The SDK of devices, which this file alone imports: v1, which AWS no longer
// develops, and of which their v2 lacks the module. Devices in the field use it.
type (
	dataPlane    = iotjobsdataplane.IoTJobsDataPlane
	describeNext = iotjobsdataplane.DescribeJobExecutionInput
	getPending   = iotjobsdataplane.GetPendingJobExecutionsInput
	startNext    = iotjobsdataplane.StartNextPendingJobExecutionInput
	updateInput  = iotjobsdataplane.UpdateJobExecutionInput
	updateOutput = iotjobsdataplane.UpdateJobExecutionOutput
	execution    = iotjobsdataplane.JobExecution
)

// device returns a data plane client, with other settings if more is not nil.
func device(t *testing.T, s *harness.Server, more *awsv1.Config) *dataPlane {
	t.Helper()
	c, err := s.Credentials()
	check(t, "credentials", err)
	ses, err := session.NewSession(&awsv1.Config{
		Endpoint: aws.String(s.URL()), Region: aws.String(harness.Region),
		Credentials: credentials.NewStaticCredentials(c.KeyID, c.Secret, ""),
	}, more)
	check(t, "session", err)
	return iotjobsdataplane.New(ses)
}

// details returns status details as the SDK wants them.
func details(m map[string]string) map[string]*string { return awsv1.StringMap(m) }

// next returns what $next is for a device, nil if nothing.
func (s *stack) next(t *testing.T, thing string) *execution {
	t.Helper()
	out, err := s.jobs.DescribeJobExecutionWithContext(t.Context(), &describeNext{ThingName: &thing, JobId: aws.String("$next")})
	check(t, "describe next", err)
	return out.Execution
}

// start starts the next execution of a device; nil if there is none.
func (s *stack) start(t *testing.T, thing string) *execution {
	t.Helper()
	out, err := s.jobs.StartNextPendingJobExecutionWithContext(t.Context(), &startNext{ThingName: &thing})
	check(t, "start next", err)
	return out.Execution
}

// update reports a status; with, if not nil, may change the request. It returns
// the error, for those who expect one.
func (s *stack) update(t *testing.T, thing, id, status string, with func(*updateInput)) (*updateOutput, error) {
	t.Helper()
	in := &updateInput{ThingName: &thing, JobId: &id, Status: &status}
	if with != nil {
		with(in)
	}
	return s.jobs.UpdateJobExecutionWithContext(t.Context(), in)
}

// report reports a status that must be taken.
func (s *stack) report(t *testing.T, thing, id, status string) {
	t.Helper()
	_, err := s.update(t, thing, id, status, nil)
	check(t, "update to "+status, err)
}

// The errors that the SDK has types for.

func isTransition(err error) bool {
	_, ok := errors.AsType[*iotjobsdataplane.InvalidStateTransitionException](err)
	return ok
}

func isInvalidForDevice(err error) bool {
	_, ok := errors.AsType[*iotjobsdataplane.InvalidRequestException](err)
	return ok
}

func isNotFoundForDevice(err error) bool {
	_, ok := errors.AsType[*iotjobsdataplane.ResourceNotFoundException](err)
	return ok
}

func isTerminal(err error) bool {
	_, ok := errors.AsType[*iotjobsdataplane.TerminalStateException](err)
	return ok
}

// deviceFault returns what the SDK tells of any answer that is an error: HTTP
// status, exception, text and request id. ok is false if there was no answer.
func deviceFault(err error) (f fault, ok bool) {
	e, ok := errors.AsType[awserr.RequestFailure](err)
	if !ok {
		return fault{}, false
	}
	return fault{e.StatusCode(), e.Code(), e.Message(), e.RequestID()}, true
}

// onSend calls fn with the method and the escaped path of each request that a client sends.
func onSend(c *dataPlane, fn func(method, path string)) {
	c.Handlers.Send.PushFront(func(r *request.Request) { fn(r.HTTPRequest.Method, r.HTTPRequest.URL.EscapedPath()) })
}

func inRegion(region string) *awsv1.Config { return &awsv1.Config{Region: &region} }

func withKey(id, secret string) *awsv1.Config {
	return &awsv1.Config{Credentials: credentials.NewStaticCredentials(id, secret, "")}
}

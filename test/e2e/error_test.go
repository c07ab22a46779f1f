package e2e_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

// TestErrorsForOperators goes through the errors of the control plane as the SDK
// sees them: status, type or name, and enough text to act upon.
func TestErrorsForOperators(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "pump")
	s.job(t, "j", nil, thingARN("pump"))
	job := func(with func(*iot.CreateJobInput)) error {
		in := &iot.CreateJobInput{JobId: aws.String("new"), Targets: []string{thingARN("pump")}, Document: aws.String("{}")}
		with(in)
		_, err := s.iot.CreateJob(t.Context(), in)
		return err
	}
	for _, test := range []struct {
		name   string
		do     func(context.Context) error
		status int
		code   string
		text   string // part of it
	}{
		{"a job without a document", func(context.Context) error {
			return job(func(in *iot.CreateJobInput) { in.Document = nil })
		}, 400, "InvalidRequestException", "document"},
		{"a document that is no JSON", func(context.Context) error {
			return job(func(in *iot.CreateJobInput) { in.Document = aws.String("{") })
		}, 400, "InvalidRequestException", "document"},
		{"a document that is too long", func(context.Context) error {
			return job(func(in *iot.CreateJobInput) { in.Document = aws.String(`"` + strings.Repeat("x", 32767) + `"`) })
		}, 400, "InvalidRequestException", "32768"},
		{"no target", func(context.Context) error {
			return job(func(in *iot.CreateJobInput) { in.Targets = []string{} })
		}, 400, "InvalidRequestException", "targets"},
		{"a target of another account", func(context.Context) error {
			return job(func(in *iot.CreateJobInput) { in.Targets = []string{"arn:aws:iot:us-east-1:000000000000:thing/pump"} })
		}, 400, "InvalidRequestException", "targets"},
		{"a target that does not exist", func(context.Context) error {
			return job(func(in *iot.CreateJobInput) { in.Targets = []string{groupARN("none")} })
		}, 404, "ResourceNotFoundException", "none"},
		{"too many targets", func(context.Context) error {
			return job(func(in *iot.CreateJobInput) { in.Targets = targets(101) })
		}, 410, "LimitExceededException", "100"},
		{"a job id with a space", func(context.Context) error {
			return job(func(in *iot.CreateJobInput) { in.JobId = aws.String("a b") })
		}, 400, "InvalidRequestException", "jobId"},
		{"a member that the engine does not act on", func(context.Context) error {
			return job(func(in *iot.CreateJobInput) {
				in.AbortConfig = &types.AbortConfig{CriteriaList: []types.AbortCriteria{{
					Action: types.AbortActionCancel, FailureType: types.JobExecutionFailureTypeAll,
					MinNumberOfExecutedThings: aws.Int32(1), ThresholdPercentage: aws.Float64(10),
				}}}
			})
		}, 400, "InvalidRequestException", "abortConfig"},
		{"a job that is there", func(context.Context) error {
			return job(func(in *iot.CreateJobInput) { in.JobId = aws.String("j") })
		}, 409, "ResourceAlreadyExistsException", "already exists"},
		{"a job that is not there", func(ctx context.Context) error {
			_, err := s.iot.DescribeJob(ctx, &iot.DescribeJobInput{JobId: aws.String("none")})
			return err
		}, 404, "ResourceNotFoundException", "none"},
		{"an execution that is not there", func(ctx context.Context) error {
			_, err := s.iot.DescribeJobExecution(ctx, &iot.DescribeJobExecutionInput{JobId: aws.String("none"), ThingName: aws.String("pump")})
			return err
		}, 404, "ResourceNotFoundException", ""},
		{"a page that is too large", func(ctx context.Context) error {
			_, err := s.iot.ListJobs(ctx, &iot.ListJobsInput{MaxResults: aws.Int32(251)})
			return err
		}, 400, "InvalidRequestException", "250"},
		{"a token of nobody", func(ctx context.Context) error {
			_, err := s.iot.ListJobs(ctx, &iot.ListJobsInput{NextToken: aws.String("nonsense")})
			return err
		}, 400, "InvalidRequestException", "nextToken"},
		{"a version of a thing that is not the current one", func(ctx context.Context) error {
			_, err := s.iot.UpdateThing(ctx, &iot.UpdateThingInput{ThingName: aws.String("pump"), ExpectedVersion: aws.Int64(7)})
			return err
		}, 409, "VersionConflictException", ""},
		{"a delete without force", func(ctx context.Context) error {
			_, err := s.iot.DeleteJob(ctx, &iot.DeleteJobInput{JobId: aws.String("j")})
			return err
		}, 409, "InvalidStateTransitionException", "force"},
		{"an operation that Muster does not have", func(ctx context.Context) error {
			_, err := s.iot.CreateJobTemplate(ctx, &iot.CreateJobTemplateInput{JobTemplateId: aws.String("t"), Description: aws.String("d")})
			return err
		}, 501, "NotImplementedException", "CreateJobTemplate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := test.do(t.Context())
			f, ok := faultOf(err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if f.status != test.status || f.code != test.code || !strings.Contains(f.text, test.text) {
				t.Errorf("got %+v, want %d %s with %q", f, test.status, test.code, test.text)
			}
			if len(f.request) != 36 {
				t.Errorf("request id: got %q", f.request)
			}
		})
	}
}

// targets returns ARNs of things, which need not exist.
func targets(n int) []string {
	all := numbered("thing-", n)
	for i, name := range all {
		all[i] = thingARN(name)
	}
	return all
}

// TestErrorTypesForOperators sees the SDK's own types, with their members.
func TestErrorTypesForOperators(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "pump")
	s.job(t, "j", nil, thingARN("pump"))

	_, err := s.iot.CreateJob(t.Context(), &iot.CreateJobInput{JobId: aws.String("j"), Targets: []string{thingARN("pump")}, Document: aws.String("{}")})
	exists, ok := errors.AsType[*types.ResourceAlreadyExistsException](err)
	if !ok || aws.ToString(exists.ResourceId) != "j" || aws.ToString(exists.ResourceArn) != jobARN("j") {
		t.Errorf("job: got %v, holder %+v", err, exists)
	}
	_, err = s.iot.CreateThing(t.Context(), &iot.CreateThingInput{
		ThingName: aws.String("pump"), AttributePayload: &types.AttributePayload{Attributes: map[string]string{"a": "1"}},
	})
	exists, ok = errors.AsType[*types.ResourceAlreadyExistsException](err)
	if !ok || aws.ToString(exists.ResourceArn) != thingARN("pump") || aws.ToString(exists.ResourceId) == "" {
		t.Errorf("thing: got %v, holder %+v", err, exists)
	}
	_, err = s.iot.CreateJob(t.Context(), &iot.CreateJobInput{JobId: aws.String("k"), Targets: targets(101), Document: aws.String("{}")})
	if _, ok := errors.AsType[*types.LimitExceededException](err); !ok {
		t.Errorf("limit: got %v", err)
	}
	_, err = s.iot.DescribeThing(t.Context(), &iot.DescribeThingInput{ThingName: aws.String("a/b")})
	if _, ok := errors.AsType[*types.InvalidRequestException](err); !ok {
		t.Errorf("a name with a slash: got %v", err)
	}
}

// TestErrorsForDevices goes through the errors of the data plane.
func TestErrorsForDevices(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "pump")
	s.job(t, "j", nil, thingARN("pump"))
	s.start(t, "pump")
	update := func(with func(*updateInput)) func(context.Context) error {
		return func(context.Context) error {
			_, err := s.update(t, "pump", "j", "IN_PROGRESS", with)
			return err
		}
	}
	describe := func(thing, job string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.jobs.DescribeJobExecutionWithContext(ctx, &describeNext{ThingName: &thing, JobId: &job})
			return err
		}
	}
	for _, test := range []struct {
		name string
		do   func(context.Context) error
		want fault
		is   func(error) bool
	}{
		{"a thing that is not there", describe("none", "$next"), fault{status: http.StatusNotFound, code: "ResourceNotFoundException"}, isNotFoundForDevice},
		{"a job that is not there", describe("pump", "none"), fault{status: http.StatusNotFound, code: "ResourceNotFoundException"}, isNotFoundForDevice},
		{"the queue of a thing that is not there", func(ctx context.Context) error {
			_, err := s.jobs.GetPendingJobExecutionsWithContext(ctx, &getPending{ThingName: aws.String("none")})
			return err
		}, fault{status: http.StatusNotFound, code: "ResourceNotFoundException"}, isNotFoundForDevice},
		{"an execution number that is not there", update(func(in *updateInput) { in.ExecutionNumber = aws.Int64(2) }),
			fault{status: http.StatusNotFound, code: "ResourceNotFoundException"}, isNotFoundForDevice},
		{"details that are too long", update(func(in *updateInput) { in.StatusDetails = details(map[string]string{"a": strings.Repeat("x", 1025)}) }),
			fault{status: http.StatusBadRequest, code: "InvalidRequestException"}, isInvalidForDevice},
		{"too many details", update(func(in *updateInput) {
			in.StatusDetails = make(map[string]*string)
			for _, name := range numbered("k", 11) {
				in.StatusDetails[name] = aws.String("v")
			}
		}), fault{status: http.StatusBadRequest, code: "InvalidRequestException"}, isInvalidForDevice},
		{"a timer of no minutes", update(func(in *updateInput) { in.StepTimeoutInMinutes = aws.Int64(0) }),
			fault{status: http.StatusBadRequest, code: "InvalidRequestException"}, isInvalidForDevice},
		{"a timer of more than a week", update(func(in *updateInput) { in.StepTimeoutInMinutes = aws.Int64(10081) }),
			fault{status: http.StatusBadRequest, code: "InvalidRequestException"}, isInvalidForDevice},
		{"a version that is not the current one", update(func(in *updateInput) { in.ExpectedVersion = aws.Int64(7) }),
			fault{status: http.StatusConflict, code: "InvalidStateTransitionException"}, isTransition},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := test.do(t.Context())
			f, ok := deviceFault(err)
			if !ok || f.status != test.want.status || f.code != test.want.code || !test.is(err) || f.text == "" || len(f.request) != 36 {
				t.Errorf("got %+v of %v, want %d %s", f, err, test.want.status, test.want.code)
			}
		})
	}
}

// TestStrictTerminal refuses devices that look back, where that was asked for.
func TestStrictTerminal(t *testing.T) {
	t.Parallel()
	s := newStack(t, "--strict-terminal")
	s.things(t, "pump")
	s.job(t, "j", nil, thingARN("pump"))
	s.report(t, "pump", "j", "SUCCEEDED")
	_, err := s.jobs.DescribeJobExecutionWithContext(t.Context(), &describeNext{ThingName: aws.String("pump"), JobId: aws.String("j")})
	if f, _ := deviceFault(err); !isTerminal(err) || f.status != http.StatusGone {
		t.Errorf("got %v", err)
	}
}

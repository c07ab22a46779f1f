package e2e_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"muster/test/internal/harness"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"
)

// signer signs as the SDK does, after what alter does to the request and by a
// clock that is off.
type signer struct {
	off   time.Duration
	alter func(*http.Request) // after signing; may be nil
}

func (s signer) SignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, hash, service, region string, at time.Time, opts ...func(*v4.SignerOptions)) error {
	err := v4.NewSigner().SignHTTP(ctx, c, r, hash, service, region, at.Add(s.off), opts...)
	if err == nil && s.alter != nil {
		s.alter(r)
	}
	return err
}

// TestRefusedSignatures sees each failure of authentication as the SDK does.
func TestRefusedSignatures(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	key, err := s.Credentials()
	check(t, "credentials", err)
	for _, test := range []struct {
		name string
		with func(*iot.Options)
		code string
		text string
	}{
		{"no credentials", func(o *iot.Options) { o.Credentials = aws.AnonymousCredentials{} },
			"MissingAuthenticationTokenException", "Missing Authentication Token"},
		{"a key that nobody has made", func(o *iot.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider("AKIAAAAAAAAAAAAAAAAA", key.Secret, "")
		}, "UnrecognizedClientException", "security token"},
		{"the wrong secret", func(o *iot.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider(key.KeyID, strings.Repeat("x", 40), "")
		}, "InvalidSignatureException", "does not match"},
		{"another region", func(o *iot.Options) { o.Region = "eu-west-1" },
			"InvalidSignatureException", "valid region"},
		{"a clock that is an hour late", func(o *iot.Options) { o.HTTPSignerV4 = signer{off: -time.Hour} },
			"InvalidSignatureException", "Signature expired"},
		{"a clock that is an hour early", func(o *iot.Options) { o.HTTPSignerV4 = signer{off: time.Hour} },
			"InvalidSignatureException", "Signature not yet current"},
		{"a path that was altered", func(o *iot.Options) {
			o.HTTPSignerV4 = signer{alter: func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/things/other", "" }}
		}, "InvalidSignatureException", "does not match"},
		{"a query that was altered", func(o *iot.Options) {
			o.HTTPSignerV4 = signer{alter: func(r *http.Request) { r.URL.RawQuery = "force=true" }}
		}, "InvalidSignatureException", "does not match"},
		{"a signature cut in half", func(o *iot.Options) {
			o.HTTPSignerV4 = signer{alter: func(r *http.Request) {
				h, _, _ := strings.Cut(r.Header.Get("Authorization"), ", Signature=")
				r.Header.Set("Authorization", h)
			}}
		}, "IncompleteSignatureException", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := iot.New(operator(t, s.Server), test.with).DescribeThing(t.Context(), &iot.DescribeThingInput{ThingName: aws.String("pump")})
			f, ok := faultOf(err)
			if !ok || f.status != http.StatusForbidden || f.code != test.code || !strings.Contains(f.text, test.text) {
				t.Errorf("got %v, want 403 %s with %q", err, test.code, test.text)
			}
		})
	}
}

// TestRefusedDevices are told so as the data plane does: one exception for all.
func TestRefusedDevices(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	for name, c := range map[string]*dataPlane{
		"another region":             device(t, s.Server, inRegion("eu-west-1")),
		"a key that nobody has made": device(t, s.Server, withKey("AKIAAAAAAAAAAAAAAAAA", strings.Repeat("x", 40))),
	} {
		_, err := c.GetPendingJobExecutionsWithContext(t.Context(), &getPending{ThingName: aws.String("pump")})
		if f, ok := deviceFault(err); !ok || f.status != http.StatusForbidden || f.code != "ForbiddenException" || f.text == "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// wrongClock is the world as a client sees it whose clock is off: the server's
// dates are from another time.
type wrongClock struct{ off time.Duration }

func (w wrongClock) Do(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return nil, err
	}
	resp.Header.Set("Date", at.Add(-w.off).UTC().Format(http.TimeFormat))
	return resp, nil
}

// TestWrongClockIsCorrected lets the SDK learn the time from the Date of a
// refusal, and try again.
func TestWrongClockIsCorrected(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	for _, off := range []time.Duration{-26 * time.Hour, time.Hour} {
		c := iot.New(operator(t, s.Server), func(o *iot.Options) {
			o.HTTPSignerV4, o.HTTPClient = signer{off: off}, wrongClock{off}
		})
		_, err := c.ListThings(t.Context(), &iot.ListThingsInput{})
		check(t, "with a clock that is off by "+off.String(), err)
	}
}

// TestAnyRegion serves each region under its own name, where that was asked for.
func TestAnyRegion(t *testing.T) {
	t.Parallel()
	s := newStack(t, "--any-region")
	s.things(t, "pump")
	c := iot.New(operator(t, s.Server), func(o *iot.Options) { o.Region = "eu-west-1" })
	out, err := c.DescribeThing(t.Context(), &iot.DescribeThingInput{ThingName: aws.String("pump")})
	check(t, "describe", err)
	want := "arn:aws:iot:eu-west-1:" + account + ":thing/pump"
	if *out.ThingArn != want {
		t.Errorf("got %s, want %s", *out.ThingArn, want)
	}
	_, err = c.CreateJob(t.Context(), &iot.CreateJobInput{JobId: aws.String("j"), Targets: []string{want}, Document: aws.String("{}")})
	check(t, "create job", err)
	s.queued(t, "pump", 1)
}

// TestPresignedRequest asks with the signature in the query, as a link does.
func TestPresignedRequest(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	key, err := s.Credentials()
	check(t, "credentials", err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/things?maxResults=1", nil)
	check(t, "request", err)
	const nobody = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // SHA-256 of no body
	link, _, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: key.KeyID, SecretAccessKey: key.Secret},
		req, nobody, "iot", harness.Region, time.Now())
	check(t, "presign", err)
	for suffix, want := range map[string]int{"": http.StatusOK, "&usePrefixAttributeValue=true": http.StatusForbidden} {
		status, body, err := s.Get(t.Context(), strings.TrimPrefix(link, s.URL())+suffix)
		if err != nil || status != want {
			t.Errorf("link%s: got %d %s %v, want %d", suffix, status, body, err, want)
		}
	}
}

package auth_test

import (
	"context"
	"encoding/base64"
	"regexp"
	"testing"

	"muster/internal/apierr"
	"muster/internal/auth"
)

var principal = auth.Principal{
	Kind: auth.AccessKey, ID: "AKIAZZZZZZZZ22222222", Account: "123456789012", Region: "us-east-1", Service: "iot",
}

func TestPrincipalARN(t *testing.T) {
	t.Parallel()
	if got, want := principal.ARN(), "arn:aws:iam::123456789012:user/AKIAZZZZZZZZ22222222"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAuthorizer(t *testing.T) {
	t.Parallel()
	const resource = "arn:aws:iot:us-east-1:123456789012:job/j"
	var anyone auth.Authorizer
	if err := anyone.Authorize(t.Context(), auth.Principal{}, "iot:CreateJob", resource); err != nil {
		t.Errorf("the nil Authorizer refused: %v", err)
	}
	nobody := auth.Authorizer(func(_ context.Context, p auth.Principal, action, resource string) error {
		return auth.Denied(p, action, resource)
	})
	err := nobody.Authorize(t.Context(), principal, "iot:CreateJob", resource)
	want := "User: arn:aws:iam::123456789012:user/AKIAZZZZZZZZ22222222 is not authorized to perform: iot:CreateJob on resource: " + resource
	if !apierr.Is(err, apierr.Denied) || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		auth.AccessKey.String():    "access key",
		auth.Kind(0).String():      "kind 0",
		auth.ControlPlane.String(): "control plane",
		auth.DataPlane.String():    "data plane",
		auth.Plane(0).String():     "no plane",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestPlaneOf(t *testing.T) {
	t.Parallel()
	want := map[string]auth.Plane{
		"iot": auth.ControlPlane, "execute-api": auth.ControlPlane,
		"iot-jobs-data": auth.DataPlane, "iotdata": auth.DataPlane, "iotdevicegateway": auth.DataPlane,
	}
	if got := len(auth.Services()); got != len(want) {
		t.Errorf("got %d services, want %d", got, len(want))
	}
	for _, service := range auth.Services() {
		if got, ok := auth.PlaneOf(service); !ok || got != want[service] {
			t.Errorf("%s: got %v, want %v", service, got, want[service])
		}
	}
	for _, service := range []string{"", "s3", "IOT"} {
		if got, ok := auth.PlaneOf(service); ok {
			t.Errorf("%q: got %v, want none", service, got)
		}
	}
}

func TestNewAccessKey(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^AKIA[A-Z2-7]{16}$`)
	seen := map[string]bool{}
	for range 100 {
		id, secret := auth.NewAccessKey()
		if !form.MatchString(id) {
			t.Errorf("id %s does not match %s", id, form)
		}
		if b, err := base64.StdEncoding.DecodeString(secret); err != nil || len(secret) != 40 || len(b) != 30 {
			t.Errorf("secret of %d characters, %d bytes, %v; want 40 characters, 30 bytes", len(secret), len(b), err)
		}
		if seen[id] || seen[secret] {
			t.Error("the same key twice")
		}
		seen[id], seen[secret] = true, true
	}
}

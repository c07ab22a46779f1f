package httpapi_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/httpapi"
)

func TestBothPlanesSpellEveryKind(t *testing.T) {
	t.Parallel()
	for _, plane := range []auth.Plane{auth.ControlPlane, auth.DataPlane} {
		for _, kind := range apierr.Kinds() {
			exception, status, ok := httpapi.Spelling(plane, kind)
			if !ok || !strings.HasSuffix(exception, "Exception") || status < 400 || status > 599 {
				t.Errorf("%v, %q: got %q, %d, %v", plane, kind, exception, status, ok)
			}
		}
	}
}

func TestWhereThePlanesDiffer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind          apierr.Kind
		control, data string
	}{
		{apierr.Throttled, "ThrottlingException 400", "ThrottlingException 429"},
		{apierr.VersionMismatch, "VersionConflictException 409", "InvalidStateTransitionException 409"},
		{apierr.InvalidTransition, "InvalidStateTransitionException 409", "InvalidStateTransitionException 409"},
		{apierr.Denied, "AccessDeniedException 403", "ForbiddenException 403"},
		{apierr.MissingToken, "MissingAuthenticationTokenException 403", "ForbiddenException 403"},
		{apierr.InvalidSignature, "InvalidSignatureException 403", "ForbiddenException 403"},
		{apierr.NotImplemented, "NotImplementedException 501", "NotImplementedException 501"},
		{apierr.UnknownOperation, "UnknownOperationException 404", "UnknownOperationException 404"},
		{apierr.Unavailable, "ServiceUnavailableException 503", "ServiceUnavailableException 503"},
		{apierr.Internal, "InternalFailureException 500", "InternalFailureException 500"},
	}
	for _, tt := range tests {
		for plane, want := range map[auth.Plane]string{auth.ControlPlane: tt.control, auth.DataPlane: tt.data} {
			exception, status, _ := httpapi.Spelling(plane, tt.kind)
			if got := exception + " " + strconv.Itoa(status); got != want {
				t.Errorf("%v, %q: got %s, want %s", plane, tt.kind, got, want)
			}
		}
	}
}

// Every exception of the published model that the server could tell is told by
// some kind, with the published status.
func TestSpellingsAgreeWithThePublishedModel(t *testing.T) {
	t.Parallel()
	never := map[string]string{
		"CertificateValidationException": "there is no authentication by certificate yet",
		"UnauthorizedException":          "refusals are told by the general errors, as real endpoints do",
	}
	told := map[auth.Plane]map[string]int{auth.ControlPlane: {}, auth.DataPlane: {}}
	for plane, exceptions := range told {
		for _, kind := range apierr.Kinds() {
			exception, status, _ := httpapi.Spelling(plane, kind)
			if before, ok := exceptions[exception]; ok && before != status {
				t.Errorf("%v: %s has the statuses %d and %d", plane, exception, before, status)
			}
			exceptions[exception] = status
		}
	}
	data, err := os.ReadFile("testdata/errors.tsv")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")[1:]
	for _, line := range lines {
		c := strings.Split(line, "\t")
		plane, ok := auth.PlaneOf(c[0])
		if !ok {
			t.Fatalf("%s: no plane", line)
		}
		if never[c[2]] != "" {
			continue
		}
		if got := strconv.Itoa(told[plane][c[2]]); got != c[3] {
			t.Errorf("%s %s: %s has status %s, want %s", c[0], c[1], c[2], got, c[3])
		}
	}
}

package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/mqtt"
)

// failing is an Authenticator that fails.
type failing struct{ err error }

func (f failing) Authenticate(*http.Request, []byte) (auth.Principal, error) {
	return auth.Principal{}, f.err
}

func TestOnlyBadCredentialsOfAWebSocketAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err     error
		refused bool
	}{
		"none":                  {apierr.New(apierr.MissingToken, "no credentials"), true},
		"a malformed signature": {apierr.New(apierr.IncompleteSignature, "half a signature"), true},
		"an unknown key":        {apierr.Wrap(apierr.UnknownKey, errors.New("not found"), "no such key"), true},
		"an old token":          {apierr.New(apierr.ExpiredToken, "expired"), true},
		"a wrong signature":     {apierr.New(apierr.InvalidSignature, "does not match"), true},
		"a full disk":           {apierr.New(apierr.Unavailable, "The service is temporarily unavailable."), false},
		"a fault":               {apierr.Wrap(apierr.Internal, errors.New("disk is gone"), "look up access key"), false},
		"a request given up":    {context.Canceled, false},
		"any other error":       {errors.New("what"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &devices{verifier: failing{c.err}}
			_, err := d.connect(t.Context(), &mqtt.ConnectRequest{ClientID: "c", HTTP: httptest.NewRequest(http.MethodGet, "/mqtt", nil)})
			_, refused := errors.AsType[mqtt.Refusal](err)
			if err == nil || refused != c.refused {
				t.Errorf("got %v, refused %v", err, refused)
			}
		})
	}
}

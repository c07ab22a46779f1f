package registry

import (
	"context"

	"muster/internal/apierr"
	"muster/internal/auth"
)

// DescribeEndpoint returns the host of an endpoint type, without scheme or port
// [iot-api, DescribeEndpoint]. All services live on one host; no type at all is
// the data endpoint, too.
func (r *Registry) DescribeEndpoint(ctx context.Context, p auth.Principal, endpointType string) (string, error) {
	if err := r.allowAny(ctx, p, "iot:DescribeEndpoint"); err != nil {
		return "", err
	}
	switch endpointType {
	case "", "iot:Data", "iot:Data-ATS", "iot:Jobs", "iot:CredentialProvider":
		return r.endpoint, nil
	default:
		return "", apierr.New(apierr.Invalid, "Endpoint type %s not recognized.", endpointType)
	}
}

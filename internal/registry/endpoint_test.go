package registry_test

import (
	"testing"

	"muster/internal/apierr"
	"muster/internal/registry"
)

func TestDescribeEndpoint(t *testing.T) {
	t.Parallel()
	r := registry.New(registry.Config{Endpoint: "iot.example.com"})
	for _, typ := range []string{"", "iot:Data", "iot:Data-ATS", "iot:Jobs", "iot:CredentialProvider"} {
		got, err := r.DescribeEndpoint(t.Context(), operator, typ)
		ok(t, err)
		if got != "iot.example.com" {
			t.Errorf("%q: got %q, want the host", typ, got)
		}
	}
	for _, typ := range []string{"iot:Data-Beta", "iot:DeviceAdvisor", "iot:data", "x"} {
		_, err := r.DescribeEndpoint(t.Context(), operator, typ)
		refused(t, err, apierr.Invalid, "Endpoint type "+typ+" not recognized.")
	}
}

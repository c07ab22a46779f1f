package httpapi

import (
	"net/http"
	"strings"

	"muster/internal/auth"
)

// claimedPlane returns the plane that a request says it was signed for. Nobody
// has verified that: it only selects how a failed authentication is told. A
// request that does not say is an operator's.
func claimedPlane(r *http.Request) auth.Plane {
	credential := r.URL.Query().Get("X-Amz-Credential")
	if credential == "" {
		_, credential, _ = strings.Cut(r.Header.Get("Authorization"), "Credential=")
		credential, _, _ = strings.Cut(credential, ",")
	}
	// key id, date, region, service, terminator
	if part := strings.Split(credential, "/"); len(part) > 3 {
		if p, ok := auth.PlaneOf(part[3]); ok {
			return p
		}
	}
	return auth.ControlPlane
}

// planeLabel returns a plane's name in logs and metrics.
func planeLabel(p auth.Plane) string {
	if p == auth.DataPlane {
		return "data"
	}
	return "control"
}

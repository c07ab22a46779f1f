package auth

// Plane is one of the two HTTP APIs. They share paths, so that on one address
// only the service that a request was signed for tells them apart.
type Plane uint8

// The planes. The zero value is no plane.
const (
	// ControlPlane is the API of operators: jobs, things, groups.
	ControlPlane Plane = iota + 1
	// DataPlane is the API of devices: their job executions, messages, WebSockets.
	DataPlane
)

// String returns the plane's name for logs.
func (p Plane) String() string {
	switch p {
	case ControlPlane:
		return "control plane"
	case DataPlane:
		return "data plane"
	default:
		return "no plane"
	}
}

// PlaneOf returns the plane that requests signed for service ask for, or false
// if Muster serves no such service. It takes every signing name that clients
// are known to use for a plane, not just the one of the operation's own API.
func PlaneOf(service string) (Plane, bool) {
	switch service {
	case "iot", "execute-api":
		return ControlPlane, true
	case "iot-jobs-data", "iotdata", "iotdevicegateway":
		return DataPlane, true
	default:
		return 0, false
	}
}

// Services returns every service that PlaneOf knows, the control plane's own
// name first. The caller owns the slice.
func Services() []string {
	return []string{"iot", "execute-api", "iot-jobs-data", "iotdata", "iotdevicegateway"}
}

package wire

// DescribeEndpointRequest asks where a service of the account is reached
// [iot-api, DescribeEndpoint]. Which types there are is the registry's to say.
type DescribeEndpointRequest struct {
	EndpointType string `json:"-" query:"endpointType" shape:"EndpointType"`
}

// DescribeEndpointResponse holds a host without scheme or port.
type DescribeEndpointResponse struct {
	EndpointAddress string `json:"endpointAddress"`
}

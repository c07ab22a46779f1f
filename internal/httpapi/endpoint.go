package httpapi

import "muster/internal/wire"

func (a *API) describeEndpoint(c *call, in *wire.DescribeEndpointRequest) (wire.DescribeEndpointResponse, error) {
	host, err := a.registry.DescribeEndpoint(c.ctx, c.principal, in.EndpointType)
	return wire.DescribeEndpointResponse{EndpointAddress: host}, err
}

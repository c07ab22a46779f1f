package httpapi

import (
	"muster/internal/registry"
	"muster/internal/thing"
	"muster/internal/wire"
)

func (a *API) createThing(c *call, in *wire.CreateThingRequest) (wire.CreateThingResponse, error) {
	spec := thing.Spec{Name: in.ThingName, Type: in.ThingTypeName, Attributes: attributeChange(in.AttributePayload).Set}
	t, err := a.registry.CreateThing(c.ctx, c.principal, registry.CreateThingInput{Spec: spec, BillingGroup: in.BillingGroupName})
	return wire.CreateThingResponse{ThingName: t.Name, ThingARN: c.arn(thing.ThingKind, t.Name), ThingID: t.ID}, err
}

func attributeChange(p *wire.AttributePayload) thing.AttributeChange {
	if p == nil {
		return thing.AttributeChange{}
	}
	return thing.AttributeChange{Set: p.Attributes, Merge: p.Merge}
}

func (a *API) describeThing(c *call, in *wire.DescribeThingRequest) (wire.DescribeThingResponse, error) {
	t, err := a.registry.DescribeThing(c.ctx, c.principal, in.ThingName)
	return wire.DescribeThingResponse{
		DefaultClientID: t.Name,
		ThingName:       t.Name,
		ThingID:         t.ID,
		ThingARN:        c.arn(thing.ThingKind, t.Name),
		ThingTypeName:   t.Type,
		Attributes:      t.Attributes,
		Version:         t.Version,
	}, err
}

func (a *API) updateThing(c *call, in *wire.UpdateThingRequest) (wire.Empty, error) {
	_, err := a.registry.UpdateThing(c.ctx, c.principal, in.ThingName, thing.Update{
		Type: in.ThingTypeName, RemoveType: in.RemoveThingType,
		Attributes: attributeChange(in.AttributePayload), ExpectedVersion: in.ExpectedVersion,
	})
	return wire.Empty{}, err
}

func (a *API) deleteThing(c *call, in *wire.DeleteThingRequest) (wire.Empty, error) {
	return wire.Empty{}, a.registry.DeleteThing(c.ctx, c.principal, in.ThingName, in.ExpectedVersion)
}

func (a *API) listThings(c *call, in *wire.ListThingsRequest) (wire.ListThingsResponse, error) {
	l := list("ListThings", in.AttributeName, in.AttributeValue, in.ThingTypeName, in.UsePrefixAttributeValue)
	page, err := l.page(in.NextToken, in.MaxResults)
	if err != nil {
		return wire.ListThingsResponse{}, err
	}
	things, err := a.registry.ListThings(c.ctx, c.principal, registry.ThingFilter{
		Attribute: in.AttributeName, Value: in.AttributeValue, Prefix: in.UsePrefixAttributeValue, Type: in.ThingTypeName,
	}, page)
	out := wire.ListThingsResponse{NextToken: l.token(things.Next)}
	for _, t := range things.Items {
		out.Things = append(out.Things, wire.ThingAttribute{
			ThingName:     t.Name,
			ThingTypeName: t.Type,
			ThingARN:      c.arn(thing.ThingKind, t.Name),
			Attributes:    t.Attributes,
			Version:       t.Version,
		})
	}
	return out, err
}

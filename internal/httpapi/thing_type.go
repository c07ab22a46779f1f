package httpapi

import (
	"muster/internal/thing"
	"muster/internal/wire"
)

func (a *API) createThingType(c *call, in *wire.CreateThingTypeRequest) (wire.CreateThingTypeResponse, error) {
	u := typeUpdate(in.ThingTypeProperties)
	spec := thing.TypeSpec{
		Name: in.ThingTypeName, Description: text(u.Description), Searchable: u.Searchable, Propagating: u.Propagating,
	}
	t, err := a.registry.CreateThingType(c.ctx, c.principal, spec, tagsOf(in.Tags))
	return wire.CreateThingTypeResponse{
		ThingTypeName: t.Name, ThingTypeARN: c.arn(thing.TypeKind, t.Name), ThingTypeID: t.ID,
	}, err
}

// typeUpdate returns what the properties of a request say; what they do not is nil.
func typeUpdate(p *wire.ThingTypeProperties) thing.TypeUpdate {
	if p == nil {
		return thing.TypeUpdate{}
	}
	u := thing.TypeUpdate{Description: p.ThingTypeDescription, Searchable: p.SearchableAttributes}
	if p.MQTT5Configuration != nil {
		u.Propagating = []thing.Propagation{} // given, if only to be emptied
		for _, a := range p.MQTT5Configuration.PropagatingAttributes {
			u.Propagating = append(u.Propagating, thing.Propagation(a))
		}
	}
	return u
}

// typeProperties is the inverse of typeUpdate. What a type does not have is left out.
func typeProperties(t thing.Type) wire.ThingTypeProperties {
	p := wire.ThingTypeProperties{ThingTypeDescription: orNil(t.Description), SearchableAttributes: t.Searchable}
	if len(t.Propagating) > 0 {
		p.MQTT5Configuration = &wire.MQTT5Configuration{}
		for _, a := range t.Propagating {
			p.MQTT5Configuration.PropagatingAttributes = append(p.MQTT5Configuration.PropagatingAttributes, wire.PropagatingAttribute(a))
		}
	}
	return p
}

func typeMetadata(t thing.Type) wire.ThingTypeMetadata {
	return wire.ThingTypeMetadata{
		Deprecated:      t.DeprecatedAt != 0,
		DeprecationDate: wire.FractionalSeconds(t.DeprecatedAt),
		CreationDate:    wire.FractionalSeconds(t.CreatedAt),
	}
}

func (a *API) describeThingType(c *call, in *wire.DescribeThingTypeRequest) (wire.DescribeThingTypeResponse, error) {
	t, err := a.registry.DescribeThingType(c.ctx, c.principal, in.ThingTypeName)
	return wire.DescribeThingTypeResponse{
		ThingTypeName:       t.Name,
		ThingTypeID:         t.ID,
		ThingTypeARN:        c.arn(thing.TypeKind, t.Name),
		ThingTypeProperties: typeProperties(t),
		ThingTypeMetadata:   typeMetadata(t),
	}, err
}

func (a *API) updateThingType(c *call, in *wire.UpdateThingTypeRequest) (wire.Empty, error) {
	return wire.Empty{}, a.registry.UpdateThingType(c.ctx, c.principal, in.ThingTypeName, typeUpdate(in.ThingTypeProperties))
}

func (a *API) deprecateThingType(c *call, in *wire.DeprecateThingTypeRequest) (wire.Empty, error) {
	return wire.Empty{}, a.registry.DeprecateThingType(c.ctx, c.principal, in.ThingTypeName, in.UndoDeprecate)
}

func (a *API) deleteThingType(c *call, in *wire.DeleteThingTypeRequest) (wire.Empty, error) {
	return wire.Empty{}, a.registry.DeleteThingType(c.ctx, c.principal, in.ThingTypeName)
}

func (a *API) listThingTypes(c *call, in *wire.ListThingTypesRequest) (wire.ListThingTypesResponse, error) {
	l := list("ListThingTypes", in.ThingTypeName)
	page, err := l.page(in.NextToken, in.MaxResults)
	if err != nil {
		return wire.ListThingTypesResponse{}, err
	}
	types, err := a.registry.ListThingTypes(c.ctx, c.principal, in.ThingTypeName, page)
	out := wire.ListThingTypesResponse{NextToken: l.token(types.Next)}
	for _, t := range types.Items {
		out.ThingTypes = append(out.ThingTypes, wire.ThingTypeDefinition{
			ThingTypeName:       t.Name,
			ThingTypeARN:        c.arn(thing.TypeKind, t.Name),
			ThingTypeProperties: typeProperties(t),
			ThingTypeMetadata:   typeMetadata(t),
		})
	}
	return out, err
}

package httpapi

import (
	"muster/internal/registry"
	"muster/internal/thing"
	"muster/internal/wire"
)

func (a *API) createThingGroup(c *call, in *wire.CreateThingGroupRequest) (wire.CreateThingGroupResponse, error) {
	u := groupUpdate(in.ThingGroupProperties)
	g, err := a.registry.CreateThingGroup(c.ctx, c.principal, registry.CreateThingGroupInput{
		GroupSpec: thing.GroupSpec{Name: in.ThingGroupName, Description: text(u.Description), Attributes: u.Attributes.Set},
		Parent:    in.ParentGroupName,
		Tags:      tagsOf(in.Tags),
	})
	return wire.CreateThingGroupResponse{
		ThingGroupName: g.Name, ThingGroupARN: c.arn(thing.GroupKind, g.Name), ThingGroupID: g.ID,
	}, err
}

// groupUpdate returns what the properties of a request say; what they do not is nil.
func groupUpdate(p *wire.ThingGroupProperties) thing.GroupUpdate {
	if p == nil {
		return thing.GroupUpdate{}
	}
	return thing.GroupUpdate{Description: p.ThingGroupDescription, Attributes: attributeChange(p.AttributePayload)}
}

func (a *API) describeThingGroup(c *call, in *wire.DescribeThingGroupRequest) (wire.DescribeThingGroupResponse, error) {
	g, err := a.registry.DescribeThingGroup(c.ctx, c.principal, in.ThingGroupName)
	out := wire.DescribeThingGroupResponse{
		ThingGroupName:       g.Name,
		ThingGroupID:         g.ID,
		ThingGroupARN:        c.arn(thing.GroupKind, g.Name),
		Version:              g.Version,
		ThingGroupProperties: wire.ThingGroupProperties{ThingGroupDescription: orNil(g.Description)},
		ThingGroupMetadata: wire.ThingGroupMetadata{
			RootToParentThingGroups: c.groupNames(g.Ancestors),
			CreationDate:            wire.FractionalSeconds(g.CreatedAt),
		},
	}
	if len(g.Attributes) > 0 {
		out.ThingGroupProperties.AttributePayload = &wire.AttributePayload{Attributes: g.Attributes}
	}
	if n := len(g.Ancestors); n > 0 {
		out.ThingGroupMetadata.ParentGroupName = g.Ancestors[n-1].Name
	}
	return out, err
}

func (c *call) groupNames(groups []thing.Group) []wire.GroupNameAndARN {
	var names []wire.GroupNameAndARN
	for _, g := range groups {
		names = append(names, wire.GroupNameAndARN{GroupName: g.Name, GroupARN: c.arn(thing.GroupKind, g.Name)})
	}
	return names
}

func (a *API) updateThingGroup(c *call, in *wire.UpdateThingGroupRequest) (wire.UpdateThingGroupResponse, error) {
	u := groupUpdate(in.ThingGroupProperties)
	u.ExpectedVersion = in.ExpectedVersion
	g, err := a.registry.UpdateThingGroup(c.ctx, c.principal, in.ThingGroupName, u)
	return wire.UpdateThingGroupResponse{Version: g.Version}, err
}

func (a *API) deleteThingGroup(c *call, in *wire.DeleteThingGroupRequest) (wire.Empty, error) {
	return wire.Empty{}, a.registry.DeleteThingGroup(c.ctx, c.principal, in.ThingGroupName, in.ExpectedVersion)
}

func (a *API) listThingGroups(c *call, in *wire.ListThingGroupsRequest) (wire.ThingGroupsPage, error) {
	l := list("ListThingGroups", in.ParentGroup, in.NamePrefixFilter, in.Recursive)
	page, err := l.page(in.NextToken, in.MaxResults)
	if err != nil {
		return wire.ThingGroupsPage{}, err
	}
	groups, err := a.registry.ListThingGroups(c.ctx, c.principal, registry.GroupFilter{
		Parent: in.ParentGroup, Prefix: in.NamePrefixFilter, Recursive: in.Recursive,
	}, page)
	return wire.ThingGroupsPage{ThingGroups: c.groupNames(groups.Items), NextToken: l.token(groups.Next)}, err
}

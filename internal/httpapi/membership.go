package httpapi

import (
	"muster/internal/registry"
	"muster/internal/wire"
)

func (a *API) addThingToThingGroup(c *call, in *wire.AddThingToThingGroupRequest) (wire.Empty, error) {
	return wire.Empty{}, a.registry.AddThingToThingGroup(c.ctx, c.principal,
		registry.Ref{Name: in.ThingName, ARN: in.ThingARN}, registry.Ref{Name: in.ThingGroupName, ARN: in.ThingGroupARN})
}

func (a *API) removeThingFromThingGroup(c *call, in *wire.RemoveThingFromThingGroupRequest) (wire.Empty, error) {
	return wire.Empty{}, a.registry.RemoveThingFromThingGroup(c.ctx, c.principal,
		registry.Ref{Name: in.ThingName, ARN: in.ThingARN}, registry.Ref{Name: in.ThingGroupName, ARN: in.ThingGroupARN})
}

func (a *API) updateThingGroupsForThing(c *call, in *wire.UpdateThingGroupsForThingRequest) (wire.Empty, error) {
	return wire.Empty{}, a.registry.UpdateThingGroupsForThing(c.ctx, c.principal,
		in.ThingName, in.ThingGroupsToAdd, in.ThingGroupsToRemove)
}

func (a *API) listThingsInThingGroup(c *call, in *wire.ListThingsInThingGroupRequest) (wire.ListThingsInThingGroupResponse, error) {
	l := list("ListThingsInThingGroup", in.ThingGroupName, in.Recursive)
	page, err := l.page(in.NextToken, in.MaxResults)
	if err != nil {
		return wire.ListThingsInThingGroupResponse{}, err
	}
	names, err := a.registry.ListThingsInThingGroup(c.ctx, c.principal, in.ThingGroupName, in.Recursive, page)
	return wire.ListThingsInThingGroupResponse{Things: names.Items, NextToken: l.token(names.Next)}, err
}

func (a *API) listThingGroupsForThing(c *call, in *wire.ListThingGroupsForThingRequest) (wire.ThingGroupsPage, error) {
	l := list("ListThingGroupsForThing", in.ThingName)
	page, err := l.page(in.NextToken, in.MaxResults)
	if err != nil {
		return wire.ThingGroupsPage{}, err
	}
	groups, err := a.registry.ListThingGroupsForThing(c.ctx, c.principal, in.ThingName, page)
	return wire.ThingGroupsPage{ThingGroups: c.groupNames(groups.Items), NextToken: l.token(groups.Next)}, err
}

package wire

// ThingGroupProperties are what describes a thing group. A nil description is
// absent, an empty one is not.
type ThingGroupProperties struct {
	ThingGroupDescription *string           `json:"thingGroupDescription,omitempty" shape:"ThingGroupDescription"`
	AttributePayload      *AttributePayload `json:"attributePayload,omitempty"`
}

// GroupNameAndARN is a thing group in a list.
type GroupNameAndARN struct {
	GroupName string `json:"groupName"`
	GroupARN  string `json:"groupArn"`
}

// ThingGroupMetadata is a thing group's place in its hierarchy.
type ThingGroupMetadata struct {
	ParentGroupName string `json:"parentGroupName,omitempty"`
	// RootToParentThingGroups are the group's ancestors, outermost first.
	RootToParentThingGroups []GroupNameAndARN `json:"rootToParentThingGroups,omitempty"`
	CreationDate            FractionalSeconds `json:"creationDate"`
}

// CreateThingGroupRequest makes a static thing group
// [iot-api, CreateThingGroup].
type CreateThingGroupRequest struct {
	ThingGroupName       string                `json:"-" uri:"thingGroupName" shape:"ThingGroupName"`
	ParentGroupName      string                `json:"parentGroupName,omitempty" shape:"ThingGroupName"`
	ThingGroupProperties *ThingGroupProperties `json:"thingGroupProperties,omitempty"`
	Tags                 []Tag                 `json:"tags,omitempty" shape:"TagList"`
}

// CreateThingGroupResponse names the group.
type CreateThingGroupResponse struct {
	ThingGroupName string `json:"thingGroupName"`
	ThingGroupARN  string `json:"thingGroupArn"`
	ThingGroupID   string `json:"thingGroupId"`
}

// DescribeThingGroupRequest asks for a group [iot-api, DescribeThingGroup].
type DescribeThingGroupRequest struct {
	ThingGroupName string `json:"-" uri:"thingGroupName" shape:"ThingGroupName"`
}

// DescribeThingGroupResponse is a group.
type DescribeThingGroupResponse struct {
	ThingGroupName       string               `json:"thingGroupName"`
	ThingGroupID         string               `json:"thingGroupId"`
	ThingGroupARN        string               `json:"thingGroupArn"`
	Version              int64                `json:"version"`
	ThingGroupProperties ThingGroupProperties `json:"thingGroupProperties"`
	ThingGroupMetadata   ThingGroupMetadata   `json:"thingGroupMetadata"`
}

// UpdateThingGroupRequest changes a group [iot-api, UpdateThingGroup]. Nil
// ExpectedVersion skips the check.
type UpdateThingGroupRequest struct {
	ThingGroupName       string                `json:"-" uri:"thingGroupName" shape:"ThingGroupName"`
	ThingGroupProperties *ThingGroupProperties `json:"thingGroupProperties" required:"true"`
	ExpectedVersion      *int64                `json:"expectedVersion,omitempty" shape:"OptionalVersion"`
}

// UpdateThingGroupResponse holds the group's new version.
type UpdateThingGroupResponse struct {
	Version int64 `json:"version"`
}

// DeleteThingGroupRequest deletes a group [iot-api, DeleteThingGroup]. It is
// answered with an empty object.
type DeleteThingGroupRequest struct {
	ThingGroupName  string `json:"-" uri:"thingGroupName" shape:"ThingGroupName"`
	ExpectedVersion *int64 `json:"-" query:"expectedVersion" shape:"OptionalVersion"`
}

// ListThingGroupsRequest asks for a page of groups [iot-api, ListThingGroups].
// MaxResults 0 is the default page size; nil Recursive was not given.
type ListThingGroupsRequest struct {
	NextToken        string `json:"-" query:"nextToken" shape:"NextToken"`
	MaxResults       int    `json:"-" query:"maxResults" shape:"RegistryMaxResults"`
	ParentGroup      string `json:"-" query:"parentGroup" shape:"ThingGroupName"`
	NamePrefixFilter string `json:"-" query:"namePrefixFilter" shape:"ThingGroupName"`
	Recursive        *bool  `json:"-" query:"recursive"`
}

// ThingGroupsPage is a page of groups: the answer of ListThingGroups and
// ListThingGroupsForThing. No token means no more.
type ThingGroupsPage struct {
	ThingGroups List[GroupNameAndARN] `json:"thingGroups"`
	NextToken   string                `json:"nextToken,omitempty"`
}

// AddThingToThingGroupRequest adds a thing to a group, each given by name or
// ARN [iot-api, AddThingToThingGroup]. It is answered with an empty object.
type AddThingToThingGroupRequest struct {
	ThingGroupName        string `json:"thingGroupName,omitempty" shape:"ThingGroupName"`
	ThingGroupARN         string `json:"thingGroupArn,omitempty" shape:"ThingGroupArn"`
	ThingName             string `json:"thingName,omitempty" shape:"ThingName"`
	ThingARN              string `json:"thingArn,omitempty" shape:"ThingArn"`
	OverrideDynamicGroups bool   `json:"overrideDynamicGroups,omitempty"`
}

// RemoveThingFromThingGroupRequest takes a thing out of a group, each given by
// name or ARN [iot-api, RemoveThingFromThingGroup]. It is answered with an
// empty object.
type RemoveThingFromThingGroupRequest struct {
	ThingGroupName string `json:"thingGroupName,omitempty" shape:"ThingGroupName"`
	ThingGroupARN  string `json:"thingGroupArn,omitempty" shape:"ThingGroupArn"`
	ThingName      string `json:"thingName,omitempty" shape:"ThingName"`
	ThingARN       string `json:"thingArn,omitempty" shape:"ThingArn"`
}

// ListThingsInThingGroupRequest asks for a page of a group's things, with
// Recursive also those of its descendants [iot-api, ListThingsInThingGroup].
// MaxResults 0 is the default page size.
type ListThingsInThingGroupRequest struct {
	ThingGroupName string `json:"-" uri:"thingGroupName" shape:"ThingGroupName"`
	Recursive      bool   `json:"-" query:"recursive"`
	NextToken      string `json:"-" query:"nextToken" shape:"NextToken"`
	MaxResults     int    `json:"-" query:"maxResults" shape:"RegistryMaxResults"`
}

// ListThingsInThingGroupResponse is a page of thing names. No token means no
// more.
type ListThingsInThingGroupResponse struct {
	Things    List[string] `json:"things"`
	NextToken string       `json:"nextToken,omitempty"`
}

// ListThingGroupsForThingRequest asks for a page of the groups that a thing is
// directly in [iot-api, ListThingGroupsForThing]. MaxResults 0 is the default
// page size.
type ListThingGroupsForThingRequest struct {
	ThingName  string `json:"-" uri:"thingName" shape:"ThingName"`
	NextToken  string `json:"-" query:"nextToken" shape:"NextToken"`
	MaxResults int    `json:"-" query:"maxResults" shape:"RegistryMaxResults"`
}

// UpdateThingGroupsForThingRequest moves a thing between groups
// [iot-api, UpdateThingGroupsForThing]. It is answered with an empty object.
type UpdateThingGroupsForThingRequest struct {
	ThingName             string   `json:"thingName,omitempty" shape:"ThingName"`
	ThingGroupsToAdd      []string `json:"thingGroupsToAdd,omitempty" shape:"ThingGroupList"`
	ThingGroupsToRemove   []string `json:"thingGroupsToRemove,omitempty" shape:"ThingGroupList"`
	OverrideDynamicGroups bool     `json:"overrideDynamicGroups,omitempty"`
}

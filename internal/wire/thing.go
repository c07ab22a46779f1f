package wire

// AttributePayload are attributes to set. Without Merge they replace all that
// the thing or group has; with it they are added, and an empty value takes an
// attribute away. Nil Attributes are absent, an empty map is not.
type AttributePayload struct {
	Attributes map[string]string `json:"attributes,omitempty" shape:"Attributes"`
	Merge      bool              `json:"merge,omitempty"`
}

// CreateThingRequest registers a thing [iot-api, CreateThing].
type CreateThingRequest struct {
	ThingName        string            `json:"-" uri:"thingName" shape:"ThingName"`
	ThingTypeName    string            `json:"thingTypeName,omitempty" shape:"ThingTypeName"`
	AttributePayload *AttributePayload `json:"attributePayload,omitempty"`
	BillingGroupName string            `json:"billingGroupName,omitempty" shape:"BillingGroupName"`
}

// CreateThingResponse names the thing.
type CreateThingResponse struct {
	ThingName string `json:"thingName"`
	ThingARN  string `json:"thingArn"`
	ThingID   string `json:"thingId"`
}

// DescribeThingRequest asks for a thing [iot-api, DescribeThing].
type DescribeThingRequest struct {
	ThingName string `json:"-" uri:"thingName" shape:"ThingName"`
}

// DescribeThingResponse is a thing. DefaultClientID is the thing's name.
type DescribeThingResponse struct {
	DefaultClientID  string     `json:"defaultClientId"`
	ThingName        string     `json:"thingName"`
	ThingID          string     `json:"thingId"`
	ThingARN         string     `json:"thingArn"`
	ThingTypeName    string     `json:"thingTypeName,omitempty"`
	Attributes       Attributes `json:"attributes"`
	Version          int64      `json:"version"`
	BillingGroupName string     `json:"billingGroupName,omitempty"`
}

// Attributes are a thing's or group's attributes in a response that always
// shows them: nil is written as {}.
type Attributes map[string]string

// MarshalJSON returns the attributes by name, never null.
func (a Attributes) MarshalJSON() ([]byte, error) {
	if a == nil {
		return []byte("{}"), nil
	}
	return Encode(map[string]string(a))
}

// UpdateThingRequest changes a thing [iot-api, UpdateThing]. Nil
// ExpectedVersion skips the check; it is answered with an empty object.
type UpdateThingRequest struct {
	ThingName        string            `json:"-" uri:"thingName" shape:"ThingName"`
	ThingTypeName    string            `json:"thingTypeName,omitempty" shape:"ThingTypeName"`
	AttributePayload *AttributePayload `json:"attributePayload,omitempty"`
	ExpectedVersion  *int64            `json:"expectedVersion,omitempty" shape:"OptionalVersion"`
	RemoveThingType  bool              `json:"removeThingType,omitempty"`
}

// DeleteThingRequest deletes a thing [iot-api, DeleteThing]. It is answered
// with an empty object.
type DeleteThingRequest struct {
	ThingName       string `json:"-" uri:"thingName" shape:"ThingName"`
	ExpectedVersion *int64 `json:"-" query:"expectedVersion" shape:"OptionalVersion"`
}

// ListThingsRequest asks for a page of things that pass every filter
// [iot-api, ListThings]. MaxResults 0 is the default page size; nil
// AttributeValue is no filter, unlike an empty one.
type ListThingsRequest struct {
	NextToken               string  `json:"-" query:"nextToken" shape:"NextToken"`
	MaxResults              int     `json:"-" query:"maxResults" shape:"RegistryMaxResults"`
	AttributeName           string  `json:"-" query:"attributeName" shape:"AttributeName"`
	AttributeValue          *string `json:"-" query:"attributeValue" shape:"AttributeValue"`
	ThingTypeName           string  `json:"-" query:"thingTypeName" shape:"ThingTypeName"`
	UsePrefixAttributeValue bool    `json:"-" query:"usePrefixAttributeValue"`
}

// ListThingsResponse is a page of things. No token means no more.
type ListThingsResponse struct {
	Things    List[ThingAttribute] `json:"things"`
	NextToken string               `json:"nextToken,omitempty"`
}

// ThingAttribute is a thing in a list.
type ThingAttribute struct {
	ThingName     string     `json:"thingName"`
	ThingTypeName string     `json:"thingTypeName,omitempty"`
	ThingARN      string     `json:"thingArn"`
	Attributes    Attributes `json:"attributes"`
	Version       int64      `json:"version"`
}

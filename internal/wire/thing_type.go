package wire

// ThingTypeProperties are what describes a thing type. A nil description is
// absent, an empty one is not.
type ThingTypeProperties struct {
	ThingTypeDescription *string             `json:"thingTypeDescription,omitempty" shape:"ThingTypeDescription"`
	SearchableAttributes []string            `json:"searchableAttributes,omitempty" shape:"SearchableAttributes"`
	MQTT5Configuration   *MQTT5Configuration `json:"mqtt5Configuration,omitempty"`
}

// MQTT5Configuration names the attributes that AWS adds to the messages of the
// things of a type as MQTT 5 user properties.
type MQTT5Configuration struct {
	PropagatingAttributes []PropagatingAttribute `json:"propagatingAttributes,omitempty"`
}

// PropagatingAttribute is one such attribute, of the thing or of the connection.
type PropagatingAttribute struct {
	UserPropertyKey     string `json:"userPropertyKey,omitempty" shape:"UserPropertyKeyName"`
	ThingAttribute      string `json:"thingAttribute,omitempty" shape:"AttributeName"`
	ConnectionAttribute string `json:"connectionAttribute,omitempty" shape:"ConnectionAttributeName"`
}

// ThingTypeMetadata is the life of a thing type.
type ThingTypeMetadata struct {
	Deprecated      bool              `json:"deprecated"`
	DeprecationDate FractionalSeconds `json:"deprecationDate,omitzero"`
	CreationDate    FractionalSeconds `json:"creationDate"`
}

// CreateThingTypeRequest makes a thing type [iot-api, CreateThingType].
type CreateThingTypeRequest struct {
	ThingTypeName       string               `json:"-" uri:"thingTypeName" shape:"ThingTypeName"`
	ThingTypeProperties *ThingTypeProperties `json:"thingTypeProperties,omitempty"`
	Tags                []Tag                `json:"tags,omitempty" shape:"TagList"`
}

// CreateThingTypeResponse names the thing type.
type CreateThingTypeResponse struct {
	ThingTypeName string `json:"thingTypeName"`
	ThingTypeARN  string `json:"thingTypeArn"`
	ThingTypeID   string `json:"thingTypeId"`
}

// DescribeThingTypeRequest asks for a thing type [iot-api, DescribeThingType].
type DescribeThingTypeRequest struct {
	ThingTypeName string `json:"-" uri:"thingTypeName" shape:"ThingTypeName"`
}

// DescribeThingTypeResponse is a thing type.
type DescribeThingTypeResponse struct {
	ThingTypeName       string              `json:"thingTypeName"`
	ThingTypeID         string              `json:"thingTypeId"`
	ThingTypeARN        string              `json:"thingTypeArn"`
	ThingTypeProperties ThingTypeProperties `json:"thingTypeProperties"`
	ThingTypeMetadata   ThingTypeMetadata   `json:"thingTypeMetadata"`
}

// UpdateThingTypeRequest changes a thing type [iot-api, UpdateThingType]. It is
// answered with an empty object.
type UpdateThingTypeRequest struct {
	ThingTypeName       string               `json:"-" uri:"thingTypeName" shape:"ThingTypeName"`
	ThingTypeProperties *ThingTypeProperties `json:"thingTypeProperties,omitempty"`
}

// DeprecateThingTypeRequest forbids, or with UndoDeprecate allows again, new
// things of a type [iot-api, DeprecateThingType]. It is answered with an empty
// object.
type DeprecateThingTypeRequest struct {
	ThingTypeName string `json:"-" uri:"thingTypeName" shape:"ThingTypeName"`
	UndoDeprecate bool   `json:"undoDeprecate,omitempty"`
}

// DeleteThingTypeRequest deletes a thing type [iot-api, DeleteThingType]. It is
// answered with an empty object.
type DeleteThingTypeRequest struct {
	ThingTypeName string `json:"-" uri:"thingTypeName" shape:"ThingTypeName"`
}

// ListThingTypesRequest asks for a page of thing types
// [iot-api, ListThingTypes]. MaxResults 0 is the default page size.
type ListThingTypesRequest struct {
	NextToken     string `json:"-" query:"nextToken" shape:"NextToken"`
	MaxResults    int    `json:"-" query:"maxResults" shape:"RegistryMaxResults"`
	ThingTypeName string `json:"-" query:"thingTypeName" shape:"ThingTypeName"`
}

// ListThingTypesResponse is a page of thing types. No token means no more.
type ListThingTypesResponse struct {
	ThingTypes List[ThingTypeDefinition] `json:"thingTypes"`
	NextToken  string                    `json:"nextToken,omitempty"`
}

// ThingTypeDefinition is a thing type in a list.
type ThingTypeDefinition struct {
	ThingTypeName       string              `json:"thingTypeName"`
	ThingTypeARN        string              `json:"thingTypeArn"`
	ThingTypeProperties ThingTypeProperties `json:"thingTypeProperties"`
	ThingTypeMetadata   ThingTypeMetadata   `json:"thingTypeMetadata"`
}

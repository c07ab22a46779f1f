package codec

// propertyID says what a property of MQTT 5 is. On the wire it is a variable
// byte integer, but all there are fit in a byte.
type propertyID uint8

const (
	propPayloadFormat     propertyID = 0x01
	propMessageExpiry     propertyID = 0x02
	propContentType       propertyID = 0x03
	propResponseTopic     propertyID = 0x08
	propCorrelationData   propertyID = 0x09
	propSubscriptionID    propertyID = 0x0B
	propSessionExpiry     propertyID = 0x11
	propAssignedClientID  propertyID = 0x12
	propServerKeepAlive   propertyID = 0x13
	propAuthMethod        propertyID = 0x15
	propAuthData          propertyID = 0x16
	propRequestProblem    propertyID = 0x17
	propWillDelay         propertyID = 0x18
	propRequestResponse   propertyID = 0x19
	propResponseInfo      propertyID = 0x1A
	propServerReference   propertyID = 0x1C
	propReasonString      propertyID = 0x1F
	propReceiveMaximum    propertyID = 0x21
	propTopicAliasMaximum propertyID = 0x22
	propTopicAlias        propertyID = 0x23
	propMaximumQoS        propertyID = 0x24
	propRetainAvailable   propertyID = 0x25
	propUser              propertyID = 0x26
	propMaximumPacketSize propertyID = 0x27
	propWildcards         propertyID = 0x28
	propSubscriptionIDs   propertyID = 0x29
	propShared            propertyID = 0x2A
)

// form is how the value of a property is written.
type form uint8

const (
	formNone form = iota // no such property
	formFlag             // a byte that is 0 or 1
	formUint16
	formUint32
	formVarint
	formText
	formBinary
	formPair // two texts
)

// property is what the standard says of one of them.
type property struct {
	form     form
	positive bool    // zero breaks the protocol
	in       packets // packets that may carry it
	many     packets // those of them that may carry it more than once
}

const (
	inMessage  = inPublish | inWill
	inAnswer   = inConnack | inPuback | inSuback | inUnsuback | inDisconnect | inAuth
	inAnything = inAnswer | inConnect | inMessage | inSubscribe | inUnsubscribe
)

// properties is the table of them [MQTT 5, 2.2.2.2].
var properties = [...]property{
	propPayloadFormat:     {form: formFlag, in: inMessage},
	propMessageExpiry:     {form: formUint32, in: inMessage},
	propContentType:       {form: formText, in: inMessage},
	propResponseTopic:     {form: formText, in: inMessage},
	propCorrelationData:   {form: formBinary, in: inMessage},
	propSubscriptionID:    {form: formVarint, positive: true, in: inPublish | inSubscribe, many: inPublish},
	propSessionExpiry:     {form: formUint32, in: inConnect | inConnack | inDisconnect},
	propAssignedClientID:  {form: formText, in: inConnack},
	propServerKeepAlive:   {form: formUint16, in: inConnack},
	propAuthMethod:        {form: formText, in: inConnect | inConnack | inAuth},
	propAuthData:          {form: formBinary, in: inConnect | inConnack | inAuth},
	propRequestProblem:    {form: formFlag, in: inConnect},
	propWillDelay:         {form: formUint32, in: inWill},
	propRequestResponse:   {form: formFlag, in: inConnect},
	propResponseInfo:      {form: formText, in: inConnack},
	propServerReference:   {form: formText, in: inConnack | inDisconnect},
	propReasonString:      {form: formText, in: inAnswer},
	propReceiveMaximum:    {form: formUint16, positive: true, in: inConnect | inConnack},
	propTopicAliasMaximum: {form: formUint16, in: inConnect | inConnack},
	propTopicAlias:        {form: formUint16, in: inPublish},
	propMaximumQoS:        {form: formFlag, in: inConnack},
	propRetainAvailable:   {form: formFlag, in: inConnack},
	propUser:              {form: formPair, in: inAnything, many: inAnything},
	propMaximumPacketSize: {form: formUint32, positive: true, in: inConnect | inConnack},
	propWildcards:         {form: formFlag, in: inConnack},
	propSubscriptionIDs:   {form: formFlag, in: inConnack},
	propShared:            {form: formFlag, in: inConnack},
}

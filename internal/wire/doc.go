// Package wire holds the request and response structs of every operation that
// Muster serves, with their JSON spelling, their member order and their
// constraints, and the code that turns a request's path values, query and body
// into such a struct.
//
// A request struct says where each member comes from by its tags:
//
//	uri:"jobId"        a value of the path; always required
//	query:"maxResults" a value of the query string
//	json:"targets"     a member of the body, or of an MQTT payload
//	shape:"JobTargets" the row of the constraint table in shape.go
//	required:"true"    absent and null are refused
//	lenient:"true"     an integer that may come as a numeric string
//
// A zero field means that the member was absent, except behind a pointer and
// in a map, where nil does and zero or empty is a value. Response structs are
// plain encoding/json: their field order is the order on the wire.
//
// HTTP and MQTT share the device structs. [Encode] writes the HTTP form;
// [EncodeMessage] writes the MQTT form, where a job document is an object
// instead of a string and the thing's name is left to the topic.
//
// Times are milliseconds since the Unix epoch, 0 = never; the types [Seconds]
// and [FractionalSeconds] say how a surface spells them.
package wire

package wire

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"muster/internal/apierr"
)

// shape is what a value of one name must satisfy. The zero bounds mean none.
type shape struct {
	min, max int64 // characters, bytes, entries, or the number itself
	bytes    bool  // lengths count bytes instead of characters
	chars    *charset
	enum     []string
	passed   string  // beside enum, left to whoever knows why it is refused
	notUnder string  // a reserved prefix in any case, or ""
	document bool    // must be a JSON text
	scalars  bool    // a JSON number or boolean is taken as its text
	also     []int64 // numbers allowed beside the range

	elem string      // shape of a list's entries or a map's values
	key  string      // shape of a map's keys
	over apierr.Kind // what too many entries are; Invalid unless set
}

func text(minimum, maximum int64, c *charset) shape {
	return shape{min: minimum, max: maximum, chars: c}
}

// upTo is the numbers from 1 to maximum, and also some others.
func upTo(maximum int64, also ...int64) shape {
	return shape{min: 1, max: maximum, also: also}
}

func oneOf(values ...string) shape { return shape{enum: values} }

func list(minimum, maximum int64, elem string, over apierr.Kind) shape {
	return shape{min: minimum, max: maximum, elem: elem, over: over}
}

// shapes is the one place for the constraints of the API. The names are those
// of the published service models, and so are the bounds, unless a comment
// says otherwise.
var shapes = map[string]shape{
	// Jobs.
	"JobId":                     text(1, 64, jobName),
	"DescribeJobExecutionJobId": text(1, 64, jobOrNext),                          // bounded like JobId, whose values it holds
	"JobTargets":                list(1, 100, "TargetArn", apierr.LimitExceeded), // [job limits]: 100 targets per job
	"TargetArn":                 {max: 2048},
	"JobDocument":               {max: 32768, bytes: true, document: true}, // [job limits]: the 32 KB are bytes
	"JobDescription":            text(0, 2028, visible),
	"Comment":                   text(0, 2028, visible),
	"ReasonCode":                text(0, 128, reasonCode),
	"NamespaceId":               text(0, 64, jobName), // no published bound; a topic must hold it
	"TargetSelection":           oneOf("CONTINUOUS", "SNAPSHOT"),
	"JobStatus":                 oneOf("IN_PROGRESS", "CANCELED", "COMPLETED", "DELETION_IN_PROGRESS", "SCHEDULED"),
	// [jobs-api, CreateJob]: between 1 and 10080 minutes, one week.
	"InProgressTimeoutInMinutes": upTo(10080),
	"LaserMaxResults":            upTo(250),

	// Job executions.
	"JobExecutionStatus": oneOf("QUEUED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "TIMED_OUT", "REJECTED", "REMOVED", "CANCELED"),
	// [jobs-api, UpdateJobExecution]: what a device may report. QUEUED is a transition that no execution can make.
	"ReportedStatus": {enum: []string{"IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED"}, passed: "QUEUED"},
	"DetailsMap":     {max: 10, key: "DetailsKey", elem: "DetailsValue"}, // [job limits]: 10 pairs
	"DetailsKey":     text(1, 128, resourceName),
	"DetailsValue":   {min: 1, max: 1024, chars: detail, scalars: true}, // [job limits]: 1024 characters
	// [jobs-api, UpdateJobExecution]: 1 to 10080 minutes, -1 cancels the timer.
	"StepTimeoutInMinutes": upTo(10080, -1),
	"ExecutionNumber":      {},
	"ExpectedVersion":      {},

	// Things, thing types and thing groups.
	"ThingName":               text(1, 128, resourceName),
	"ThingTypeName":           text(1, 128, resourceName),
	"ThingGroupName":          text(1, 128, resourceName),
	"ThingGroupId":            text(1, 128, groupID),
	"BillingGroupName":        text(1, 128, resourceName),
	"ThingArn":                {},
	"ThingGroupArn":           {},
	"ThingGroupList":          {elem: "ThingGroupName"},
	"Attributes":              {key: "AttributeName", elem: "AttributeValue"},
	"AttributeName":           text(0, 128, attrName),
	"AttributeValue":          text(0, 800, attrValue),
	"ThingTypeDescription":    text(0, 2028, graph),
	"ThingGroupDescription":   text(0, 2028, graph),
	"SearchableAttributes":    {elem: "AttributeName"},
	"UserPropertyKeyName":     text(0, 128, userProperty),
	"ConnectionAttributeName": text(0, 128, connectionAt),
	"OptionalVersion":         {},
	"RegistryMaxResults":      upTo(250),

	// Tags.
	"TagList":    list(0, 50, "", apierr.LimitExceeded), // [tagging limits]: 50 per resource
	"TagKeyList": {elem: "TagKey"},
	"TagKey":     {min: 1, max: 128, chars: tagKey, notUnder: "aws:"}, // [tagging limits]: aws: is reserved
	"TagValue":   {max: 256},

	// Common.
	"EndpointType": text(0, 128, anything),
	"ResourceArn":  {},
	"NextToken":    {},
}

// checkText returns why s breaks the shape, or nil.
func (s *shape) checkText(v string) *fault {
	if f := s.checkLength(v); f != nil {
		return f
	}
	switch {
	case s.enum != nil && !slices.Contains(s.enum, v) && (v == "" || v != s.passed):
		return refuse(v, "Member must satisfy enum value set: ["+strings.Join(s.enum, ", ")+"]")
	case s.chars != nil && !s.chars.match(v):
		return refuse(v, "Member must satisfy regular expression pattern: "+s.chars.pattern)
	case s.notUnder != "" && hasPrefixFold(v, s.notUnder):
		return refuse(v, "Member must not begin with the reserved prefix "+s.notUnder)
	case s.document && !isDocument(v):
		return refuse(v, "Member must be a JSON document in UTF-8")
	}
	return nil
}

func isDocument(v string) bool {
	text := []byte(v)
	return utf8.Valid(text) && json.Valid(text) && !halfCharacter(text)
}

func (s *shape) checkLength(v string) *fault {
	n, unit := int64(len(v)), " bytes"
	if !s.bytes {
		unit = ""
		// A text of few bytes needs no counting: it has no more characters.
		if s.max > 0 && n > s.max || n < s.min*utf8.UTFMax {
			n = int64(utf8.RuneCountInString(v))
		}
	}
	if n < s.min {
		return refuse(v, "Member must have length greater than or equal to "+strconv.FormatInt(s.min, 10)+unit)
	}
	if s.max > 0 && n > s.max {
		return refuse(v, "Member must have length less than or equal to "+strconv.FormatInt(s.max, 10)+unit)
	}
	return nil
}

// checkNumber returns why n breaks the shape, or nil.
func (s *shape) checkNumber(n int64) *fault {
	if slices.Contains(s.also, n) {
		return nil
	}
	if s.min != 0 && n < s.min {
		return refuse(strconv.FormatInt(n, 10), "Member must have value greater than or equal to "+strconv.FormatInt(s.min, 10))
	}
	if s.max != 0 && n > s.max {
		return refuse(strconv.FormatInt(n, 10), "Member must have value less than or equal to "+strconv.FormatInt(s.max, 10))
	}
	return nil
}

// checkCount returns why a list or map of n entries breaks the shape, or nil.
func (s *shape) checkCount(n int) *fault {
	if int64(n) < s.min {
		return refuse(strconv.Itoa(n)+" entries", "Member must have length greater than or equal to "+strconv.FormatInt(s.min, 10))
	}
	if s.max > 0 && int64(n) > s.max {
		f := refuse(strconv.Itoa(n)+" entries", "Member must have length less than or equal to "+strconv.FormatInt(s.max, 10))
		f.kind = cmp.Or(s.over, apierr.Invalid)
		return f
	}
	return nil
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

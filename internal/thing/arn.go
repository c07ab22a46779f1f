package thing

import "strings"

// Kind is the kind of a resource as its ARN spells it. Names of other kinds,
// such as certificates, parse too: who asked says that they are of no use.
type Kind string

// The kinds of resources that Muster keeps.
const (
	ThingKind Kind = "thing"
	TypeKind  Kind = "thingtype"
	GroupKind Kind = "thinggroup"
	JobKind   Kind = "job"
)

// ARN is the full name of a resource: arn:aws:iot:region:account:kind/name.
type ARN struct {
	Region, Account string
	Kind            Kind
	Name            string
}

const arnPrefix = "arn:aws:iot:"

// String returns the ARN as it is written.
func (a ARN) String() string {
	return arnPrefix + a.Region + ":" + a.Account + ":" + string(a.Kind) + "/" + a.Name
}

// ParseARN returns the ARN that s spells, or false if s is not one of this
// service with a region, an account, a kind and a name. It is the inverse of
// String; names may hold colons and slashes.
func ParseARN(s string) (ARN, bool) {
	rest, ok := strings.CutPrefix(s, arnPrefix)
	if !ok {
		return ARN{}, false
	}
	region, rest, _ := strings.Cut(rest, ":")
	account, rest, _ := strings.Cut(rest, ":")
	kind, name, _ := strings.Cut(rest, "/")
	if region == "" || account == "" || kind == "" || name == "" {
		return ARN{}, false
	}
	return ARN{Region: region, Account: account, Kind: Kind(kind), Name: name}, true
}

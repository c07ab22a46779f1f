package registry

import (
	"cmp"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/thing"
)

// ARN returns the full name of a resource of the account in the region that p
// speaks to.
func (r *Registry) ARN(p auth.Principal, k thing.Kind, name string) string {
	return thing.ARN{Region: p.Region, Account: r.account, Kind: k, Name: name}.String()
}

// ParseARN returns the kind and name of the resource that arn, the value of a
// member, names. It fails with apierr.Invalid if it is malformed or belongs to
// another region than p speaks to, or to another account.
func (r *Registry) ParseARN(p auth.Principal, member, arn string) (thing.ARN, error) {
	a, ok := thing.ParseARN(arn)
	if !ok {
		return thing.ARN{}, apierr.New(apierr.Invalid, "%s: %q is not an ARN of this service", member, arn)
	}
	if a.Region != p.Region {
		return thing.ARN{}, apierr.New(apierr.Invalid, "%s: %s is not in region %s", member, arn, p.Region)
	}
	if a.Account != r.account {
		return thing.ARN{}, apierr.New(apierr.Invalid, "%s: %s is not of account %s", member, arn, r.account)
	}
	return a, nil
}

// Ref names a resource by name, by ARN, or by both if they agree.
type Ref struct {
	Name, ARN string
}

// resolve returns the name of the resource of kind k that ref names. The
// members are those of the request, for messages.
func (r *Registry) resolve(p auth.Principal, ref Ref, k thing.Kind, nameMember, arnMember string) (string, error) {
	if ref.ARN == "" {
		if ref.Name == "" {
			return "", apierr.New(apierr.Invalid, "%s or %s must be given", nameMember, arnMember)
		}
		return ref.Name, nil
	}
	a, err := r.ParseARN(p, arnMember, ref.ARN)
	if err != nil {
		return "", err
	}
	if a.Kind != k {
		return "", apierr.New(apierr.Invalid, "%s: %s does not name a %s", arnMember, ref.ARN, k)
	}
	if cmp.Or(ref.Name, a.Name) != a.Name {
		return "", apierr.New(apierr.Invalid, "%s %s and %s %s do not name the same", nameMember, ref.Name, arnMember, ref.ARN)
	}
	return a.Name, nil
}

package store

import "muster/internal/thing"

// GroupFilter selects thing groups. Zero members select everything.
type GroupFilter struct {
	// Prefix selects names that begin with it.
	Prefix string
	// ParentUID selects the children of a group.
	ParentUID int64
	// Recursive widens ParentUID to all descendants.
	Recursive bool
	// Roots selects groups without a parent.
	Roots bool
}

// GroupReader reads thing groups and memberships.
type GroupReader interface {
	// GroupByName returns the group, or apierr.NotFound naming it.
	GroupByName(name string) (thing.Group, error)
	// GroupByUID returns the group, or apierr.NotFound.
	GroupByUID(uid int64) (thing.Group, error)
	// GroupByID returns the group with a public id, or apierr.NotFound naming it.
	GroupByID(id string) (thing.Group, error)
	// Groups returns a page of the groups that match, by name, and whether more
	// may follow. A filtered page may be short with more to follow; next is where to go on.
	Groups(f GroupFilter, p Page[string]) (gs []thing.Group, next string, more bool, err error)
	// Children returns how many children a group has, counting no further than limit.
	Children(uid int64, limit int) (int, error)
	// Subtree returns the uids of the group and its descendants that are greater
	// than after, in uid order, limit at most.
	Subtree(uid, after int64, limit int) ([]int64, error)
	// Members returns members of a group in a part, by thing uid after the one given.
	Members(part int, groupUID, after int64, limit int) ([]thing.Member, error)
	// MembersByName returns members of a group in all parts, by thing name after the one given.
	MembersByName(groupUID int64, p Page[string]) (ms []thing.Member, more bool, err error)
	// Memberships returns a thing's memberships, by group uid: at most ten, and
	// those in dead groups that have not been removed yet.
	Memberships(thing string, thingUID int64) ([]thing.Member, error)
	// DeadGroups returns up to limit uids of deleted groups that may still have members.
	DeadGroups(limit int) ([]int64, error)
}

// GroupWriter writes thing groups and memberships.
type GroupWriter interface {
	// InsertGroup stores a new group. It returns apierr.AlreadyExists if the name is taken.
	InsertGroup(g thing.Group) error
	// UpdateGroup stores description, attributes and version. It returns apierr.NotFound if the uid is gone.
	UpdateGroup(g thing.Group) error
	// DeleteGroup removes the group at once and lists it as dead: its members are removed later.
	DeleteGroup(g thing.Group) error
	// ForgetGroup takes a group without members off the list of the dead.
	ForgetGroup(uid int64) error
	// DeadPath returns the path of a dead group, root first.
	DeadPath(uid int64) ([]int64, error)
	// InsertMember stores a membership.
	InsertMember(m thing.Member) error
	// DeleteMember removes a membership.
	DeleteMember(m thing.Member) error
}

// ChangeReader reads what the registry has left for the job engine.
type ChangeReader interface {
	// Changes returns up to limit changes of a part, in Seq order.
	Changes(part, limit int) ([]thing.Change, error)
	// Pending returns those of some Seqs that are the ones of changes of a part.
	Pending(part int, seqs []int64) ([]int64, error)
}

// ChangeWriter writes what the registry leaves for the job engine.
type ChangeWriter interface {
	// Newest returns a uid that is not lower than that of any job or membership,
	// nor than the Seq of any change of the parts given. It counts what was committed
	// before the transaction began, at least. Who makes a uid that says what came
	// first tells it to job.UIDs.Seen before: clocks of nodes differ.
	Newest(parts ...int) (int64, error)
	// AddChange leaves a change in the part of its thing.
	AddChange(c thing.Change) error
	// DeleteChange removes a change that has been dealt with.
	DeleteChange(c thing.Change) error
}

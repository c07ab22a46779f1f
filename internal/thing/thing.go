// Package thing holds the rules of the registry: things, thing types, thing
// groups and their limits.
//
// The package is pure: no I/O, no clock. Times are int64 milliseconds since the
// Unix epoch; 0 means never. Source sections are named in brackets, such as
// [thing-registry] for the developer guide's page on managing things.
package thing

// Thing is a device's entry in the registry [thing-registry].
type Thing struct {
	// UID is the internal identity; a thing made again under the same name has another.
	UID int64
	// Name is 1 to 128 characters and never changes.
	Name string
	// ID is the public id, a lower-case UUID.
	ID string
	// Type is the name of the thing's type, or empty.
	Type string
	// Attributes is nil when empty. It must not be modified.
	Attributes map[string]string
	// Version is 1 at creation and grows by one with every update.
	Version int64
	// CreatedAt is in milliseconds since the epoch.
	CreatedAt int64
}

// Type is a kind of thing [thing-types].
type Type struct {
	UID  int64
	Name string
	// ID is the public id, a lower-case UUID.
	ID          string
	Description string
	// Searchable holds the names of up to three searchable attributes.
	Searchable []string
	// Propagating holds the MQTT 5 user properties that take their value from a thing or a connection.
	Propagating []Propagation
	CreatedAt   int64
	// DeprecatedAt is 0 unless the type is deprecated.
	DeprecatedAt int64
}

// Propagation is one MQTT 5 user property of a type: exactly one of
// ThingAttribute and ConnectionAttribute is set.
type Propagation struct {
	UserPropertyKey, ThingAttribute, ConnectionAttribute string
}

// Group is a static thing group [thing-groups].
type Group struct {
	UID  int64
	Name string
	// ID is the public id, a lower-case UUID.
	ID string
	// Path holds the uids from the root to the group itself, which is last.
	Path        []int64
	Description string
	Attributes  map[string]string
	Version     int64
	CreatedAt   int64
}

// Parent returns the uid of the group's parent, or 0 for a root.
func (g Group) Parent() int64 {
	if len(g.Path) < 2 {
		return 0
	}
	return g.Path[len(g.Path)-2]
}

// Root returns the uid of the root of the group's hierarchy.
func (g Group) Root() int64 {
	if len(g.Path) == 0 {
		return g.UID
	}
	return g.Path[0]
}

// Member is a thing's membership in a group. A thing that leaves and joins
// again has a new one.
type Member struct {
	// UID tells memberships apart and grows with time: it also says when it began.
	UID      int64
	GroupUID int64
	ThingUID int64
	Thing    string
}

// ChangeKind says how the set of a job's targets changed.
type ChangeKind uint8

// The kinds. The numbers are stored, so they must never change.
const (
	Joined  ChangeKind = iota + 1 // a thing became a member of a group
	Left                          // a thing ceased to be one
	Deleted                       // a thing was deleted
)

// Change is what the registry leaves for the job engine, in the transaction that
// makes it true. Changes of one thing are processed in the order of Seq.
type Change struct {
	// Seq is unique and grows with time; for Joined it is the membership's uid.
	Seq      int64
	Kind     ChangeKind
	Thing    string
	ThingUID int64
	// GroupPath is the path of the group joined or left, root first; nil for Deleted.
	GroupPath []int64
}

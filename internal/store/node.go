package store

// Node is a server of a cluster, as it has said of itself.
type Node struct {
	// ID is made anew at each start.
	ID string
	// Slot is a small number, from 0 to 1023, that no other node has had for a
	// while. It stands in the uids that the node makes.
	Slot int
	// Address is where other nodes reach its bus, or empty.
	Address string
	// StartedAt is when it joined, SeenAt when it last said that it lives, and
	// Until how long it is believed to, all by the clock of the cluster. Until is
	// SeenAt once it has left, and 0 when everything that it has left behind was
	// taken care of; the row stays for a while because of the slot.
	StartedAt, SeenAt, Until int64
}

// Lease says which node works on a part.
type Lease struct {
	Part int
	// Node is the id of the owner; empty if there is none.
	Node string
	// Fence is what the owner shows to UpdatePart. It grows with each owner.
	Fence int64
}

// NodeReader reads who is there and who does what.
type NodeReader interface {
	// Clock returns the present by the clock of the database, or of the machine
	// where the database has none.
	Clock() (int64, error)
	// Nodes returns all nodes by id, also those that have died; there are few.
	Nodes() ([]Node, error)
	// Leases returns the lease of every part, in order.
	Leases() ([]Lease, error)
}

// NodeWriter writes nodes and leases.
type NodeWriter interface {
	// PutNode adds a node or replaces what it has said of itself.
	PutNode(n Node) error
	// DeleteNode removes a node without a complaint if there is none.
	DeleteNode(id string) error
	// PutLease gives a part to a node, or to nobody. From the commit on, UpdatePart
	// with an older fence fails; those under way have ended by then. It returns
	// apierr.Conflict if the fence is older than the newest one seen for the part.
	PutLease(l Lease) error
}

package job

// Actor is who asks for a change of an execution.
type Actor uint8

// The actors. The same status change may be legal for one and not for another.
const (
	Rollout       Actor = iota + 1 // the rollout loop, a join or a retry
	Device                         // the thing itself, over any surface
	Operator                       // a cancel without force
	OperatorForce                  // a cancel with force
	Timer                          // the in-progress or the step timer
	Removal                        // the thing left its last target group, or is gone
	Deletion                       // a delete without force
	DeletionForce                  // a delete with force, or of the whole job

	actors
)

var actorNames = [actors]string{"", "rollout", "device", "operator", "operator with force", "timer", "removal", "deletion", "deletion with force"}

// String returns the actor in lower-case words.
func (a Actor) String() string {
	if a >= actors {
		return "nobody"
	}
	return actorNames[a]
}

type edge struct {
	from Status
	by   Actor
	to   Status
}

// edges is the whole execution state machine [jobs-lifecycle]. What is not
// listed is illegal. To None means that the execution is deleted.
var edges = map[edge]bool{
	{None, Rollout, Queued}: true,

	{Queued, Device, InProgress}:     true,
	{Queued, Device, Succeeded}:      true, // devices may report the end without a start
	{Queued, Device, Failed}:         true,
	{Queued, Device, Rejected}:       true,
	{InProgress, Device, InProgress}: true,
	{InProgress, Device, Succeeded}:  true,
	{InProgress, Device, Failed}:     true,
	{InProgress, Device, Rejected}:   true,

	{Queued, Operator, Canceled}:          true,
	{Queued, OperatorForce, Canceled}:     true,
	{InProgress, OperatorForce, Canceled}: true,

	{InProgress, Timer, TimedOut}: true,

	{Queued, Removal, Removed}:     true,
	{InProgress, Removal, Removed}: true,

	{Queued, Deletion, None}:    true,
	{Succeeded, Deletion, None}: true,
	{Failed, Deletion, None}:    true,
	{TimedOut, Deletion, None}:  true,
	{Rejected, Deletion, None}:  true,
	{Removed, Deletion, None}:   true,
	{Canceled, Deletion, None}:  true,

	{Queued, DeletionForce, None}:     true,
	{InProgress, DeletionForce, None}: true,
	{Succeeded, DeletionForce, None}:  true,
	{Failed, DeletionForce, None}:     true,
	{TimedOut, DeletionForce, None}:   true,
	{Rejected, DeletionForce, None}:   true,
	{Removed, DeletionForce, None}:    true,
	{Canceled, DeletionForce, None}:   true,
}

// Allowed reports whether by may take an execution from one status to another.
func Allowed(from Status, by Actor, to Status) bool { return edges[edge{from, by, to}] }

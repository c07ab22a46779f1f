package store

// Busy says what there is to do in a part.
type Busy struct {
	Part int
	// Changes, Work and Dirty say whether there are rows of that kind.
	Changes, Work, Dirty bool
	// Due is the earliest stored deadline, or 0 if there is none.
	Due int64
}

// PartReader reads what loops have to look at.
type PartReader interface {
	// Busy returns what there is to do in the parts given, in their order. It
	// costs the same however much that is.
	Busy(parts []int) ([]Busy, error)
}

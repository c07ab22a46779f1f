package codec_test

import (
	"github.com/google/go-cmp/cmp"

	"muster/internal/mqtt/codec"
)

// equateEmptyLists lets a list that was used before be empty where a fresh one
// is nil. Byte slices stay apart: nil is absent, empty is not.
var equateEmptyLists = cmp.Options{
	emptyList[uint32](), emptyList[codec.Reason](), emptyList[codec.Subscription](), emptyList[[]byte](),
}

func emptyList[T any]() cmp.Option {
	return cmp.FilterValues(func(x, y []T) bool { return len(x) == 0 && len(y) == 0 }, cmp.Comparer(func(x, y []T) bool { return true }))
}

package registry

import (
	"context"
	"time"

	"muster/internal/store"
	"muster/internal/thing"
)

// sweepChunk bounds the members of one transaction, so that devices wait no
// longer than a few milliseconds for the writer.
const sweepChunk = 500

// GroupSweep is the loop that removes the members of deleted groups. It has the
// form of the engine's loops and is driven along with them.
type GroupSweep struct {
	r *Registry
}

// GroupSweep returns the loop. There should be one.
func (r *Registry) GroupSweep() *GroupSweep { return &GroupSweep{r} }

// Next returns the present if there may be a deleted group with members, else
// the zero time. It does not touch the store.
func (s *GroupSweep) Next(context.Context) (time.Time, error) {
	if s.r.dead.Load() {
		return s.r.clock(), nil
	}
	return time.Time{}, nil
}

// Once removes up to a chunk of members of the oldest deleted group and leaves a
// thing.Left for each, or forgets the group when it has none. It returns how
// much it did, 0 if there is no deleted group. Cut off at any point, it goes on
// where it was.
func (s *GroupSweep) Once(ctx context.Context, now time.Time) (int, error) {
	s.r.dead.Store(false)
	n, err := s.once(ctx, now.UnixMilli())
	if n > 0 || err != nil {
		s.r.dead.Store(true) // there may be more
	}
	return n, err
}

// Look makes the loop look for deleted groups of which it was not told, because
// another node has deleted them.
func (s *GroupSweep) Look() { s.r.dead.Store(true) }

func (s *GroupSweep) once(ctx context.Context, now int64) (int, error) {
	group, parts, err := s.find(ctx)
	if err != nil || group == 0 {
		return 0, err
	}
	if len(parts) == 0 {
		return 1, s.forget(ctx, group)
	}
	var n int
	for _, part := range parts {
		if n >= sweepChunk {
			break
		}
		removed, err := s.sweep(ctx, part, group, sweepChunk-n, now)
		n += removed
		if removed > 0 {
			s.r.changed(part)
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// find returns a deleted group and the parts in which it has members, or 0 if
// there is none.
func (s *GroupSweep) find(ctx context.Context) (group int64, parts []int, err error) {
	err = s.r.store.View(ctx, func(rd store.Reader) error {
		dead, err := rd.DeadGroups(1)
		if err != nil || len(dead) == 0 {
			return err
		}
		group = dead[0]
		for part := range s.r.store.Parts() {
			members, err := rd.Members(part, group, 0, 1)
			if err != nil {
				return err
			}
			if len(members) > 0 {
				parts = append(parts, part)
			}
		}
		return nil
	})
	return group, parts, err
}

// sweep removes up to limit members of a deleted group from a part.
func (s *GroupSweep) sweep(ctx context.Context, part int, group int64, limit int, now int64) (int, error) {
	var n int
	err := s.r.store.UpdatePart(ctx, part, 0, func(tx store.Tx) error {
		path, err := tx.DeadPath(group)
		if err != nil {
			return err
		}
		members, err := tx.Members(part, group, 0, limit)
		if err != nil {
			return err
		}
		n = len(members)
		if err := s.r.catchUp(tx, part); err != nil {
			return err
		}
		for _, m := range members {
			if err := s.r.leave(tx, path, m, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// forget takes a group off the list of the dead, unless it has a member after all.
func (s *GroupSweep) forget(ctx context.Context, group int64) error {
	err := s.r.store.Update(ctx, func(tx store.Tx) error {
		for part := range s.r.store.Parts() {
			members, err := tx.Members(part, group, 0, 1)
			if err != nil || len(members) > 0 {
				return err
			}
		}
		return tx.ForgetGroup(group)
	})
	if err == nil {
		s.r.log.DebugContext(ctx, "members of deleted group removed", "group", thing.TagResource(thing.GroupKind, group))
	}
	return err
}

package sqlite

import (
	"fmt"
	"time"

	"muster/internal/apierr"
	"muster/internal/store"
)

// Clock implements store.NodeReader: SQLite has no clock but the machine's.
func (r reader) Clock() (int64, error) { return time.Now().UnixMilli(), nil }

// Nodes implements store.NodeReader.
func (r reader) Nodes() ([]store.Node, error) {
	return all(r.c, func(r row) (store.Node, error) {
		return store.Node{
			ID: r.text(0), Slot: int(r.int(1)), Address: r.text(2),
			StartedAt: r.int(3), SeenAt: r.int(4), Until: r.int(5),
		}, nil
	}, `SELECT id, slot, address, started_at, seen_at, until FROM nodes ORDER BY id`)
}

// Leases implements store.NodeReader. A part without a row never had an owner.
func (r reader) Leases() ([]store.Lease, error) {
	ls := make([]store.Lease, r.s.parts)
	for part := range ls {
		ls[part].Part = part
	}
	err := r.c.query(`SELECT part, node, fence FROM fences`, func(r row) error {
		part := int(r.int(0))
		if part < 0 || part >= len(ls) {
			return fmt.Errorf("sqlite: fence of part %d of %d", part, len(ls))
		}
		ls[part].Node, ls[part].Fence = r.text(1), r.int(2)
		return nil
	})
	return ls, err
}

// PutNode implements store.NodeWriter.
func (t *tx) PutNode(n store.Node) error {
	_, err := t.c.exec(`INSERT INTO nodes (id, slot, address, started_at, seen_at, until) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET slot = excluded.slot, address = excluded.address,
			started_at = excluded.started_at, seen_at = excluded.seen_at, until = excluded.until`,
		n.ID, n.Slot, n.Address, n.StartedAt, n.SeenAt, n.Until)
	return err
}

// DeleteNode implements store.NodeWriter.
func (t *tx) DeleteNode(id string) error {
	_, err := t.c.exec(`DELETE FROM nodes WHERE id = ?`, id)
	return err
}

// PutLease implements store.NodeWriter. There is one writer, so no UpdatePart is
// under way.
func (t *tx) PutLease(l store.Lease) error {
	if l.Part < 0 || l.Part >= t.s.parts {
		return fmt.Errorf("sqlite: part %d of %d", l.Part, t.s.parts)
	}
	n, err := t.c.exec(`INSERT INTO fences (part, fence, node) VALUES (?, ?, ?)
		ON CONFLICT (part) DO UPDATE SET fence = excluded.fence, node = excluded.node WHERE fences.fence <= excluded.fence`,
		l.Part, l.Fence, l.Node)
	if err == nil && n == 0 {
		err = apierr.New(apierr.Conflict, "Part %d has been taken over: fence %d is older than the newest.", l.Part, l.Fence)
	}
	return err
}

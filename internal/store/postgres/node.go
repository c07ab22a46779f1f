package postgres

import (
	"fmt"

	"muster/internal/apierr"
	"muster/internal/store"
)

// Clock implements store.NodeReader. It is the clock of the database, and goes
// on during a transaction.
func (r reader) Clock() (int64, error) {
	return r.c.int(`SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint`)
}

// Nodes implements store.NodeReader.
func (r reader) Nodes() ([]store.Node, error) {
	return all(r.c, func(r row) (n store.Node, err error) {
		err = r.Scan(&n.ID, &n.Slot, &n.Address, &n.StartedAt, &n.SeenAt, &n.Until)
		return n, err
	}, `SELECT id, slot, address, started_at, seen_at, until FROM nodes ORDER BY id`)
}

// Leases implements store.NodeReader.
func (r reader) Leases() ([]store.Lease, error) {
	return all(r.c, func(r row) (l store.Lease, err error) {
		err = r.Scan(&l.Part, &l.Node, &l.Fence)
		return l, err
	}, `SELECT part, node, fence FROM parts ORDER BY part`)
}

// PutNode implements store.NodeWriter.
func (t *tx) PutNode(n store.Node) error {
	_, err := t.c.exec(`INSERT INTO nodes (id, slot, address, started_at, seen_at, until) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (id) DO UPDATE SET slot = excluded.slot, address = excluded.address,
			started_at = excluded.started_at, seen_at = excluded.seen_at, until = excluded.until`,
		n.ID, n.Slot, n.Address, n.StartedAt, n.SeenAt, n.Until)
	return err
}

// DeleteNode implements store.NodeWriter.
func (t *tx) DeleteNode(id string) error {
	_, err := t.c.exec(`DELETE FROM nodes WHERE id = $1`, id)
	return err
}

// PutLease implements store.NodeWriter. UpdatePart holds the row while
// it runs, so the update waits for those under way; those that come later wait
// for the commit and then read the new fence.
func (t *tx) PutLease(l store.Lease) error {
	if l.Part < 0 || l.Part >= t.s.parts {
		return fmt.Errorf("postgres: part %d of %d", l.Part, t.s.parts)
	}
	n, err := t.c.exec(`UPDATE parts SET node = $2, fence = $3 WHERE part = $1 AND fence <= $3`, l.Part, l.Node, l.Fence)
	if err == nil && n == 0 {
		err = apierr.New(apierr.Conflict, "Part %d has been taken over: fence %d is older than the newest.", l.Part, l.Fence)
	}
	return err
}

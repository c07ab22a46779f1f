package main

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
)

const (
	barePipes = 2   // that each have a statement under way: more are slower
	bareBatch = 128 // changes in a statement
	bareChunk = 5000
)

// bareStatements is the raw limit of updates on PostgreSQL: pipes that take the
// changes that wait together and make all of them by one statement that knows
// the keys. It reads nothing, checks nothing and counts nothing.
type bareStatements struct {
	seed    *seedDatabase
	pool    *pgxpool.Pool
	changes chan *bareChange
	wait    sync.WaitGroup
}

// bareChange is one worker's change, waiting for a pipe.
type bareChange struct {
	thing, progress int
	answer          chan error
}

// openStatements starts the pipes on a database that is a copy of a seed.
func openStatements(ctx context.Context, d *database, seed *seedDatabase, name string) (*bareStatements, error) {
	pool, err := d.pool(ctx, name, barePipes)
	if err != nil {
		return nil, err
	}
	b := &bareStatements{seed: seed, pool: pool, changes: make(chan *bareChange, 4*bareBatch)}
	for range barePipes {
		b.wait.Go(func() { b.run(ctx) })
	}
	return b, nil
}

func (b *bareStatements) close() {
	close(b.changes)
	b.wait.Wait()
	b.pool.Close()
}

// measure runs workers that change random rows.
func (b *bareStatements) measure(ctx context.Context, d *database, workers int, in interval) (shared, error) {
	return d.measure(ownCPU, func(cpu func() time.Duration) (sample, error) {
		return closedLoop(ctx, workers, in, cpu, func(int) (func() error, error) {
			c := &bareChange{answer: make(chan error, 1)}
			return func() error {
				c.thing, c.progress = rand.IntN(len(b.seed.rows)), rand.IntN(90)
				b.changes <- c
				return <-c.answer
			}, nil
		})
	})
}

func (b *bareStatements) run(ctx context.Context) {
	var batch []*bareChange
	for first := range b.changes {
		batch = append(batch[:0], first)
		for more := true; more && len(batch) < bareBatch; {
			select {
			case c, open := <-b.changes:
				if more = open; open {
					batch = append(batch, c)
				}
			default:
				more = false
			}
		}
		err := b.commit(ctx, batch)
		for _, c := range batch {
			c.answer <- err
		}
	}
}

// bareUpdate writes what a device's report changes.
const bareUpdate = `UPDATE live x SET status = 2, version = x.version + 1, turn = x.turn + 1, updated_at = $5, details = k.details
	FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::text[]) AS k(part, thing_uid, queued_at, details)
	WHERE x.part = k.part AND x.thing_uid = k.thing_uid AND x.queued_at = k.queued_at AND x.job_uid = $6 AND x.number = 1`

func (b *bareStatements) commit(ctx context.Context, batch []*bareChange) error {
	rows := b.seed.rows
	// In the order of the keys, or two pipes could wait for each other for ever.
	slices.SortFunc(batch, func(x, y *bareChange) int {
		return cmp.Or(cmp.Compare(rows[x.thing].part, rows[y.thing].part), cmp.Compare(x.thing, y.thing))
	})
	var parts []int32
	var things, queuedAt []int64
	var details []string
	for i, c := range batch {
		if i > 0 && c.thing == batch[i-1].thing {
			continue // a statement can change a row only once
		}
		r := rows[c.thing]
		parts, things, queuedAt = append(parts, r.part), append(things, r.uid), append(queuedAt, r.queuedAt)
		details = append(details, storedDetails[c.progress])
	}
	_, err := b.pool.Exec(ctx, bareUpdate, parts, things, queuedAt, details, time.Now().UnixMilli(), b.seed.job)
	return err
}

// bareRollout inserts the executions of all members of the group into a table
// as live is, empty and with the same indexes, and commits by chunks of a part, on
// as many connections as there are pipes. It is the raw limit of a rollout.
func bareRollout(ctx context.Context, d *database, seed *seedDatabase, name string) (out shared, err error) {
	pool, err := d.pool(ctx, name, barePipes)
	if err != nil {
		return out, err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, `CREATE TABLE bare (LIKE live INCLUDING ALL)`); err != nil {
		return out, err
	}
	return d.measure(ownCPU, func(cpu func() time.Duration) (sample, error) {
		used, begin := cpu(), time.Now()
		parts := make(chan int, seedParts)
		for p := range seedParts {
			parts <- p
		}
		close(parts)
		made := make([]int, barePipes)
		var g errgroup.Group
		for i := range barePipes {
			g.Go(func() error {
				for p := range parts {
					n, err := bareInsert(ctx, pool, seed, p)
					if err != nil {
						return err
					}
					made[i] += n
				}
				return nil
			})
		}
		err := g.Wait()
		x := sample{took: time.Since(begin), cpu: cpu() - used}
		for _, n := range made {
			x.ops += n
		}
		return x, err
	})
}

// bareQueue queues a job on a chunk of the members in a part, and returns the last.
const bareQueue = `WITH m AS MATERIALIZED (
		SELECT part, thing_uid, thing, uid FROM members WHERE group_uid = $1 AND part = $2 AND thing_uid > $3 ORDER BY thing_uid LIMIT $4
	), i AS (
		INSERT INTO bare (part, thing_uid, queued_at, job_uid, number, status, forced, version, started_at, updated_at,
			deadline, step, cause, armed, turn, thing)
		SELECT part, thing_uid, $5, $6, 1, 1, false, 1, 0, $5, 0, 0, uid, 0, 1, thing FROM m
	)
	SELECT count(*), coalesce(max(thing_uid), 0) FROM m`

func bareInsert(ctx context.Context, pool *pgxpool.Pool, seed *seedDatabase, part int) (made int, err error) {
	for last := int64(0); ; {
		var n int
		err := pool.QueryRow(ctx, bareQueue, seed.group, part, last, bareChunk, time.Now().UnixMilli(), seed.job+1).Scan(&n, &last)
		if err != nil || n == 0 {
			return made, err
		}
		made += n
	}
}

package sqlite

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// Dump is a database that is read to be copied elsewhere. Nobody else has its
// folder open meanwhile, and nothing in it is changed.
type Dump struct {
	c    *conn
	lock *flock.Flock
}

// OpenDump opens the database in a folder for reading. Its schema must be up to
// date.
func OpenDump(dir string) (*Dump, error) {
	file := filepath.Join(dir, "muster.db")
	_, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %s is not a data folder: %w", dir, err)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	d := &Dump{lock: lock}
	err = d.open(file)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Dump) open(file string) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	d.c, err = connectTo(file, url.Values{"mode": {"ro"}, "_pragma": {`query_only(ON)`, `cache_size(-65536)`}})
	if err != nil {
		return err
	}
	have, err := schemaVersion(d.c, file)
	if err != nil {
		return err
	}
	if have != int64(len(steps)) {
		return fmt.Errorf("sqlite: %s has schema version %d, and this Muster needs %d: let muster serve bring it up to date first", file, have, len(steps))
	}
	_, err = d.c.exec(`BEGIN`)
	return err
}

// Rows calls each for every row of a query, whose values are int64, string,
// []byte or nil. They are valid during the call only.
func (d *Dump) Rows(query string, each func([]any) error) error {
	var values []any
	return d.c.query(query, func(r row) error {
		values = values[:0]
		for _, v := range r {
			if b, ok := v.([]byte); ok && b == nil {
				v = []byte{} // not NULL
			}
			values = append(values, v)
		}
		return each(values)
	})
}

// Close closes the database.
func (d *Dump) Close() error {
	var err error
	if d.c != nil {
		err = d.c.close()
	}
	return errors.Join(err, d.lock.Close())
}

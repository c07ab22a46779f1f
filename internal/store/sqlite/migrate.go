package sqlite

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// applicationID marks a SQLite file as Muster's ("MUST").
const applicationID = 0x4d555354

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one step of the schema. Steps are never changed once released.
type migration struct {
	version int64
	name    string
	text    string
}

// migrations returns the steps in order. Their numbers start at 1 and have no gaps.
func migrations() ([]migration, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql") // in lexical order
	if err != nil {
		return nil, err
	}
	all := make([]migration, 0, len(names))
	for i, name := range names {
		digits, _, _ := strings.Cut(path.Base(name), "_")
		v, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || v != int64(i+1) {
			return nil, fmt.Errorf("sqlite: migration %s should have number %d", name, i+1)
		}
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, migration{v, name, string(text)})
	}
	return all, nil
}

// migrate brings the schema up to date, each step in a transaction of its own.
// A new database gets the given number of parts.
func migrate(c *conn, file string, parts int) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	have, err := schemaVersion(c, file)
	if err != nil {
		return err
	}
	newest := int64(len(steps))
	if have > newest {
		return fmt.Errorf("sqlite: %s has schema version %d, but this Muster knows versions up to %d: use the newer Muster that wrote it, or a backup", file, have, newest)
	}
	for _, m := range steps[have:] {
		err = m.apply(c, parts)
		if err != nil {
			return fmt.Errorf("sqlite: %s: migration %s: %w", file, m.name, err)
		}
	}
	return nil
}

// schemaVersion returns the version of the schema, 0 for an empty database.
func schemaVersion(c *conn, file string) (int64, error) {
	id, err := c.int(`PRAGMA application_id`)
	if err != nil {
		return 0, err
	}
	version, err := c.int(`PRAGMA user_version`)
	if err != nil {
		return 0, err
	}
	tables, err := c.int(`SELECT count(*) FROM sqlite_schema`)
	if err != nil {
		return 0, err
	}
	fresh := id == 0 && version == 0 && tables == 0
	if !fresh && id != applicationID {
		return 0, fmt.Errorf("sqlite: %s is a SQLite database, but not one of Muster's: move it away, or choose another folder", file)
	}
	return version, nil
}

func (m migration) apply(c *conn, parts int) error {
	text := fmt.Sprintf("BEGIN IMMEDIATE;\n%s\nPRAGMA user_version = %d;\n", m.text, m.version)
	if m.version == 1 {
		text += fmt.Sprintf("PRAGMA application_id = %d;\nINSERT INTO meta (key, value) VALUES ('parts', %d), ('floor', 0), ('epoch', 0), ('probe', 0);\n", applicationID, parts)
	}
	err := c.script(text + "COMMIT;")
	if err != nil {
		_ = c.rollback() // there may be nothing to roll back
	}
	return err
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

const (
	databaseName = "calib.sqlite"
	schemaFormat = 1
	// applicationID is how a database says that it is one of ours: "drpc".
	applicationID = 0x64727063
	// busyTimeout is how long one waits for another process that writes a row.
	busyTimeout = 10 * time.Second
)

// schema has one row for each set. The serials are a column, so that a query reads documents only of sets that it wants.
const schema = `
CREATE TABLE sets (
	seq       INTEGER PRIMARY KEY,
	id        TEXT NOT NULL UNIQUE,
	detector  TEXT NOT NULL,
	serials   TEXT NOT NULL,
	first_run INTEGER NOT NULL,
	last_run  INTEGER NOT NULL,
	document  TEXT NOT NULL
) STRICT;
CREATE INDEX by_detector ON sets (detector, first_run DESC, seq DESC);
CREATE TABLE arrays (
	set_id TEXT NOT NULL REFERENCES sets (id),
	sha256 TEXT NOT NULL,
	PRIMARY KEY (set_id, sha256)
) STRICT, WITHOUT ROWID;
`

// Embedded is a store in a folder.
type Embedded struct {
	dir      string
	db       *sql.DB
	payloads payloads
	lock     *os.File
	stmt     struct{ find, load, list, listAll, put, putArray, arrays, detectors *sql.Stmt }
	readOnly bool
	now      func() time.Time
}

// Open opens a store. That there is none is an error that counts as fs.ErrNotExist; Create makes one. A store that may
// not be written to can be read.
func Open(dir string) (*Embedded, error) {
	switch _, err := os.Stat(filepath.Join(dir, databaseName)); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("calib: there is no store in %s, drp calib put makes one: %w", dir, fs.ErrNotExist)
	case err != nil:
		return nil, fmt.Errorf("calib: open the store %s: %w", dir, err)
	}
	return open(dir)
}

// Create opens a store and makes it if there is none.
func Create(dir string) (*Embedded, error) {
	if err := os.MkdirAll(filepath.Join(dir, "arrays"), folderMode); err != nil {
		return nil, fmt.Errorf("calib: make a store: %w", err)
	}
	return open(dir)
}

func open(dir string) (*Embedded, error) {
	e := &Embedded{dir: dir, payloads: payloads{filepath.Join(dir, "arrays")}, now: time.Now}
	if err := e.begin(); err != nil {
		_ = e.Close()
		return nil, fmt.Errorf("calib: open the store %s: %w", dir, err)
	}
	return e, nil
}

func (e *Embedded) begin() (err error) {
	path := filepath.Join(e.dir, databaseName)
	e.lock, err = os.OpenFile(filepath.Join(e.dir, "lock"), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, fileMode)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		e.readOnly = true
	} else if err != nil {
		return err
	}
	if !e.readOnly { // SQLite would make it readable for everybody
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, fileMode)
		if err != nil {
			return err
		}
		_ = f.Close()
	}
	if e.db, err = sql.Open("sqlite", e.dsn(path)); err != nil {
		return err
	}
	e.db.SetMaxOpenConns(4)
	if err := e.migrate(); err != nil {
		return err
	}
	if err := e.prepare(); err != nil {
		return err
	}
	if e.readOnly {
		return nil
	}
	return e.clean()
}

// dsn keeps SQLite's rollback journal: a write is one row and rare, and unlike its write-ahead log the journal lets a
// store be read by who may not write to it. Writers take the lock before they read, so that two never wait for each
// other.
func (e *Embedded) dsn(path string) string {
	mode := "rwc"
	if e.readOnly {
		mode = "ro"
	}
	values := url.Values{"mode": {mode}, "_txlock": {"immediate"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "synchronous(FULL)", "foreign_keys(1)"}}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: values.Encode()}).String()
}

// migrate makes the tables of a new database, and refuses one that is not ours or newer than we are.
func (e *Embedded) migrate() error {
	tx, err := e.db.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: e.readOnly})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	var format, application, tables int
	if err := errors.Join(tx.QueryRow("PRAGMA user_version").Scan(&format),
		tx.QueryRow("PRAGMA application_id").Scan(&application),
		tx.QueryRow("SELECT count(*) FROM sqlite_schema").Scan(&tables)); err != nil {
		return err
	}
	switch {
	case tables > 0 && application != applicationID:
		return fmt.Errorf("%s is a database of something else", databaseName)
	case format > schemaFormat:
		return fmt.Errorf("%s has format %d, and this version knows %d: use a newer drp", databaseName, format, schemaFormat)
	case tables > 0:
		return nil
	}
	_, err = tx.Exec(fmt.Sprintf("%s PRAGMA user_version = %d; PRAGMA application_id = %d", schema, schemaFormat,
		applicationID))
	return errors.Join(err, tx.Commit())
}

func (e *Embedded) prepare() error {
	var failed error
	prepare := func(query string) *sql.Stmt {
		stmt, err := e.db.Prepare(query)
		failed = errors.Join(failed, err)
		return stmt
	}
	s := &e.stmt
	s.find = prepare(`SELECT id, serials FROM sets WHERE detector = ? AND first_run <= ? AND (last_run = 0 OR last_run >= ?)
		ORDER BY first_run DESC, seq DESC`)
	s.load = prepare(`SELECT id, document FROM sets WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY id LIMIT 2`)
	s.list = prepare(`SELECT id, json_remove(document, '$.geometry') FROM sets WHERE detector = ?
		ORDER BY seq DESC`)
	s.listAll = prepare(`SELECT id, json_remove(document, '$.geometry') FROM sets ORDER BY seq DESC`)
	s.detectors = prepare(`SELECT DISTINCT detector FROM sets ORDER BY detector LIMIT 10`)
	s.arrays = prepare(`SELECT DISTINCT sha256 FROM arrays`)
	s.put = prepare(`INSERT INTO sets (id, detector, serials, first_run, last_run, document) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET seq = (SELECT max(seq) + 1 FROM sets)`)
	s.putArray = prepare(`INSERT OR IGNORE INTO arrays (set_id, sha256) VALUES (?, ?)`)
	return failed
}

// clean removes what writers that died have left. As long as another process adds a set, or cleans, it does nothing.
func (e *Embedded) clean() error {
	if syscall.Flock(int(e.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil
	}
	defer func() { _ = syscall.Flock(int(e.lock.Fd()), syscall.LOCK_UN) }()
	rows, err := e.stmt.arrays.Query()
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	needed := map[string]bool{}
	for rows.Next() {
		var digest string
		if err := rows.Scan(&digest); err != nil {
			return err
		}
		needed[digest] = true
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if len(needed) == 0 { // the arrays of a database that was lost are worth more than the place they take
		return nil
	}
	return e.payloads.clean(needed)
}

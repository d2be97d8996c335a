package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"drp/calib"
)

// Close ends the use of the store.
func (e *Embedded) Close() error {
	var err error
	if e.db != nil {
		err = e.db.Close()
	}
	if e.lock != nil {
		err = errors.Join(err, e.lock.Close())
	}
	return err
}

// String is where the store is.
func (e *Embedded) String() string { return e.dir }

// Get is that of calib.Store. Of the sets that are valid for the run that with the highest first run is taken, and of
// several of these the one that was put last.
func (e *Embedded) Get(ctx context.Context, q calib.Query) (*calib.Set, error) {
	if len(q.Serials) == 0 {
		q.Serials = nil
	}
	rows, err := e.stmt.find.QueryContext(ctx, q.Detector, q.Run, q.Run)
	if err != nil {
		return nil, fmt.Errorf("calib: ask the store %s: %w", e.dir, err)
	}
	defer func() { _ = rows.Close() }()
	var others []string
	for rows.Next() {
		var id, has string
		if err := rows.Scan(&id, &has); err != nil {
			return nil, fmt.Errorf("calib: ask the store %s: %w", e.dir, err)
		}
		serials := strings.Split(has, ".")
		if !containsAll(serials, q.Serials) {
			if !slices.Contains(others, has) {
				others = append(others, has)
			}
			continue
		}
		_ = rows.Close() // the set is read without it
		s, err := e.Load(ctx, id)
		if err != nil {
			return nil, err
		}
		return s.Subset(q.Serials), nil
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("calib: ask the store %s: %w", e.dir, err)
	}
	return nil, e.none(ctx, q, others)
}

func containsAll(have, want []string) bool {
	for _, w := range want {
		if !slices.Contains(have, w) {
			return false
		}
	}
	return true
}

// none says why there is nothing.
func (e *Embedded) none(ctx context.Context, q calib.Query, others []string) error {
	const shown = 3
	if len(others) > 0 {
		return fmt.Errorf("calib: %w of %s for run %d that hold the segments %s: the store %s has them of %s", calib.ErrNone,
			q.Detector, q.Run, calib.Serial(q.Serials), e.dir, strings.Join(others[:min(shown, len(others))], ", "))
	}
	entries, err := e.List(ctx, q.Detector)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		others := fmt.Sprintf("the %d sets in the store %s are for other runs, the newest", len(entries), e.dir)
		if len(entries) == 1 {
			others = fmt.Sprintf("the only set in the store %s is", e.dir)
		}
		return fmt.Errorf("calib: %w of %s for run %d: %s for %s", calib.ErrNone, q.Detector, q.Run, others,
			Runs(&entries[0].Set))
	}
	var known []string
	if rows, err := e.stmt.detectors.QueryContext(ctx); err == nil {
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var name string
			if rows.Scan(&name) == nil {
				known = append(known, name)
			}
		}
	}
	if len(known) == 0 {
		return fmt.Errorf("calib: %w of %s: the store %s is empty", calib.ErrNone, q.Detector, e.dir)
	}
	return fmt.Errorf("calib: %w of %s: the store %s knows %s", calib.ErrNone, q.Detector, e.dir, strings.Join(known, ", "))
}

// Runs says what runs a set is for: "runs 5 to 9", "runs from 5 on".
func Runs(s *calib.Set) string {
	switch {
	case s.LastRun == 0:
		return fmt.Sprintf("runs from %d on", s.FirstRun)
	case s.LastRun == s.FirstRun:
		return fmt.Sprintf("run %d", s.FirstRun)
	}
	return fmt.Sprintf("runs %d to %d", s.FirstRun, s.LastRun)
}

// Load is that of calib.Store.
func (e *Embedded) Load(ctx context.Context, id string) (*calib.Set, error) {
	found, err := e.documents(ctx, e.stmt.load, id)
	switch {
	case err != nil:
		return nil, err
	case id == "" || len(found) == 0:
		return nil, fmt.Errorf("calib: %w with the id %q in the store %s", calib.ErrNone, id, e.dir)
	case len(found) > 1 && found[0].ID != id:
		return nil, fmt.Errorf("calib: several sets of the store %s have an id that begins with %q: give more of it", e.dir, id)
	}
	d, s := found[0].Document, found[0].Document.Set()
	s.ID = found[0].ID
	for _, a := range d.Arrays {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := e.payloads.read(s, a); err != nil {
			return nil, refused(d.Detector, "%s of the set %s: %v", a.Name, found[0].ID, err)
		}
	}
	if err := verify(s); err != nil {
		return nil, err
	}
	return s, nil
}

// listed is a document with its id, as it is in a list.
type listed struct {
	ID       string    `json:"id"`
	Document *Document `json:"document"`
}

func (e *Embedded) documents(ctx context.Context, stmt *sql.Stmt, args ...any) (all []listed, err error) {
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("calib: ask the store %s: %w", e.dir, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id, text string
		if err := rows.Scan(&id, &text); err != nil {
			return nil, fmt.Errorf("calib: ask the store %s: %w", e.dir, err)
		}
		d, err := ParseDocument([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("calib: set %s of the store %s: %w", id, e.dir, err)
		}
		all = append(all, listed{ID: id, Document: d})
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("calib: ask the store %s: %w", e.dir, err)
	}
	return all, nil
}

// List is that of calib.Store, also without geometries; no detector is all of them.
func (e *Embedded) List(ctx context.Context, detector string) ([]calib.Entry, error) {
	stmt, args := e.stmt.listAll, []any(nil)
	if detector != "" {
		stmt, args = e.stmt.list, []any{detector}
	}
	all, err := e.documents(ctx, stmt, args...)
	if err != nil {
		return nil, err
	}
	entries := make([]calib.Entry, len(all))
	for i, l := range all {
		entries[i] = calib.Entry{ID: l.ID, Set: *l.Document.Set()}
	}
	return entries, nil
}

// Put is that of calib.Store. To put what is there already makes it the newest again.
func (e *Embedded) Put(ctx context.Context, s *calib.Set) (string, error) {
	if e.readOnly {
		return "", fmt.Errorf("calib: put a set: the store %s may only be read: %w", e.dir, fs.ErrPermission)
	}
	given := *s // which stays as it is
	s = &given
	if s.Provenance.When.IsZero() {
		s.Provenance.When = e.now().UTC().Truncate(time.Second)
	}
	d, err := prepare(s)
	if err != nil {
		return "", err
	}
	id, err := d.ID()
	if err != nil {
		return "", err
	}
	if err := e.add(ctx, id, d, s); err != nil {
		return "", fmt.Errorf("calib: put a set of %s into the store %s: %w", s.Detector, e.dir, err)
	}
	return id, nil
}

func (e *Embedded) add(ctx context.Context, id string, d *Document, s *calib.Set) error {
	lock, err := os.Open(e.lock.Name()) // of its own, since a lock belongs to an open file
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_SH); err != nil {
		return err
	}
	for _, a := range d.Arrays {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.payloads.add(s, a); err != nil {
			return err
		}
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	tx, err := e.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.StmtContext(ctx, e.stmt.put).ExecContext(ctx, id, d.Detector, calib.Serial(d.Serials), d.FirstRun,
		d.LastRun, string(text)); err != nil {
		return err
	}
	for _, a := range d.Arrays {
		if _, err := tx.StmtContext(ctx, e.stmt.putArray).ExecContext(ctx, id, a.SHA256); err != nil {
			return err
		}
	}
	return tx.Commit()
}

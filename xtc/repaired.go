package xtc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// repairedSuffix ends the name of the note that Repair leaves beside a big file, so that it stays known that its run was
// aborted when its name does not say so any more.
const repairedSuffix = ".repaired"

// A RepairNote is what Repair found when it completed a big file.
type RepairNote struct {
	When     time.Time `json:"when"`
	Bytes    int64     `json:"bytes"` // of this file since; a file of another size is another one
	Events   int       `json:"events"`
	Others   int       `json:"transitions"`
	CutBytes int64     `json:"cut_bytes"` // of all chunks, as the numbers above
	Notes    []string  `json:"notes,omitempty"`
}

func (n *RepairNote) String() string {
	return fmt.Sprintf("the run was aborted: on %s drp xtc repair recovered %d events and %d transitions, and cut %d bytes off",
		n.When.UTC().Format(time.DateTime), n.Events, n.Others, n.CutBytes)
}

// leaveNotes writes the notes before anything gets its final name. One that is there is of a repair that was interrupted,
// and saw more than can be seen now. They are not synced: a power cut that spoils one leaves its name, which says enough.
func (r *repairer) leaveNotes() error {
	for i := range r.big {
		b := &r.big[i]
		if b.path == b.final && i > 0 {
			continue
		}
		note := RepairNote{When: time.Now(), Bytes: b.good, Events: r.report.Events, Others: r.report.Others,
			CutBytes: r.report.CutBytes, Notes: r.report.Notes}
		if old, err := readNote(b.final); err == nil && old.Bytes == b.good {
			continue
		}
		text, err := json.MarshalIndent(&note, "", "  ")
		if err == nil {
			err = os.WriteFile(b.final+repairedSuffix, append(text, '\n'), outputFileMode)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readNote reads the note beside a big file.
func readNote(path string) (*RepairNote, error) {
	const enough = 1 << 20
	f, err := os.Open(path + repairedSuffix)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	note := &RepairNote{}
	if err := json.NewDecoder(io.LimitReader(f, enough)).Decode(note); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return note, nil
}

// noted finds the note of the file that is checked.
func (c *checker) noted() {
	note, err := readNote(c.report.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		c.warn(fmt.Sprintf("the note of a repair cannot be read: %v", err), 0)
	case note.Bytes == c.report.Bytes:
		c.report.Repaired = note
	}
}

// hardlyBegun tells that nothing was written to any file of a run: its writer was killed at its start.
func (r *repairer) hardlyBegun(first string) bool {
	for _, path := range inProgressOf(first, r.small) {
		info, err := os.Stat(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() > 0 {
			return false
		}
	}
	_, err := os.Stat(first)
	return errors.Is(err, fs.ErrNotExist)
}

// discard removes the files of a run that was hardly begun. The big file goes last, by which they are found again.
func (r *repairer) discard(first string) error {
	for _, path := range inProgressOf(first, r.small) {
		err := os.Remove(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		r.report.Removed = append(r.report.Removed, path)
	}
	return nil
}

func inProgressOf(first, small string) []string {
	return []string{first + crcSuffix + inProgressSuffix, small + inProgressSuffix, first + inProgressSuffix}
}

// putAway takes the last chunk out of the way in which there is no whole datagram: what is in it is kept under another
// name, if that is anything. It is done last, since by this file an interrupted repair is found again.
func (r *repairer) putAway() error {
	if r.barren == "" {
		return nil
	}
	final := strings.TrimSuffix(r.barren, inProgressSuffix)
	if err := os.Remove(final + crcSuffix + inProgressSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	info, err := os.Stat(r.barren)
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		r.note("%s, where the run was to go on, was empty: removed", r.barren)
		return os.Remove(r.barren)
	}
	r.note("%s, where the run was to go on, holds no whole datagram: its %d bytes are in %s now", r.barren, info.Size(),
		filepath.Base(final)+cutSuffix)
	return os.Rename(r.barren, final+cutSuffix)
}

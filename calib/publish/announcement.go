package publish

import (
	"encoding/hex"
	"fmt"
	"time"

	"drp/calib"
	"drp/internal/wire"
)

// FormatVersion is that of announcements, descriptions and chunks.
const FormatVersion = 1

// Announcement says which constants hold from now on, and where they are. It is sent as msgpack, with these names.
type Announcement struct {
	Format     int    `json:"format"`
	Partition  string `json:"partition"`
	Publisher  string `json:"publisher"` // the process: pid, start time and boot id
	Sequence   uint64 `json:"sequence"`  // of this publisher and detector; each number is sent once
	Generation uint64 `json:"generation"`
	Run        int    `json:"run"`   // for which they were fetched
	Loops      bool   `json:"loops"` // its events come again and again, and no step once all have come

	Detector   string            `json:"detector"`
	Model      string            `json:"model"`
	Serials    []string          `json:"serials"`
	Places     []int             `json:"places"` // in the whole set that the geometry is for; nil is 0, 1, 2, ...
	FirstRun   int               `json:"first_run"`
	LastRun    int               `json:"last_run"`
	Unit       string            `json:"unit"`
	Rows       int               `json:"rows"`
	Cols       int               `json:"cols"`
	CommonMode *calib.CommonMode `json:"common_mode"`
	Who        string            `json:"who"`
	When       string            `json:"when"` // RFC 3339
	From       string            `json:"from"`
	Comment    string            `json:"comment"`
	SetID      string            `json:"set"` // its id in the store, also where this is a part of it; may be empty

	Digest  string  `json:"digest"`  // of calib.Set
	Segment int     `json:"segment"` // the id to attach by, on the machine of the publisher
	Bytes   int     `json:"bytes"`   // of the arrays together, from the first to the end of the last
	Layout  []Array `json:"layout"`
}

// Limits of what an announcement may say; they are those of calib.Set.Check.
const (
	maxSide    = 1 << 16
	maxSerials = 4096
)

func announce(s *calib.Set, layout []Array, end int) Announcement {
	return Announcement{
		Format: FormatVersion, Detector: s.Detector, Model: s.Model, Serials: s.Serials, Places: s.Places, FirstRun: s.FirstRun,
		LastRun: s.LastRun, Unit: string(s.Unit), Rows: s.Rows, Cols: s.Cols, CommonMode: s.CommonMode,
		Who: s.Provenance.Who, When: s.Provenance.When.Format(time.RFC3339Nano), From: s.Provenance.From,
		Comment: s.Provenance.Comment, SetID: s.ID, Digest: s.Digest, Bytes: end - arraysAt, Layout: layout,
	}
}

// parse reads an announcement that somebody sent.
func parse(b []byte) (*Announcement, error) {
	a := &Announcement{}
	if err := wire.Unmarshal(b, a); err != nil {
		return nil, fmt.Errorf("calib: an announcement that cannot be read: %w", err)
	}
	digest, err := hex.DecodeString(a.Digest)
	switch {
	case a.Format != FormatVersion:
		return nil, fmt.Errorf("calib: an announcement of format %d, and this program reads %d", a.Format, FormatVersion)
	case err != nil || len(digest) != digestBytes:
		return nil, fmt.Errorf("calib: an announcement with the digest %.80q", a.Digest)
	case a.Rows < 1 || a.Cols < 1 || a.Rows > maxSide || a.Cols > maxSide || len(a.Serials) < 1 || len(a.Serials) > maxSerials:
		return nil, fmt.Errorf("calib: an announcement of %d segments of %d x %d pixels", len(a.Serials), a.Rows, a.Cols)
	case len(a.Places) > 0 && len(a.Places) != len(a.Serials):
		return nil, fmt.Errorf("calib: an announcement of %d places for %d segments", len(a.Places), len(a.Serials))
	case a.Bytes < 0:
		return nil, fmt.Errorf("calib: an announcement of %d bytes", a.Bytes)
	}
	return a, nil
}

// set makes the set that was announced out of the memory in which its arrays lie, which begins at offset start of the shm
// segment.
func (a *Announcement) set(memory []byte, start int) (*calib.Set, error) {
	when, _ := time.Parse(time.RFC3339Nano, a.When) // without one it is the year 1
	s := &calib.Set{
		Detector: a.Detector, Model: a.Model, Serials: a.Serials, Places: a.Places, FirstRun: a.FirstRun, LastRun: a.LastRun,
		Unit: calib.Unit(a.Unit), Rows: a.Rows, Cols: a.Cols, CommonMode: a.CommonMode, Digest: a.Digest, ID: a.SetID,
		Provenance: calib.Provenance{Who: a.Who, When: when, From: a.From, Comment: a.Comment},
	}
	return s, view(s, a.Layout, memory, start)
}

// Attach attaches the constants that were announced. When the publisher has gone on to others meanwhile, it fails, and
// another announcement is on its way.
func (a *Announcement) Attach() (*Attached, error) {
	got, err := Attach(a.Segment)
	if err != nil {
		return nil, err
	}
	if got.Generation != a.Generation || got.Set.Digest != a.Digest {
		_ = got.Close()
		return nil, fmt.Errorf("calib: shm segment %d holds generation %d of %s and not generation %d of %s", a.Segment,
			got.Generation, got.Set.Detector, a.Generation, a.Detector)
	}
	return got, nil
}

package fex

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"drp/internal/world"
	"drp/pebble"
	"drp/shm"
)

// protocolVersion is checked in the handshake, since the Python package is installed on its own.
const protocolVersion = 2

// hello is what a child is told first.
type hello struct {
	Version     int        `json:"version"`
	Workers     int        `json:"workers"`
	Transitions ringHello  `json:"transitions"`
	Publisher   string     `json:"publisher,omitempty"` // whose constants count
	Expt        string     `json:"expt"`
	Run         int        `json:"run"`
	Stream      int        `json:"stream"`
	Detector    string     `json:"detector"`
	Source      []byte     `json:"source,omitempty"` // the text of the script, so that all children run the same
	Decided     bool       `json:"decided,omitempty"`
	Trial       bool       `json:"trial,omitempty"`    // what the script makes is thrown away
	Settings    *ringHello `json:"settings,omitempty"` // the board
	*place                 // of a worker; a spare has none yet
}

// place is what makes a child the one of a worker.
type place struct {
	Worker int       `json:"worker"`
	Raw    ringHello `json:"raw"`
	Result ringHello `json:"result"`

	Hits *ringHello `json:"hits,omitempty"`
}

// Area is memory with a place for each slot of a worker's ring, which its children only read.
type Area struct {
	Segment, Slots, SlotBytes int
	Offset                    int // of the first in the payload
}

func (a *Area) describe() *ringHello {
	return &ringHello{ID: a.Segment, Offset: shm.HeaderBytes + a.Offset, Slots: a.Slots, SlotBytes: a.SlotBytes}
}

type ringHello struct {
	ID               int `json:"id"`
	Offset           int `json:"offset"`
	Slots            int `json:"slots"`
	SlotBytes        int `json:"slot_bytes"`
	TransitionOffset int `json:"transition_offset,omitempty"`
	TransitionBytes  int `json:"transition_bytes,omitempty"`
}

// greeting is what a child answers.
type greeting struct {
	Version int    `json:"version"`
	PID     int    `json:"pid"`
	Python  string `json:"python"`
	NumPy   string `json:"numpy"`
	DRP     string `json:"drp"`
}

// greet exchanges the handshake; it gives up after the time allowed.
func greet(w world.World, p Process, h hello, allowed time.Duration) (greeting, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return greeting{}, err
	}
	var overdue atomic.Bool
	defer w.After(allowed, func() { overdue.Store(true); p.Kill() })()
	first := record{kind: kindHello, bytes: uint32(len(text))}
	if err = p.Write(append(first.append(nil), text...)); err == nil {
		text, err = readGreeting(p)
	}
	var wrong *languageError
	switch {
	case errors.As(err, &wrong):
		p.Kill()
		return greeting{}, err
	case err != nil && overdue.Load():
		return greeting{}, p.NotStarted(errTooLate)
	case err != nil:
		return greeting{}, p.NotStarted(err)
	}
	var g greeting
	if err := json.Unmarshal(text, &g); err != nil || g.Version != protocolVersion {
		p.Kill()
		return g, fmt.Errorf("fex: the Python package drp speaks protocol %d and this program %d: install the one that "+
			"belongs to it (pip install ./python)", g.Version, protocolVersion)
	}
	return g, nil
}

// errTooLate is why a child was ended that gave no answer.
var errTooLate = errors.New("fex: the Python child gave no answer in time and was ended")

// languageError is what a child says that is none of ours.
type languageError struct{}

func (*languageError) Error() string {
	return "fex: the child does not speak our protocol: is another package named drp installed?"
}

func readGreeting(p Process) ([]byte, error) {
	var r record
	buf := make([]byte, recordBytes)
	if err := readFull(p, buf); err != nil {
		return nil, err
	}
	r.parse(buf)
	if r.kind != kindHello || r.bytes > 1<<16 {
		return nil, &languageError{}
	}
	buf = make([]byte, r.bytes)
	return buf, readFull(p, buf)
}

func readFull(p Process, b []byte) error {
	for len(b) > 0 {
		n, err := p.Read(b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func describeRing(r *pebble.Ring, offset int) ringHello {
	return ringHello{ID: r.SegmentID(), Offset: offset, Slots: r.Slots(), SlotBytes: r.SlotBytes()}
}

// placeOf describes the ring of a worker and the results that belong to it.
func (cfg *Config) placeOf(id int, ring *pebble.Ring, results *pebble.Results) *place {
	p := &place{Worker: id, Raw: describeRing(ring, shm.HeaderBytes), Result: ringHello{ID: results.SegmentID(),
		Offset: shm.HeaderBytes, Slots: ring.Slots(), SlotBytes: results.SlotBytes(),
		TransitionOffset: shm.HeaderBytes + results.TransitionOffset(), TransitionBytes: results.TransitionBytes()}}
	if id < len(cfg.Hits) {
		p.Hits = cfg.Hits[id].describe()
	}
	return p
}

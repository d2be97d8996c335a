package drp

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"drp/calib"
	"drp/source"
)

// Simulated is the store of the constants of a simulated camera, which its parameters say. They are made when they are
// asked for first.
type Simulated struct {
	name   string // as a source
	params source.SimParams
	made   func() (*calib.Set, error)
}

// SimulatedID is the id of the only set.
const SimulatedID = "simulated"

// NewSimulated takes the name of a simulated camera, as that of a source: sim:key=value,...
func NewSimulated(name string) (*Simulated, error) {
	p, err := source.ParseSim(strings.TrimPrefix(name, "sim:"))
	if err != nil {
		return nil, err
	}
	return &Simulated{name: name, params: p, made: sync.OnceValues(func() (*calib.Set, error) {
		set, err := p.Constants()
		if err == nil {
			set.ID, set.Provenance.From = SimulatedID, name
		}
		return set, err
	})}, nil
}

// String is its name.
func (s *Simulated) String() string { return s.name }

// Close implements io.Closer; nothing is held.
func (s *Simulated) Close() error { return nil }

// Known tells whether there are constants, which takes no time.
func (s *Simulated) Known() bool { return s.params.HasConstants() }

// Get implements calib.Store.
func (s *Simulated) Get(_ context.Context, q calib.Query) (*calib.Set, error) {
	set, err := s.made()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", calib.ErrNone, err)
	}
	if q.Detector == set.Detector {
		if part := set.Subset(q.Serials); part != nil {
			return part, nil
		}
	}
	return nil, fmt.Errorf("%w of %s, segments %s: %s is another camera", calib.ErrNone, q.Detector, calib.Serial(q.Serials), s.name)
}

// Load implements calib.Store.
func (s *Simulated) Load(_ context.Context, id string) (*calib.Set, error) {
	set, err := s.made()
	if err == nil && id != SimulatedID {
		err = fmt.Errorf("%w with the id %s: those of %s have the id %s", calib.ErrNone, id, s.name, SimulatedID)
	}
	return set, err
}

// List implements calib.Store.
func (s *Simulated) List(_ context.Context, detector string) ([]calib.Entry, error) {
	set, err := s.made()
	if err != nil || detector != "" && detector != set.Detector {
		return nil, err
	}
	e := calib.Entry{ID: SimulatedID, Set: *set}
	e.Pedestals, e.Gains, e.RMS, e.Status, e.Mask = nil, nil, nil, nil, nil
	return []calib.Entry{e}, nil
}

// Put implements calib.Store.
func (s *Simulated) Put(context.Context, *calib.Set) (string, error) {
	return "", fmt.Errorf("%s: a simulated camera has its own constants, and nothing can be put there: name another store", s.name)
}

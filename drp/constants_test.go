package drp_test

import (
	"context"
	"encoding/binary"
	"math"
	"sync"

	"drp/calib"
	"drp/calib/publish"
	"drp/drp"
	"drp/shm"
)

// fakeConstants is a store and a publisher of one set for each run.
type fakeConstants struct {
	mu         sync.Mutex
	set        func(q calib.Query) (*calib.Set, error)
	chosen     map[string]string
	fetched    []calib.Query
	generation uint64
	held       []*shm.Segment
	steps      int // that asked whether something was chosen
}

func (f *fakeConstants) Fetch(_ context.Context, q calib.Query) (*calib.Set, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fetched = append(f.fetched, q)
	return f.set(q)
}

func (f *fakeConstants) Publish(_ int, _ bool, s *calib.Set) (drp.Held, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.generation++
	n := 4 * len(s.Pedestals)
	seg, err := shm.Create(2*n + len(s.Mask))
	if err != nil {
		return drp.Held{}, err
	}
	f.held = append(f.held, seg)
	for i, v := range append(append([]float32(nil), s.Pedestals...), s.Gains...) {
		binary.LittleEndian.PutUint32(seg.Bytes()[4*i:], math.Float32bits(v))
	}
	copy(seg.Bytes()[2*n:], s.Mask)
	shape := []int{1, len(s.Serials), s.Rows, s.Cols}
	return drp.Held{Set: s, Generation: f.generation, Segment: seg.ID(), Layout: []publish.Array{
		{Name: "pedestals", DType: "<f4", Shape: shape, Offset: shm.HeaderBytes},
		{Name: "gains", DType: "<f4", Shape: shape, Offset: shm.HeaderBytes + n},
		{Name: "mask", DType: "|u1", Shape: shape[1:], Offset: shm.HeaderBytes + 2*n},
	}}, nil
}

func (f *fakeConstants) Chosen(det string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := f.chosen[det]
	delete(f.chosen, det)
	return id
}

func (f *fakeConstants) Load(ctx context.Context, _ string, q calib.Query) (*calib.Set, error) {
	return f.Fetch(ctx, q)
}

func (f *fakeConstants) Close() error {
	for _, s := range f.held {
		_ = s.Close()
	}
	return nil
}

// camSet is constants of testkit's camera; each pixel has others.
func camSet(q calib.Query, add float32) *calib.Set {
	s := &calib.Set{Detector: "cam", Model: "testcam", Serials: q.Serials, Unit: calib.KeV, Rows: 4, Cols: 6}
	for i := range len(s.Serials) * s.SegmentPixels() {
		s.Pedestals = append(s.Pedestals, float32(i)+add)
		s.Gains = append(s.Gains, 1+float32(i)/7)
		s.Mask = append(s.Mask, uint8(min(1, i%5)))
	}
	s.Seal()
	return s
}

// lying is a publisher whose segments are not there.
type lying struct{ *fakeConstants }

func (l lying) Publish(run int, step bool, s *calib.Set) (drp.Held, error) {
	held, err := l.fakeConstants.Publish(run, step, s)
	held.Segment = 1<<31 - 1
	return held, err
}

// choosing is somebody who chooses other constants once the first are published.
type choosing struct{ *fakeConstants }

func (c choosing) Chosen(det string) string {
	c.mu.Lock()
	first := c.generation == 1 && len(c.fetched) == 1
	c.steps++
	first = first && c.steps == 2
	c.mu.Unlock()
	if first {
		return "another"
	}
	return ""
}

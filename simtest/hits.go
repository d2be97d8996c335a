package simtest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"drp/calib"
	"drp/calib/correct"
	"drp/drp"
	"drp/hit"
	"drp/xtc"
)

// drawHits lets some of the seeds with constants look for hits.
func (p *plan) drawHits(rng *rand.Rand) {
	if !p.calibrated || rng.IntN(2) == 0 {
		return
	}
	c := hit.Default()
	c.Finder, c.AtLeast, c.MaxPeaks = "peakfinder8", 1+rng.IntN(2), 1+rng.IntN(8)
	c.Peakfinder8 = hit.Peakfinder8{Statistics: []string{hit.Full, hit.Sampled, hit.Carried}[rng.IntN(3)], MinSNR: 0.3 + rng.Float64(),
		MinPixCount: 1, MaxPixCount: 4 + rng.IntN(40), LocalBGRadius: 1 + rng.IntN(3), Refresh: 1 + rng.IntN(12)}
	p.searches, p.hits = true, drp.Hits{Config: c, Only: rng.IntN(2) == 0, DropRaw: rng.IntN(2) == 0}
}

// area is where drp puts what it finds in the events of a worker, as its child was told.
type area struct {
	mem          []byte
	offset, step int
}

// findArea takes it out of what a child was told about its place.
func (c *child) findArea(text []byte) {
	var place struct {
		Hits *struct {
			ID        int `json:"id"`
			Offset    int `json:"offset"`
			SlotBytes int `json:"slot_bytes"`
		} `json:"hits"`
	}
	if err := json.Unmarshal(text, &place); err != nil || (place.Hits != nil) != (c.lab.plan.searches) {
		c.lab.problem("child %d is told about hits: %s", c.pid, text)
		return
	}
	if h := place.Hits; h != nil {
		c.area = area{c.lab.attach(h.ID), h.Offset, h.SlotBytes}
	}
}

// attach maps a segment of drp, once.
func (l *lab) attach(id int) []byte {
	mem := l.attached[id]
	if mem == nil {
		var err error
		if mem, err = unix.SysvShmAttach(id, 0, unix.SHM_RDONLY); err != nil {
			l.problem("segment %d: %v", id, err)
			return nil
		}
		l.attached[id] = mem
	}
	return mem
}

// seeHits notes what a script sees of an event, by the layout of docs/formats.md.
func (c *child) seeHits(e *event, n int64, slot uint32) {
	if c.area.mem == nil {
		return
	}
	head := c.area.mem[c.area.offset+int(slot)*c.area.step:]
	word := func(at int) uint32 { return binary.LittleEndian.Uint32(head[at:]) }
	if head[7] != 1 {
		c.lab.problem("event %d was not searched before a script saw it", n)
		return
	}
	number := func(at int) float32 { return math.Float32frombits(word(at)) }
	kept := word(36)
	e.seen = &hit.Record{Summary: hit.Summary{Count: word(0), Hit: head[4] != 0, Truncated: head[5] != 0, Peaks: word(8), Pixels: word(12),
		Switched: word(16), Photons: word(20), Total: number(24), Max: number(28), Background: number(32)}, By: hit.Maker(head[6]),
		Thresholds: binary.LittleEndian.Uint64(head[40:]),
		Peaks:      slices.Clone(unsafe.Slice((*hit.Peak)(unsafe.Pointer(&head[64])), kept))}
}

// search finds the hits of all events again, as their raw pixels came and in their order, with the constants of their time.
func (l *lab) search() {
	if !l.plan.searches {
		return
	}
	plans := map[uint64]*hit.Plan{}
	var carry *hit.Carry
	var began uint64
	step, in := -1, 0
	for _, n := range l.order {
		e := l.events[n]
		if e.skipped || e.corrupt || e.generation == 0 {
			continue
		}
		p := plans[e.generation]
		if p == nil {
			p = l.planOf(l.pedestals[e.generation-1])
			plans[e.generation] = p
		}
		frame := hit.Frame{Raw: l.rawOf(e)}
		if l.plan.hits.Peakfinder8.Statistics == hit.Carried {
			if e.step != step || in == l.plan.hits.Peakfinder8.Refresh {
				carry, began, step, in = p.NewCarry(&frame), e.time, e.step, 0
			}
			in++
			frame.Carried = carry
		}
		var r hit.Result
		p.NewFinder().Find(&frame, &r)
		e.hits = &hit.Record{Summary: r.Summary, Thresholds: began, Peaks: slices.Clone(r.Peaks)}
	}
}

func (l *lab) planOf(pedestal float32) *hit.Plan {
	cam := l.plan.camera
	s := &calib.Set{Model: simType, Serials: []string{"a"}, Unit: calib.ADU, Rows: cam.Rows, Cols: cam.Cols}
	for range s.SegmentPixels() {
		s.Pedestals, s.Gains = append(s.Pedestals, pedestal), append(s.Gains, 1)
	}
	tables, err := correct.NewTables(s, nil)
	if err != nil {
		l.problem("%v", err)
	}
	p, err := hit.NewPlan(l.plan.hits.Config, hit.Camera{Tables: tables, Unit: s.Unit, Numbers: []int{0}})
	if err != nil {
		l.problem("%v", err)
	}
	return p
}

// rawOf gives the raw pixels of an event of the simulated camera, the first of its blocks.
func (l *lab) rawOf(e *event) [][]uint16 {
	const headers = 3*xtc.XtcHeaderBytes + 4*xtc.MaxRank
	payload := e.payload
	if e.searched != nil {
		payload = e.searched
	}
	raw := make([]uint16, l.plan.camera.Rows*l.plan.camera.Cols)
	for i := range raw {
		raw[i] = binary.LittleEndian.Uint16(payload[headers+2*i:])
	}
	return [][]uint16{raw}
}

// passed tells that no script was to be shown an event.
func (l *lab) passed(e *event) bool {
	return l.plan.searches && l.plan.hits.Only && e.hits != nil && !e.hits.Hit && !e.flipped
}

// judgeHits looks whether what is recorded of hits is what there is, and what a script saw.
func (l *lab) judgeHits(n int64, e *event, r *recorded) {
	if !l.plan.searches || e.corrupt || e.flipped {
		if r.hits != nil {
			l.problem("event %d has hits that nobody can have found", n)
		}
		return
	}
	switch {
	case r.hits == nil:
		l.problem("event %d is recorded without its hits", n)
	case !sameHits(r.hits, e.hits):
		l.problem("event %d: %+v is recorded of hits, and there are %+v", n, *r.hits, *e.hits)
	case e.seen != nil && !sameHits(e.seen, e.hits):
		l.problem("event %d: a script saw %+v of hits, and there are %+v", n, *e.seen, *e.hits)
	case e.seen != nil && e.shown == 1 && e.seen.By != r.hits.By:
		l.problem("event %d was searched by %d, and a script saw %d", n, r.hits.By, e.seen.By)
	case r.used != e.generation:
		l.problem("event %d was searched with generation %d, and %d held", n, r.used, e.generation)
	case l.passed(e) && e.shown > 0:
		l.problem("event %d is no hit, and a script saw it", n)
	}
	if r.hits != nil {
		l.judgeMaker(n, r.hits.By)
	}
}

func sameHits(a, b *hit.Record) bool {
	return a.Summary == b.Summary && a.Thresholds == b.Thresholds && slices.Equal(a.Peaks, b.Peaks)
}

// goodUnseen tells whether an event that no script was to see is recorded as it must be.
func (v *verdict) goodUnseen(e *event, r *recorded, keepRaw bool) bool {
	if v.lab.plan.hits.DropRaw && !keepRaw {
		return r.damage == 0 && r.value == -1 && !r.raw
	}
	return r.damage == 0 && r.value == -1 && bytes.Equal(r.payload, e.payload)
}

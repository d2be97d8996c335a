package simtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"drp/calib"
	"drp/drp"
	"drp/shm"
	"drp/xtc"
)

// constants is a store and a publisher with troubles of their own. All pixels of a set have the same pedestal, by which
// the set is known again in what was made with it.
type constants struct {
	lab  *lab
	sets int
}

// fetch is the store at work: slow, gone, wrong, or without constants for the run.
func (c *constants) fetch(ctx context.Context, q calib.Query) (*calib.Set, error) {
	l := c.lab
	if l.happens(l.plan.slowStore) {
		l.trace("the store is slow")
		for until := l.world.Now() + l.soon(10*time.Second); l.world.Now() < until; {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			l.world.Sleep(100 * time.Millisecond)
		}
	}
	switch {
	case l.happens(l.plan.badStore):
		return nil, errors.New("the store is gone")
	case l.happens(l.plan.noConstants):
		return nil, fmt.Errorf("the store has %w for run %d", calib.ErrNone, q.Run)
	}
	c.sets++
	cam := l.plan.camera
	s := &calib.Set{Detector: q.Detector, Model: simType, Serials: q.Serials, Unit: calib.ADU, Rows: cam.Rows, Cols: cam.Cols}
	if l.happens(l.plan.badStore) {
		s.Serials = append(s.Serials, "another")
	}
	for range cam.Segments * s.SegmentPixels() {
		s.Pedestals, s.Gains = append(s.Pedestals, float32(c.sets)), append(s.Gains, 1)
	}
	s.Seal()
	l.trace("the store gives set %d for run %d", c.sets, q.Run)
	return s, nil
}

// Fetch implements drp.Constants.
func (c *constants) Fetch(ctx context.Context, q calib.Query) (*calib.Set, error) {
	return c.fetch(ctx, q)
}

// Load implements drp.Constants.
func (c *constants) Load(ctx context.Context, _ string, q calib.Query) (*calib.Set, error) {
	return c.fetch(ctx, q)
}

// Publish implements drp.Constants.
func (c *constants) Publish(run int, _ bool, s *calib.Set) (drp.Held, error) {
	l := c.lab
	if l.inChild > 0 {
		l.problem("constants change while %d events are worked on", l.inChild)
	}
	l.pedestals = append(l.pedestals, s.Pedestals[0])
	l.trace("generation %d is published for run %d", len(l.pedestals), run)
	return drp.Held{Set: s, Generation: uint64(len(l.pedestals)), Segment: 1}, nil
}

// Chosen implements drp.Constants.
func (c *constants) Chosen(string) string {
	if c.lab.happens(c.lab.plan.choices) {
		return "another"
	}
	return ""
}

// Close implements drp.Constants.
func (c *constants) Close() error { return nil }

// simType is the detector type of the simulated camera: as long as the one it has, and without gain ranges.
const simType = "simulate"

// told takes note of constants in a transition.
func (c *child) told(d xtc.Dgram) {
	switch d.Service() {
	case xtc.Configure, xtc.BeginRun:
		c.generation, c.begun = 0, d.Service() == xtc.BeginRun
	case xtc.BeginStep:
	default:
		return
	}
	news := d.Service() != xtc.BeginStep
	for it := c.table.Blocks(d); it.Next(); {
		if b := it.Block(); b.Names.DetName == "calibration" && b.Names.Alg == "constants" {
			v, _ := b.FieldNamed("generation")
			g := binary.LittleEndian.Uint64(v.Data)
			news = news || g != c.generation
			c.generation = g
		}
	}
	if news {
		c.part = nil
	}
}

// made is a part that drp has told of.
type made struct {
	number int
	mem    []byte
	stride int
}

// look reads the corrected pixels of an event, prepared or on request, and compares them with the constants it was told.
func (c *child) look(n int64, r []byte, d xtc.Dgram) error {
	l := c.lab
	e, holds := l.events[n], c.holds(l.events[n])
	place := int(binary.LittleEndian.Uint16(r[2:]))
	if c.part == nil || place == 0 || c.part.number >= int(r[1]>>2) {
		var err error
		if place, err = c.want(r, holds); err != nil || place < 0 {
			return err
		}
	} else {
		place--
	}
	e.used = holds
	for it := c.table.Blocks(d); it.Next(); {
		if b := it.Block(); b.Names.Alg == "raw" {
			raw := float32(binary.LittleEndian.Uint16(b.Field(0).Data))
			got := math.Float32frombits(binary.LittleEndian.Uint32(c.part.mem[place*c.part.stride:]))
			if want := raw - l.pedestals[holds-1]; got != want && !e.flipped {
				l.problem("event %d: a pixel is %v and was corrected to %v, want %v with generation %d", n, raw, got, want, holds)
			}
			break
		}
	}
	return nil
}

// holds is the generation by which drp corrects an event: of what the child was told of. Where its text could not begin the run it was
// told of nothing.
func (c *child) holds(e *event) uint64 {
	if !c.begun {
		return e.generation
	}
	return c.generation
}

// want asks for corrected pixels; it gives -1 when there are none.
func (c *child) want(r []byte, holds uint64) (place int, err error) {
	l := c.lab
	inHand := c.inHand[len(c.inHand)-1]
	c.flush()
	if !c.liar {
		c.inHand = append(c.inHand[:0], inHand) // the answers of those before are sent
	}
	ask := append([]byte(nil), r...)
	ask[0], ask[1] = kindWant, 0
	raw := c.table.Find(c.lab.plan.camera.Name, "raw")
	binary.LittleEndian.PutUint32(ask[16:], uint32(raw[0].ID))
	binary.LittleEndian.PutUint32(ask[20:], 1)
	c.say(ask)
	for {
		next, err := c.need(recordBytes)
		if err != nil {
			return 0, err
		}
		if next[0] != kindWant {
			c.aside = append(c.aside, next...)
			continue
		}
		a := append([]byte(nil), next...)
		text := 0
		if a[1] != 0 {
			text = int(binary.LittleEndian.Uint32(a[12:]))
		}
		why, err := c.need(text)
		if err != nil {
			return 0, err
		}
		if text > 0 {
			l.trace("child %d: no corrected pixels: %s", c.pid, why)
		}
		rest := slices.Concat(c.aside, c.in.Bytes())
		c.in.Reset()
		c.in.Write(rest)
		c.aside = nil
		return c.answered(a, holds)
	}
}

// answered takes the answer to a want.
func (c *child) answered(a []byte, holds uint64) (place int, err error) {
	l := c.lab
	if (a[1] != 0) != (holds == 0) {
		l.problem("child %d asked for corrected pixels, and generation %d holds: status %d", c.pid, holds, a[1])
	}
	if a[1] != 0 || holds == 0 {
		return -1, nil
	}
	id := int(binary.LittleEndian.Uint32(a[8:]))
	mem := l.attach(id)
	if mem == nil {
		return -1, nil
	}
	c.part = &made{number: int(binary.LittleEndian.Uint16(a[2:])), mem: mem[shm.HeaderBytes:],
		stride: int(binary.LittleEndian.Uint32(a[16:]))}
	return int(binary.LittleEndian.Uint32(a[4:])), nil
}

// detach gives the memory back that children looked at.
func (l *lab) detach() {
	for _, mem := range l.attached {
		_ = unix.SysvShmDetach(mem)
	}
}

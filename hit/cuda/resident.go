package cuda

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"drp/hit"
)

// Limits are the lengths of the lists that a frame has on the device. A frame that needs more is searched by the CPU.
type Limits struct{ Candidates, Groups, Peaks int }

// defaultLimits are for frames of megapixels: pixels above their limits, groups of them, and peaks.
var defaultLimits = Limits{Candidates: 1 << 16, Groups: 1 << 13, Peaks: 1 << 11}

const (
	headBytes   = int(unsafe.Sizeof(Head{}))
	recordBytes = int(unsafe.Sizeof(Record{}))
)

func (l *Limits) outBytes() int { return headBytes + l.Peaks*recordBytes }

// resident is a plan on the device: its constants, and the buffers of each lane. The goroutine of the GPU has it.
type resident struct {
	g      *GPU
	plan   *hit.Plan
	stride int // of a frame, in bytes
	owned  []Memory
	rooms  []*room // of the lanes
	users  int     // batches that are filled or under way

	own, carried []step // of frames with thresholds of their own, and of others
}

func (r *resident) steps(carried bool) []step {
	if carried {
		return r.carried
	}
	return r.own
}

// room is the buffers of a lane.
type room struct {
	params                            Memory // where its Params lie
	raw, limit, below, least          Memory
	mean, offset                      Memory
	out                               Memory
	back                              []byte // of out, on the host
	limits, belows, means, offsetsOut []byte // carried thresholds of all frames, on the host
}

// load puts a plan on the device.
func (g *GPU) load(p *hit.Plan) (*resident, error) {
	t := newTables(p, g.o.Limits)
	r := &resident{g: g, plan: p, stride: 2 * stride(p), own: steps(p, false), carried: steps(p, true)}
	params := t.params
	for _, c := range []struct {
		to   *Memory
		from []byte
	}{
		{&params.Pedestal, bytesOf(t.pedestal)}, {&params.Codes, bytesOf(t.codes)}, {&params.Pedestals, bytesOf(t.pedestals)},
		{&params.Factors, bytesOf(t.factors)}, {&params.Bin, bytesOf(t.bin)}, {&params.PanelOf, bytesOf(t.panelOf)},
		{&params.Panels, bytesOf(t.panels)}, {&params.Sample, bytesOf(p.Sample)}, {&params.SampleAt, bytesOf(p.SampleAt)},
		{&params.Ring, bytesOf(p.Ring)}, {&params.RingAt, bytesOf(p.RingAt)},
	} {
		if len(c.from) == 0 {
			continue
		}
		if err := r.alloc(c.to, len(c.from)); err != nil {
			return nil, errors.Join(err, r.free())
		}
		if err := g.o.Driver.Write(*c.to, c.from); err != nil {
			return nil, errors.Join(fmt.Errorf("copy the constants: %w", err), r.free())
		}
	}
	for range g.lanes {
		if err := r.room(params); err != nil {
			return nil, errors.Join(err, r.free())
		}
	}
	return r, nil
}

// alloc takes memory of the device that goes with the plan.
func (r *resident) alloc(to *Memory, bytes int) error {
	m, err := r.g.o.Driver.Alloc(bytes)
	if err != nil {
		return fmt.Errorf("allocate %d bytes: %w", bytes, err)
	}
	*to, r.owned = m, append(r.owned, m)
	return nil
}

// room makes the buffers of the next lane.
func (r *resident) room(params Params) error {
	n, bins, most := r.g.o.Batch, int(params.Bins), &r.g.o.Limits
	var m room
	r.rooms = append(r.rooms, &m)
	for _, b := range []struct {
		to    *Memory
		bytes int
	}{
		{&params.Raw, r.stride}, {&params.Limit, 4 * bins}, {&params.Below, 4 * bins}, {&params.Least, 4 * bins},
		{&params.Most, 4 * bins}, {&params.Open, 4 * bins}, {&params.Mean, 8 * bins},
		{&params.Offset, 8 * bins}, {&params.Lo, 4 * bins}, {&params.Hi, 4 * bins}, {&params.Sums, SumsBytes * bins},
		{&params.Parent, 2 * r.stride}, {&params.Candidates, 4 * most.Candidates}, {&params.Groups, GroupBytes * most.Groups},
		{&params.Out, most.outBytes()},
	} {
		if err := r.alloc(b.to, n*b.bytes); err != nil {
			return err
		}
	}
	m.raw, m.limit, m.below, m.least, m.mean, m.offset, m.out = params.Raw, params.Limit, params.Below, params.Least, params.Mean,
		params.Offset, params.Out
	for _, h := range []struct {
		to    *[]byte
		bytes int
	}{{&m.back, most.outBytes()}, {&m.limits, 4 * bins}, {&m.belows, 4 * bins}, {&m.means, 8 * bins}, {&m.offsetsOut, 8 * bins}} {
		b, err := r.g.hostMemory(n * h.bytes)
		if err != nil {
			return err
		}
		*h.to = b
	}
	if err := r.alloc(&m.params, int(unsafe.Sizeof(params))); err != nil {
		return err
	}
	return r.g.o.Driver.Write(m.params, bytesOf([]Params{params}))
}

// free gives all memory back.
func (r *resident) free() (err error) {
	for _, m := range r.owned {
		err = errors.Join(err, r.g.o.Driver.Free(m))
	}
	for _, m := range r.rooms {
		for _, b := range [][]byte{m.back, m.limits, m.belows, m.means, m.offsetsOut} {
			if b != nil {
				err = errors.Join(err, r.g.freeHost(b))
			}
		}
	}
	r.owned, r.rooms = nil, nil
	return err
}

// hostMemory gives memory that the collector of garbage does not know, and the device does, if it will.
func (g *GPU) hostMemory(bytes int) ([]byte, error) {
	b, err := syscall.Mmap(-1, 0, max(bytes, 1), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("cuda: map %d bytes: %w", bytes, err)
	}
	if err := g.o.Driver.Register(b); err != nil {
		g.unregistered(err)
	} else {
		g.known[&b[0]] = true
	}
	return b, nil
}

func (g *GPU) freeHost(b []byte) (err error) {
	if g.known[&b[0]] {
		delete(g.known, &b[0])
		err = g.o.Driver.Unregister(b)
	}
	return errors.Join(err, syscall.Munmap(b))
}

// thresholds notes the carried thresholds of a frame of a batch.
func (m *room) thresholds(frame int, t *hit.Thresholds) {
	n := len(t.Limit)
	copy(m.limits[4*n*frame:], bytesOf(t.Limit))
	copy(m.belows[4*n*frame:], bytesOf(t.Below))
	copy(m.means[8*n*frame:], bytesOf(t.Mean))
	copy(m.offsetsOut[8*n*frame:], bytesOf(t.Offset))
}

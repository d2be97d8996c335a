package page

import (
	"math"
	"strconv"

	"drp/calib/correct"
	"drp/drp"
	"drp/monitor"
	"drp/xtc"
)

// event is one that was looked at, and is kept for a while.
type event struct {
	row
	seq     uint64 // among those that were looked at
	time    uint64 // as in the datagram
	missed  uint64
	peaks   []spot
	rings   []ring
	scene   *scene    // nil without a picture
	raw     []uint16  // pixels as they came
	values  []float32 // or those of a field that has no raw pixels
	lacking []bool    // segments that the event has no pixels of; nil is none
}

// row is what a list of events tells of one.
type row struct {
	Number    int64    `json:"number"`
	Pulse     string   `json:"pulse"`
	Timestamp float64  `json:"timestamp"` // seconds since 1970
	Hit       *bool    `json:"hit"`       // null where nobody has looked
	Peaks     int      `json:"npeaks"`
	Flags     []string `json:"flags"`
	Reason    string   `json:"reason,omitempty"`
}

// spot is a peak in the picture.
type spot struct{ x, y, total, snr float32 }

// mostPeaks is how many peaks go with a picture.
const mostPeaks = 2048

var yes, no = true, false

// tell fills in what is known of an event without its pixels.
func (e *event) tell(it *monitor.Item) {
	d := it.Dgram
	e.row = row{Number: it.Number, Pulse: strconv.FormatUint(d.Time(), 10), Timestamp: float64(xtc.WallTime(d.Time()).UnixNano()) * 1e-9,
		Flags: e.Flags[:0]}
	e.time = d.Time()
	e.missed, e.peaks, e.rings, e.scene, e.lacking = it.Missed, e.peaks[:0], e.rings[:0], nil, nil
	for _, f := range []struct {
		set  bool
		name string
	}{{it.Flags&monitor.Hit != 0, "hit"}, {it.Flags&monitor.Rejected != 0, "rejected"}, {it.Flags&monitor.Vetoed != 0, "vetoed"},
		{d.Damage() != 0, "damaged"}} {
		if f.set {
			e.Flags = append(e.Flags, f.name)
		}
	}
}

// take fills in what its frame tells.
func (e *event) take(f *drp.Frame) {
	e.Pulse = strconv.FormatUint(f.Pulse, 10)
	if !f.Recorded {
		return
	}
	e.Hit, e.Peaks = &no, int(f.Hits.Summary.Peaks)
	if f.Hits.Hit {
		e.Hit = &yes
	}
}

// place finds where its peaks and rings are.
func (e *event) place(f *drp.Frame) {
	if e.scene == nil {
		return
	}
	if f.Recorded {
		for i := range f.Hits.Peaks[:min(len(f.Hits.Peaks), mostPeaks)] {
			p := &f.Hits.Peaks[i]
			if x, y, there := e.scene.spot(int(p.Segment), float64(p.Row), float64(p.Col)); there {
				e.peaks = append(e.peaks, spot{float32(x), float32(y), p.Total, p.SNR})
			}
		}
	}
	e.rings = e.scene.rings(e.rings, e.scene.photons(f), e.scene.far(f))
}

// copyRaw takes the raw pixels of a frame.
func (e *event) copyRaw(f *drp.Frame) {
	n := e.scene.rows * e.scene.cols
	e.values = e.values[:0]
	e.raw = grown(e.raw, e.scene.pixels())
	for i, raw := range f.Raw {
		to := e.raw[i*n : (i+1)*n]
		if raw == nil {
			if e.lacking == nil {
				e.lacking = make([]bool, len(f.Raw))
			}
			e.lacking[i] = true
			clear(to)
			continue
		}
		copy(to, raw)
	}
}

// copyField takes the numbers of a field.
func (e *event) copyField(v xtc.Value) {
	n := v.Len()
	e.raw = e.raw[:0]
	e.values = grown(e.values, n)
	for i := range n {
		e.values[i] = float32(v.FloatAt(i))
	}
}

// grown is a slice of n, with the memory of an old one where that is enough.
func grown[T any](old []T, n int) []T {
	if cap(old) < n {
		return make([]T, n)
	}
	return old[:n]
}

// bytes is what an event takes in memory.
func (e *event) bytes() int { return 2*cap(e.raw) + 4*cap(e.values) }

// ring is a circle around the beam.
type ring struct {
	d      float64 // resolution in angstrom, or the radius where that is not known
	radius float64 // pixels
	known  bool
}

// resolutions are those that rings are drawn at, in angstrom.
var resolutions = [...]float64{100, 50, 30, 20, 15, 10, 8, 6, 5, 4, 3.5, 3, 2.5, 2.2, 2, 1.8, 1.6, 1.4, 1.2, 1.1, 1, 0.9, 0.8}

// rings are a few around the beam, not too close to each other: at round resolutions where the energy and the distance are
// known, else at round radii; none where nobody knows where the beam is.
func (s *scene) rings(to []ring, energy, distance float64) []ring {
	farthest := s.farthest()
	if farthest <= 0 {
		return to
	}
	least, last := farthest/8, 0.
	if !(energy > 0) || distance <= 0 {
		step := math.Pow(10, math.Floor(math.Log10(farthest/2)))
		for _, k := range []float64{0.25, 0.5, 1} {
			if farthest/(k*step) <= 8 {
				step *= k
				break
			}
		}
		for r := step; r < farthest && len(to) < 16; r += step {
			to = append(to, ring{r, r, false})
		}
		return to
	}
	for _, d := range resolutions {
		sine := correct.HC / energy / (2 * d)
		if sine >= math.Sqrt2/2 { // it goes backwards
			break
		}
		r := distance * math.Tan(2*math.Asin(sine))
		if r >= farthest {
			break
		}
		if r-last >= least {
			to = append(to, ring{d, r, true})
			last = r
		}
	}
	return to
}

// fieldOf finds the largest array of numbers with two or three dimensions among the blocks of an event that has no raw
// pixels, as a script may have recorded one.
func fieldOf(t *xtc.Table, d xtc.Dgram) (name string, v xtc.Value, shape [3]int) {
	for it := t.Blocks(d); it.Next(); {
		b := it.Block()
		for i := range b.Names.Entries {
			f := b.Field(i)
			if f.Rank < 2 || f.Rank > 3 || f.Type == xtc.CharStr || f.Len() <= v.Len() || f.Len() > mostNumbers {
				continue
			}
			n := b.Names
			name, v = n.DetName+"."+n.Alg+"."+n.Entries[i].Name, f
			shape = [3]int{1, int(f.Shape[0]), int(f.Shape[1])}
			if f.Rank == 3 {
				shape = [3]int{int(f.Shape[0]), int(f.Shape[1]), int(f.Shape[2])}
			}
		}
	}
	return name, v, shape
}

// mostNumbers is the largest picture.
const mostNumbers = 1 << 26

// kept are the events that were looked at last. Their memory goes round.
type kept struct {
	most, mostBytes int
	all             []*event // oldest first
	seq             uint64
}

// room gives an event to be filled: the oldest, when there is no room for more of them.
func (k *kept) room() *event {
	bytes := 0
	for _, e := range k.all {
		bytes += e.bytes()
	}
	n := len(k.all)
	if n == 0 || n < k.most && bytes+bytes/n <= k.mostBytes {
		return &event{}
	}
	e := k.all[0]
	k.all = append(k.all[:0], k.all[1:]...)
	return e
}

// trim forgets the oldest, but for the last one, and the plans of pictures.
func (k *kept) trim() {
	bytes, n := 0, len(k.all)
	for n > 0 && (n == len(k.all) || bytes+k.all[n-1].bytes() <= k.mostBytes) {
		n--
		bytes += k.all[n].bytes()
	}
	k.all = append([]*event(nil), k.all[n:]...)
	for _, e := range k.all {
		if e.scene != nil {
			e.scene.forget()
		}
	}
}

// add keeps an event.
func (k *kept) add(e *event) {
	k.seq++
	e.seq = k.seq
	k.all = append(k.all, e)
}

// again tells whether an event is the one that was kept last: a replay that stands still shows it to all who come.
func (k *kept) again(it *monitor.Item) bool {
	n := len(k.all)
	return n > 0 && k.all[n-1].Number == it.Number && k.all[n-1].time == it.Dgram.Time()
}

// find gives the latest of a number, nil if it is gone.
func (k *kept) find(number int64) *event {
	for i := len(k.all) - 1; i >= 0; i-- {
		if k.all[i].Number == number {
			return k.all[i]
		}
	}
	return nil
}

// latest is the last with a picture, of hits only where those are meant.
func (k *kept) latest(hits bool) *event {
	for i := len(k.all) - 1; i >= 0; i-- {
		if e := k.all[i]; e.scene != nil && (!hits || e.Hit != nil && *e.Hit) {
			return e
		}
	}
	return nil
}

func (k *kept) close() { k.all = nil }

package page

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"
)

// kind is what a stream shows.
type kind string

const (
	kindEvent kind = "event"
	kindSum   kind = "sum"
	kindMax   kind = "max"
	kindNone  kind = "none"
)

// picture is the payload of a frame: a head of JSON and pixels. Its memory is used again when nobody has it any more.
type picture struct {
	kind    kind
	bin     int
	head    []byte // with its length before it
	pixels  []byte
	radial  []float64
	holders int
}

// draw makes the picture of an event.
func (g *painter) draw(to *picture, e *event, bin int) {
	p := e.scene.plan(bin)
	g.values = grown(g.values, p.places())
	g.means(g.values, e, p)
	to.kind, to.bin = kindEvent, bin
	g.finish(to, e, p, 0)
}

// drawSum makes the picture of a sum, or of the highest values, with what is known of the latest event.
func (g *painter) drawSum(to *picture, s *sums, e *event, k kind, bin int) {
	p := s.scene.plan(bin)
	g.values = grown(g.values, p.places())
	if k == kindSum {
		decimateSome(g.values, p, s.sum)
	} else {
		decimateSome(g.values, p, s.max)
	}
	to.kind, to.bin = k, bin
	g.finish(to, e, p, s.events)
}

// finish levels the values, and writes the head.
func (g *painter) finish(to *picture, e *event, p *plan, events int) {
	to.pixels = grown(to.pixels, 2*p.places())
	l := g.level(to.pixels, g.values, p)
	to.radial = g.profile.means(to.radial[:0], p)
	b := binary.LittleEndian.AppendUint32(to.head[:0], 0) // its length, which is known in the end
	b = append(b, `{"number":`...)
	b = strconv.AppendInt(b, e.Number, 10)
	b = append(append(append(b, `,"pulse":"`...), e.Pulse...), `","timestamp":`...)
	b = strconv.AppendFloat(b, e.Timestamp, 'f', 9, 64)
	b = append(append(append(b, `,"kind":"`...), to.kind...), '"')
	b = member(b, "events", float64(events))
	b = member(b, "rows", float64(p.high))
	b = member(b, "cols", float64(p.wide))
	b = member(b, "bin", float64(p.bin))
	b = append(b, `,"offset":`...)
	b = strconv.AppendFloat(b, l.offset, 'g', -1, 64)
	b = append(b, `,"scale":`...)
	b = strconv.AppendFloat(b, l.scale, 'g', -1, 64)
	for _, v := range []struct {
		name  string
		value float64
	}{{"min", float64(l.min)}, {"max", float64(l.max)}, {"p1", l.p1}, {"p50", l.p50}, {"p99", l.p99}, {"p999", l.p999}} {
		b = member(b, v.name, v.value)
	}
	s := e.scene
	b = append(b, `,"corrected":`...)
	b = strconv.AppendBool(b, s.tables != nil)
	b = append(b, `,"unit":`...)
	b = strconv.AppendQuote(b, s.unit)
	b = append(b, `,"source":`...)
	b = strconv.AppendQuote(b, s.source)
	b = append(b, `,"full":[`...)
	b = append(strconv.AppendInt(append(strconv.AppendInt(b, int64(s.high), 10), ','), int64(s.wide), 10), ']')
	b = e.found(b)
	b = around(b, e, to.radial, p.step)
	b = append(b, '}')
	binary.LittleEndian.PutUint32(b, uint32(len(b)-4))
	to.head = b
}

// member appends a number, as short as one can show it, and null where it is none.
func member(b []byte, name string, v float64) []byte {
	b = append(append(append(b, ',', '"'), name...), '"', ':')
	return number(b, v)
}

func number(b []byte, v float64) []byte {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return append(b, "null"...)
	case v == math.Trunc(v) && math.Abs(v) < 1e15:
		return strconv.AppendInt(b, int64(v), 10)
	}
	return strconv.AppendFloat(b, v, 'g', 6, 64)
}

// found appends what was found in an event, and what became of it.
func (e *event) found(b []byte) []byte {
	b = append(b, `,"hit":`...)
	if e.Hit == nil {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendBool(b, *e.Hit)
	}
	b = member(b, "npeaks", float64(e.Peaks))
	b = append(b, `,"peaks":[`...)
	for i := range e.peaks {
		p := &e.peaks[i]
		b = append(between(b, i), '[')
		b = strconv.AppendFloat(b, float64(p.x), 'f', 2, 32)
		b = strconv.AppendFloat(append(b, ','), float64(p.y), 'f', 2, 32)
		b = number(append(b, ','), float64(p.total))
		b = append(number(append(b, ','), float64(p.snr)), ']')
	}
	b = append(b, `],"flags":[`...)
	for i, f := range e.Flags {
		b = append(append(append(between(b, i), '"'), f...), '"')
	}
	b = append(b, ']')
	if e.Reason != "" {
		b = strconv.AppendQuote(append(b, `,"reason":`...), e.Reason)
	}
	return member(b, "missed", float64(e.missed))
}

func between(b []byte, i int) []byte {
	if i > 0 {
		return append(b, ',')
	}
	return b
}

// around appends what there is around the beam.
func around(b []byte, e *event, radial []float64, step float64) []byte {
	x, y, known := e.scene.centre()
	b = append(b, `,"rings":[`...)
	for i, r := range e.rings {
		b = append(between(b, i), `{"d":`...)
		b = number(b, r.d)
		if r.known {
			b = append(b, `,"unit":"Å","r":`...)
		} else {
			b = append(b, `,"unit":"px","r":`...)
		}
		b = append(strconv.AppendFloat(b, r.radius, 'f', 1, 64), '}')
	}
	b = append(b, `],"centre":`...)
	if !known {
		return append(b, `null,"radial":null`...)
	}
	b = strconv.AppendFloat(append(b, '['), x, 'f', 2, 64)
	b = append(strconv.AppendFloat(append(b, ','), y, 'f', 2, 64), ']')
	b = append(b, `,"radial":{"step":`...)
	b = append(number(b, step), `,"unit":"px","values":[`...)
	for i, v := range radial {
		b = number(between(b, i), v)
	}
	return append(b, "]}"...)
}

// sums are those of the events that were looked at: not of all, since nobody may hold the run up for them.
type sums struct {
	scene  *scene
	events int
	sum    []float64 // of each pixel, NaN where nothing is known yet
	max    []float32
	last   time.Time
}

func (s *sums) reset() { s.events = 0 }

// add adds an event.
func (s *sums) add(g *painter, e *event, now time.Time) {
	if s.scene != e.scene || s.events == 0 {
		n := max(len(e.raw), len(e.values))
		s.scene, s.events = e.scene, 0
		s.sum, s.max = grown(s.sum, n), grown(s.max, n)
		for i := range s.sum { // none is known yet
			s.sum[i], s.max[i] = math.NaN(), float32(math.NaN())
		}
	}
	s.events++
	s.last = now
	for from, to := 0, 0; from < e.scene.pixels(); from = to {
		to = g.correct(e, from)
		sum, high := s.sum[from:to], s.max[from:to]
		for i, v := range g.of(e)[from:to] {
			if v <= high[i] && v >= -math.MaxFloat32 { // nearly all
				sum[i] += float64(v)
			} else if v-v == 0 {
				if high[i] != high[i] { // the first one of this pixel
					sum[i] = 0
				}
				sum[i], high[i] = sum[i]+float64(v), v
			}
		}
	}
}

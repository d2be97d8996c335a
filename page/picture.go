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

// corrected gives the pixels of an event, one more than there are, which is 0; those that are not there are NaN.
func (g *painter) corrected(e *event) []float32 {
	if len(e.values) > 0 {
		return e.values
	}
	s := e.scene
	n := s.rows * s.cols
	g.pixels = grown(g.pixels, s.pixels()+1)
	for i := range s.segments {
		to, raw := g.pixels[i*n:(i+1)*n], e.raw[i*n:(i+1)*n]
		switch {
		case e.lacking != nil && e.lacking[i]:
			for k := range to {
				to[k] = float32(math.NaN())
			}
		case s.tables != nil:
			s.tables.Float32(to, raw, i)
		default:
			for k, v := range raw {
				to[k] = float32(v)
			}
		}
	}
	g.pixels[s.pixels()] = 0
	return g.pixels
}

// draw makes the picture of an event.
func (g *painter) draw(to *picture, e *event, bin int) {
	p := e.scene.plan(bin)
	g.values = grown(g.values, len(p.share))
	g.means(g.values, e, p)
	to.kind, to.bin = kindEvent, bin
	g.finish(to, e, p, 0)
}

// means gives those of the good pixels of each place.
func (g *painter) means(to []float32, e *event, p *plan) {
	switch {
	case len(e.values) > 0: // of a script, which may be anything
		decimateSome(to, p, e.values)
	case e.scene.tables == nil && e.lacking == nil:
		decimate(to, p, e.raw)
	default:
		decimate(to, p, g.corrected(e))
	}
}

// drawSum makes the picture of a sum, or of the highest values, with what is known of the latest event.
func (g *painter) drawSum(to *picture, s *sums, e *event, k kind, bin int) {
	p := s.scene.plan(bin)
	g.values = grown(g.values, len(p.share))
	g.pixels = grown(g.pixels, len(s.sum))
	copy(g.pixels, s.max)
	for i, v := range s.sum {
		switch {
		case s.max[i] == nothingYet:
			g.pixels[i] = float32(math.NaN())
		case k == kindSum:
			g.pixels[i] = float32(v)
		}
	}
	decimateSome(g.values, p, g.pixels)
	to.kind, to.bin = k, bin
	g.finish(to, e, p, s.events)
}

// finish levels the values, and writes the head.
func (g *painter) finish(to *picture, e *event, p *plan, events int) {
	to.pixels = grown(to.pixels, 2*len(p.share))
	l := g.level(to.pixels, g.values)
	to.radial = g.radial(to.radial[:0], p, g.values)
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
	sum    []float64 // one more than there are pixels
	max    []float32
	last   time.Time
}

// nothingYet is the highest value of a pixel that had none.
const nothingYet = -math.MaxFloat32

// due tells whether it is time to add an event, though nobody looks.
func (s *sums) due(now time.Time) bool { return s.events == 0 || now.Sub(s.last) >= seldom-seldom/20 }

func (s *sums) reset() { s.events = 0 }

// add adds an event.
func (s *sums) add(g *painter, e *event, now time.Time) {
	values := g.corrected(e)
	if s.scene != e.scene || s.events == 0 {
		s.scene, s.events = e.scene, 0
		s.sum, s.max = grown(s.sum, len(values)), grown(s.max, len(values))
		clear(s.sum)
		for i := range s.max {
			s.max[i] = nothingYet
		}
		s.max[len(s.max)-1] = 0
	}
	s.events++
	s.last = now
	sum, high := s.sum[:len(values)], s.max[:len(values)]
	for i, v := range values {
		if v-v == 0 {
			sum[i] += float64(v)
			if v > high[i] {
				high[i] = v
			}
		}
	}
}

package page

import "math"

// atOnce is how many pixels are corrected, and then gone on with: they are still in the cache that is next to the core.
const atOnce = 32 << 10

// of gives the pixels of an event of which those before what correct says are known.
func (g *painter) of(e *event) []float32 {
	if len(e.values) > 0 {
		return e.values
	}
	return g.pixels
}

// correct corrects some more pixels of an event, from one on, and says up to which they are known then. Those that are not there are NaN.
func (g *painter) correct(e *event, from int) (to int) {
	s := e.scene
	if len(e.values) > 0 {
		return s.pixels()
	}
	g.pixels = grown(g.pixels, s.pixels())
	n := s.rows * s.cols
	segment, at := from/n, from%n
	end := (segment + 1) * n
	switch lacking := e.lacking != nil && e.lacking[segment]; {
	case lacking:
		for i := range g.pixels[from:end] {
			g.pixels[from+i] = float32(math.NaN())
		}
		return end
	case s.tables != nil && s.tables.CommonMode():
		s.tables.Float32(g.pixels[from:end], e.raw[from:end], segment)
		return end
	}
	to = min(from+atOnce, end)
	if s.tables != nil {
		s.tables.Few(g.pixels[from:to], e.raw[from:to], segment, at)
		return to
	}
	for i, v := range e.raw[from:to] {
		g.pixels[from+i] = float32(v)
	}
	return to
}

// value is that of a pixel.
func (g *painter) value(e *event, pixel int) float64 {
	n := e.scene.rows * e.scene.cols
	for from := pixel / n * n; from <= pixel; {
		from = g.correct(e, from)
	}
	return float64(g.of(e)[pixel])
}

// means gives those of the good pixels of each place.
func (g *painter) means(to []float32, e *event, p *plan) {
	switch {
	case len(e.values) > 0: // of a script, which may be anything
		decimateSome(to, p, e.values)
	case e.scene.tables == nil && e.lacking == nil:
		decimate(to, p, p.runs, e.raw)
	default:
		g.correctedMeans(to, e, p)
	}
}

// correctedMeans corrects some pixels, gives the means of all places that are made of what is known then, and so on.
func (g *painter) correctedMeans(to []float32, e *event, p *plan) {
	for known, runs := 0, p.runs; len(runs) > 0; {
		known = g.correct(e, known)
		n := 0
		for n < len(runs) && int(runs[n].last) < known {
			n++
		}
		decimate(to, p, runs[:n], g.pixels)
		runs = runs[n:]
	}
}

package hit

import "math"

// Group is what peakfinder8 needs to know of the pixels of a group: sums, in any order.
type Group struct {
	N             int64
	Sum, Row, Col int64 // of values, and of value times place in the segment
	W, WRow, WCol int64 // the same of values less the mean of their bins, in offsets' units
	Highest       int32
}

// Add adds a pixel.
func (g *Group) Add(v int32, offset int64, row, col int) {
	g.N++
	x := int64(v)
	g.Sum += x
	g.Row += x * int64(row)
	g.Col += x * int64(col)
	x = x*perStep - offset
	g.W += x
	g.WRow += x * int64(row)
	g.WCol += x * int64(col)
	g.Highest = max(g.Highest, v)
}

// First is the first centre of a group, rounded; there is none where nothing is above the mean.
func (g *Group) First() (row, col int, ok bool) {
	if g.W == 0 {
		return 0, 0, false
	}
	w := math.Abs(float64(g.W))
	return int(math.RoundToEven(float64(g.WRow) / w)), int(math.RoundToEven(float64(g.WCol) / w)), true
}

// Disc is what it needs to know of the background around a group.
type Disc struct {
	Sums
	Highest int32   // 0 where no pixel is above
	Mean    float64 // where there is no pixel: the mean of the bin
}

// NoSigma stands for a deviation that is not known, in ADU or the unit of the constants.
const NoSigma = 0.01

// Measure makes a peak of a group and its background, and tells whether it is one.
func (p *Plan) Measure(peak *Peak, panel *Panel, g *Group, d *Disc) bool {
	mean, sigma := d.Mean, NoSigma/p.step
	if d.N > 0 {
		n := float64(d.N)
		mean = float64(d.Sum) / n
		if variance := float64(d.squares()/n) - float64(mean*mean); variance >= 0 {
			sigma = math.Sqrt(variance)
		}
	}
	total := float64(g.Sum) - float64(float64(g.N)*mean)
	highest := max(0, float64(g.Highest)-mean)
	snr := 0.
	if sigma*p.step > 1e-10 {
		snr = total / sigma
	}
	if g.Sum == 0 || snr < p.Config.Peakfinder8.MinSNR || highest < float64(d.Highest)-mean {
		return false
	}
	sum := math.Abs(float64(g.Sum))
	row, col := float64(g.Row)/sum, float64(g.Col)/sum
	if row < float64(panel.Row) || row > float64(panel.Row+panel.Rows-1) ||
		col < float64(panel.Col) || col > float64(panel.Col+panel.Cols-1) {
		return false
	}
	*peak = Peak{Segment: uint16(panel.Segment), NPix: uint16(g.N), Row: float32(row), Col: float32(col),
		Total: float32(total * p.step), Max: float32(highest * p.step), Background: float32(mean * p.step),
		Sigma: float32(sigma * p.step), SNR: float32(snr)}
	return true
}

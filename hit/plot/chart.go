package plot

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"drp/internal/draw"
)

// Chart is several rows of values over the same points, each with its scale.
type Chart struct {
	Title  string
	Across string   // what goes across
	Ticks  []string // its values
	Lines  []string // what each line stands for
	Rows   []ChartRow
}

// ChartRow is a value of all points: Values[line][tick], NaN where there is none.
type ChartRow struct {
	Name   string
	Values [][]float64
}

const (
	chartWide  = 640
	chartHigh  = 200
	chartLeft  = 110
	chartRight = 12
)

// colours of lines go through the shades, but for the lightest, which are not seen on paper.
func colour(line, of int) color.RGBA {
	if of < 2 {
		return draw.Shade(0.3)
	}
	return draw.Shade(0.85 * float64(line) / float64(of-1))
}

// DrawChart draws a chart.
func DrawChart(c *Chart) *image.RGBA {
	legend := 0
	for _, l := range c.Lines {
		legend = max(legend, draw.TextWidth(l)+30)
	}
	wide := chartLeft + chartWide + legend + chartRight + 2*margin
	high := titleRow + len(c.Rows)*(chartHigh+titleRow) + 2*draw.TextHeight + 2*margin
	img := image.NewRGBA(image.Rect(0, 0, max(wide, draw.TextWidth(c.Title)+2*margin), max(high, titleRow+len(c.Lines)*(draw.TextHeight+6))))
	draw.Fill(img, img.Bounds(), draw.Paper)
	draw.Text(img, image.Pt(margin, margin), draw.Ink, c.Title)
	var area image.Rectangle
	for i := range c.Rows {
		top := titleRow + i*(chartHigh+titleRow) + titleRow
		area = image.Rect(margin+chartLeft, top, margin+chartLeft+chartWide, top+chartHigh)
		draw.Text(img, image.Pt(area.Min.X, top-draw.TextHeight-6), draw.Ink, c.Rows[i].Name)
		c.row(img, area, &c.Rows[i])
	}
	step := max(1, len(c.Ticks)*draw.TextWidth("00000000")/chartWide)
	for k, tick := range c.Ticks {
		if k%step == 0 {
			x := int(c.across(area, k)) - draw.TextWidth(tick)/2
			draw.Text(img, image.Pt(x, area.Max.Y+6), draw.Ink, tick)
		}
	}
	draw.Text(img, image.Pt(area.Min.X, area.Max.Y+6+draw.TextHeight+6), draw.Ink, c.Across)
	for i, name := range c.Lines {
		x, y := margin+chartLeft+chartWide+8, titleRow+titleRow+i*(draw.TextHeight+6)
		draw.Fill(img, image.Rect(x, y+4, x+16, y+7), colour(i, len(c.Lines)))
		draw.Text(img, image.Pt(x+20, y), draw.Ink, name)
	}
	return img
}

func (c *Chart) across(area image.Rectangle, tick int) float64 {
	return float64(area.Min.X) + (float64(tick)+0.5)*float64(area.Dx())/float64(max(1, len(c.Ticks)))
}

// row draws the lines of a row, from 0 to a bit more than the highest value.
func (c *Chart) row(img *image.RGBA, area image.Rectangle, r *ChartRow) {
	highest := 0.
	for _, line := range r.Values {
		for _, v := range line {
			if !math.IsInf(v, 0) && v > highest {
				highest = v
			}
		}
	}
	top := roundUp(highest)
	for k := range 5 {
		y := float64(area.Max.Y) - float64(k)/4*float64(area.Dy()-1) - 1
		shade := nothing
		if k == 0 {
			shade = draw.Ink
		}
		draw.Line(img, draw.Point{X: float64(area.Min.X), Y: y}, draw.Point{X: float64(area.Max.X), Y: y}, shade)
		text := fmt.Sprintf("%.4g", top*float64(k)/4)
		draw.Text(img, image.Pt(area.Min.X-draw.TextWidth(text)-6, int(y)-draw.TextHeight/2), draw.Ink, text)
	}
	for i, line := range r.Values {
		shade := colour(i, len(r.Values))
		var before *draw.Point
		for k, v := range line {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				before = nil
				continue
			}
			p := draw.Point{X: c.across(area, k), Y: float64(area.Max.Y) - 1 - max(0, v)/top*float64(area.Dy()-1)}
			draw.Fill(img, image.Rect(int(p.X)-2, int(p.Y)-2, int(p.X)+3, int(p.Y)+3), shade)
			if before != nil {
				draw.Line(img, *before, p, shade)
			}
			before = &p
		}
	}
}

// roundUp is the next number with one or two digits that four parts of are read easily.
func roundUp(v float64) float64 {
	if !(v > 0) {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, k := range []float64{1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8} {
		if k*unit >= v {
			return k * unit
		}
	}
	return 10 * unit
}

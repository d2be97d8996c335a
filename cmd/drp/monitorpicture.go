package main

import (
	"fmt"
	"image"
	"image/color"
	"strings"
	"time"

	"drp/internal/draw"
	"drp/page"
	"drp/xtc"
)

// markColour is that of peaks, which no shade has.
var markColour = color.RGBA{255, 40, 40, 255}

// lines are those that a terminal of a size shows.
func (p *plotter) lines(width, height int, depth draw.Depth) []string {
	seen := p.viewer.Seen()
	head, below := p.name+": waiting for the first event", p.strips.lines(width-1)
	if p.shown > 0 {
		head = eventTitle(p.name, &seen)
	}
	points := image.Pt(width-1, 2*(height-2-len(below))) // what comes into the last column may be wiped off again
	high, wide := p.viewer.Shape()
	if high*wide == 0 || points.X < 1 || points.Y < 2 {
		why := p.note
		if p.shown > 0 && why == "" && high*wide == 0 {
			why = "the event has no pixels of a camera"
		}
		return append([]string{head, printable(why)}, below...)
	}
	picture := p.viewer.Picture(max(1, (wide+points.X-1)/points.X, (high+points.Y-1)/points.Y))
	low, top := draw.Percentiles(picture.Values, p.flags.low, p.flags.high)
	img := shaded(picture, points, low, top)
	caption := fmt.Sprintf("%s %d x %d: %.4g to %.4g %s from dark to bright", picture.Source, high, wide, low, top, picture.Unit)
	if b := picture.Bin; b > 1 {
		caption += fmt.Sprintf("; a point is %d x %d pixels", b, b)
	}
	lines := append([]string{head}, draw.Blocks(img, depth, markColour)...)
	return append(append(lines, printable(caption)), below...)
}

// eventTitle tells what is known of an event in a line.
func eventTitle(name string, s *page.Seen) string {
	words := []string{}
	if s.Hit != nil {
		what := "no hit"
		if *s.Hit {
			what = "hit"
		}
		words = append(words, what, fmt.Sprintf("%d peaks", s.Peaks))
	}
	for _, flag := range s.Flags {
		if flag != "hit" {
			words = append(words, flag)
		}
	}
	if s.Reason != "" {
		words = append(words, "trigger "+s.Reason)
	}
	return printable(fmt.Sprintf("%s event %d  %v  %s", name, s.Number, xtc.TimestampOf(s.Time), strings.Join(words, ", ")))
}

// shaded draws a picture within so many points, small ones enlarged, with its peaks marked: the points of a peak, or the rim
// of its pixel where that is large enough.
func shaded(p *page.Picture, points image.Point, low, high float64) *image.RGBA {
	zoom := 1
	if p.Bin == 1 {
		zoom = max(1, min(points.X/p.Cols, points.Y/p.Rows))
	}
	img := image.NewRGBA(image.Rect(0, 0, p.Cols*zoom, p.Rows*zoom))
	place := func(row, col int) image.Rectangle { return image.Rect(col*zoom, row*zoom, (col+1)*zoom, (row+1)*zoom) }
	shade := func(row, col int) color.RGBA {
		v := p.Values[row*p.Cols+col]
		if v != v {
			return color.RGBA{}
		}
		return draw.Shade((float64(v) - low) / max(high-low, 1e-12))
	}
	for row := range p.Rows {
		for col := range p.Cols {
			draw.Fill(img, place(row, col), shade(row, col))
		}
	}
	for _, peak := range p.Peaks {
		row, col := int((peak.Y+0.5)/float64(p.Bin)), int((peak.X+0.5)/float64(p.Bin))
		if row < 0 || row >= p.Rows || col < 0 || col >= p.Cols {
			continue
		}
		at := place(row, col)
		draw.Fill(img, at, markColour)
		if zoom >= 3 {
			draw.Fill(img, at.Inset(1), shade(row, col))
		}
	}
	return img
}

// strips are what was in the last seconds.
type strips struct {
	hitsOnly bool // nothing can be told of how many are hits from those that are seen
	rate     []float64
	hits     []float64 // percent
	status   elsewhere

	now, last struct { // events that were seen latest, and at the end of the second before
		number int64
		at     time.Time
	}
	seen, found    int // of a second: searched, and hits
	searched, hit0 int64
	pid            int
}

// mostStrip is more than a terminal is wide.
const mostStrip = 1024

// event notes one that was seen.
func (s *strips) event(e page.Seen, at time.Time) {
	s.now.number, s.now.at = e.Number, at
	if s.last.at.IsZero() || e.Number < s.last.number {
		s.last = s.now
	}
	if e.Hit != nil {
		s.seen++
		if *e.Hit {
			s.found++
		}
	}
}

// second ends a second: the rate is that between two events that were seen, the hits are those that the run tells of, or those among
// the events that were seen where it tells nothing.
func (s *strips) second() {
	if s.now.at.IsZero() {
		return
	}
	rate := 0.
	if dt := s.now.at.Sub(s.last.at).Seconds(); dt > 0 {
		rate = float64(s.now.number-s.last.number) / dt
	}
	s.rate = extended(s.rate, rate)
	s.last = s.now
	run := s.status.status()
	searched, hits := run.Hits.Searched-s.searched, run.Hits.Hits-s.hit0
	known := run.Hits.Searched > 0 && run.PID == s.pid
	s.pid, s.searched, s.hit0 = run.PID, run.Hits.Searched, run.Hits.Hits
	switch {
	case known && searched > 0:
		s.hits = extended(s.hits, 100*float64(hits)/float64(searched))
	case run.Hits.Searched == 0 && s.seen > 0 && !s.hitsOnly:
		s.hits = extended(s.hits, 100*float64(s.found)/float64(s.seen))
	case len(s.hits) > 0:
		s.hits = extended(s.hits, 0)
	}
	s.seen, s.found = 0, 0
}

func extended(all []float64, v float64) []float64 {
	return append(all[max(0, len(all)+1-mostStrip):], v)
}

// lines draws them in so many letters; there is none of hits where nobody looks for any.
func (s *strips) lines(width int) (lines []string) {
	for _, one := range []struct {
		name, unit string
		values     []float64
	}{{"rate", "/s", s.rate}, {"hits", " %", s.hits}} {
		if n := len(one.values); n > 0 {
			head := fmt.Sprintf("%s %10s ", one.name, fmt.Sprintf("%.4g", one.values[n-1])+one.unit)
			lines = append(lines, head+spark(one.values, width-len(head)))
		}
	}
	return lines
}

// spark draws the last of some numbers, from 0 to the highest of them, a letter each.
func spark(values []float64, width int) string {
	values = values[max(0, len(values)-max(width, 0)):]
	bars := []rune("▁▂▃▄▅▆▇█")
	top := 0.
	for _, v := range values {
		top = max(top, v)
	}
	line := make([]rune, 0, len(values))
	for _, v := range values {
		line = append(line, bars[int(max(v, 0)/max(top, 1e-12)*float64(len(bars)-1)+0.5)])
	}
	return string(line)
}

package page

import (
	"fmt"
	"math"
	"testing"

	"drp/calib"
	"drp/calib/correct"
	"drp/drp"
	"drp/hit"
)

// twoMegapixels is a scene of four segments that constants correct and a geometry places, with an event in it.
func twoMegapixels(tb testing.TB, corrected bool) *event {
	tb.Helper()
	return turnedMegapixels(tb, corrected, "+x", "+y")
}

// turnedMegapixels is the same with panels whose rows and columns have other directions.
func turnedMegapixels(tb testing.TB, corrected bool, fs, ss string) *event {
	tb.Helper()
	const segments, rows, cols = 4, 704, 768
	set := &calib.Set{Detector: "cam", Model: "cam", Rows: rows, Cols: cols, Unit: calib.KeV, Serials: []string{"0", "1", "2", "3"}}
	n := segments * rows * cols
	set.Pedestals, set.Gains, set.Mask = make([]float32, n), make([]float32, n), make([]uint8, n)
	for i := range n {
		set.Pedestals[i], set.Gains[i], set.Mask[i] = 100, 10, 1
		if i%1000 == 7 {
			set.Mask[i] = 0
		}
	}
	text := "clen = 0.1\nres = 10000\n"
	for i := range segments {
		text += fmt.Sprintf("p%d/min_fs = 0\np%d/max_fs = %d\np%d/min_ss = %d\np%d/max_ss = %d\np%d/fs = %s\np%d/ss = %s\n", i, i, cols-1, i, i*rows, i,
			(i+1)*rows-1, i, fs, i, ss)
		text += fmt.Sprintf("p%d/corner_x = %d\np%d/corner_y = %d\n", i, (i%2)*(cols+6)-cols-3, i, (i/2)*(rows+6)-rows-3)
	}
	k := (*drp.FrameConstants)(nil)
	if corrected {
		tables, err := correct.NewTables(set, nil)
		if err != nil {
			tb.Fatal(err)
		}
		g, err := correct.ParseGeometry(text)
		if err != nil {
			tb.Fatal(err)
		}
		layout, err := g.Layout(correct.Segments{Numbers: []int{0, 1, 2, 3}, Rows: rows, Cols: cols})
		if err != nil {
			tb.Fatal(err)
		}
		k = &drp.FrameConstants{Set: set, Layout: layout, Camera: hit.Camera{Tables: tables, Geometry: g}}
	}
	s := newScene("cam.raw", "ADU raw", [3]int{segments, rows, cols}, k)
	e := &event{scene: s, raw: make([]uint16, n)}
	for i := range n {
		e.raw[i] = uint16(100 + i*7919%23)
		if i%5000 == 0 {
			e.raw[i] = 9000
		}
	}
	e.rings = s.rings(nil, 9500, s.distance)
	for i := range 100 {
		e.peaks = append(e.peaks, spot{float32(i) * 7.25, float32(i) * 3.5, 1234.5, 12})
	}
	return e
}

func BenchmarkDraw(b *testing.B) {
	for _, corrected := range []bool{false, true} {
		for _, bin := range []int{1, 2, 4} {
			b.Run(fmt.Sprintf("corrected=%t/bin=%d", corrected, bin), func(b *testing.B) {
				e := twoMegapixels(b, corrected)
				g, pic := &painter{}, &picture{}
				g.draw(pic, e, bin)
				b.ReportAllocs()
				b.SetBytes(int64(2 * e.scene.pixels()))
				for b.Loop() {
					g.draw(pic, e, bin)
				}
			})
		}
	}
}

func BenchmarkDrawTurned(b *testing.B) {
	for _, turn := range []float64{0, 0.1, 1, 6, 37} {
		cos, sin := math.Cos(turn*math.Pi/180), math.Sin(turn*math.Pi/180)
		e := turnedMegapixels(b, true, fmt.Sprintf("%+.6fx %+.6fy", cos, sin), fmt.Sprintf("%+.6fx %+.6fy", -sin, cos))
		for _, bin := range []int{1, 2} {
			b.Run(fmt.Sprintf("degrees=%g/bin=%d", turn, bin), func(b *testing.B) {
				g, pic := &painter{}, &picture{}
				g.draw(pic, e, bin)
				for b.Loop() {
					g.draw(pic, e, bin)
				}
			})
		}
	}
}

func BenchmarkSum(b *testing.B) {
	e := twoMegapixels(b, true)
	g, s := &painter{}, &sums{}
	b.ReportAllocs()
	for b.Loop() {
		s.add(g, e, s.last)
	}
}

// TestNothingIsAllocated: a picture takes the memory of the one before.
func TestNothingIsAllocated(t *testing.T) {
	for _, corrected := range []bool{false, true} {
		e := twoMegapixels(t, corrected)
		g, pic := &painter{}, &picture{}
		g.draw(pic, e, 2)
		if n := testing.AllocsPerRun(3, func() { g.draw(pic, e, 2) }); n > 0 {
			t.Errorf("corrected %t: %g allocations for a picture", corrected, n)
		}
	}
}

package page

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"drp/calib"
	"drp/calib/correct"
	"drp/drp"
	"drp/hit"
)

// layouts are ways in which two panels lie: as they are read, turned, mirrored, tilted by a little, and by so much that no two places
// in a row follow each other evenly.
var layouts = map[string][2][2]string{
	"plain":    {{"+x", "+y"}, {"+x", "+y"}},
	"turned":   {{"-y", "+x"}, {"+y", "-x"}},
	"mirrored": {{"-x", "+y"}, {"-x", "-y"}},
	"tilted":   {{"+0.9999x +0.014y", "-0.014x +0.9999y"}, {"+x", "+y"}},
	"askew":    {{"+0.8x +0.6y", "-0.6x +0.8y"}, {"+0.707x -0.707y", "+0.707x +0.707y"}},
}

// laidOut is a scene of two segments of odd sizes, with bad pixels, which constants correct.
func laidOut(t *testing.T, axes [2][2]string, common *calib.CommonMode) *scene {
	t.Helper()
	const rows, cols = 61, 83
	n := 2 * rows * cols
	set := &calib.Set{Detector: "cam", Model: "cam", Rows: rows, Cols: cols, Unit: calib.KeV, Serials: []string{"0", "1"}, CommonMode: common,
		Pedestals: make([]float32, n), Gains: make([]float32, n), Mask: make([]uint8, n)}
	for i := range n {
		set.Pedestals[i], set.Gains[i], set.Mask[i] = float32(90+i%17), float32(1+i%3), 1
		if i%97 == 4 || i > 700 && i < 760 {
			set.Mask[i] = 0
		}
	}
	text := "clen = 0.1\nres = 10000\n"
	for i, a := range axes {
		text += fmt.Sprintf("p%d/min_fs = 0\np%d/max_fs = %d\np%d/min_ss = %d\np%d/max_ss = %d\np%d/fs = %s\np%d/ss = %s\n", i, i, cols-1, i, i*rows, i,
			(i+1)*rows-1, i, a[0], i, a[1])
		text += fmt.Sprintf("p%d/corner_x = %d\np%d/corner_y = %d\n", i, i*121-60, i, i*3)
	}
	text += "bad0/min_x = 10\nbad0/max_x = 14\nbad0/min_y = 8\nbad0/max_y = 30\n"
	tables, err := correct.NewTables(set, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := correct.ParseGeometry(text)
	if err != nil {
		t.Fatal(err)
	}
	layout, err := g.Layout(correct.Segments{Numbers: []int{0, 1}, Rows: rows, Cols: cols})
	if err != nil {
		t.Fatal(err)
	}
	return newScene("cam.raw", "", [3]int{2, rows, cols}, &drp.FrameConstants{Set: set, Layout: layout, Camera: hit.Camera{Tables: tables, Geometry: g}})
}

// meanOf is the mean of a place, pixel by pixel.
func meanOf(s *scene, p *plan, i int, value func(at int32) float32) float32 {
	sum, n := float32(0), 0
	for k := range p.bin * p.bin {
		row, col := i/p.wide*p.bin+k/p.bin, i%p.wide*p.bin+k%p.bin
		if row < s.high && col < s.wide {
			if at := s.place[row*s.wide+col]; at >= 0 && s.good[at] != 0 {
				sum, n = sum+value(at), n+1
			}
		}
	}
	if n == 0 {
		return float32(math.NaN())
	}
	return sum * (1 / float32(n))
}

// TestMeans: however panels lie, each place is the mean of its good pixels, bit for bit: raw ones, corrected ones with and without a
// common mode, with a segment that is lacking, and sums of which some are none.
func TestMeans(t *testing.T) {
	for name, axes := range layouts {
		for _, common := range []*calib.CommonMode{nil, {Rows: true}} {
			s := laidOut(t, axes, common)
			e := &event{scene: s, raw: make([]uint16, s.pixels())}
			r := rand.New(rand.NewPCG(1, 2))
			for i := range e.raw {
				e.raw[i] = uint16(r.IntN(9000))
			}
			known := make([]float32, s.pixels())
			for i := range 2 {
				n := s.rows * s.cols
				s.tables.Float32(known[i*n:(i+1)*n], e.raw[i*n:(i+1)*n], i)
			}
			for _, bin := range []int{1, 2, 3, 4, 8} {
				t.Run(fmt.Sprintf("%s, common mode %t, bin %d", name, common != nil, bin), func(t *testing.T) {
					compareMeans(t, e, bin, known)
				})
			}
		}
	}
}

func compareMeans(t *testing.T, e *event, bin int, known []float32) {
	t.Helper()
	s := e.scene
	p := s.plan(bin)
	got := make([]float32, p.places())
	compare := func(what string, value func(at int32) float32) {
		t.Helper()
		for i, v := range got {
			if want := meanOf(s, p, i, value); math.Float32bits(v) != math.Float32bits(want) && (v == v || want == want) {
				t.Fatalf("%s: place %d of %d x %d has %g, not %g", what, i, p.high, p.wide, v, want)
			}
		}
	}
	decimate(got, p, p.runs, e.raw)
	compare("raw", func(at int32) float32 { return float32(e.raw[at]) })
	g := &painter{}
	g.means(got, e, p)
	compare("corrected", func(at int32) float32 { return known[at] })
	sum := make([]float64, len(known))
	for i, v := range known {
		sum[i] = 3 * float64(v)
	}
	decimateSome(got, p, sum)
	compare("sum", func(at int32) float32 { return float32(sum[at]) })
	e.lacking = []bool{false, true}
	defer func() { e.lacking = nil }()
	g.means(got, e, p)
	compare("lacking", func(at int32) float32 {
		if int(at) >= s.rows*s.cols {
			return float32(math.NaN())
		}
		return known[at]
	})
}

// TestVectors: what is written in assembly gives the same bits as Go does.
func TestVectors(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	odd := []float32{0, float32(math.Copysign(0, -1)), -1e30, 1e30, math.MaxFloat32, -math.MaxFloat32, float32(math.NaN()), 65534, 65533.5, 0.49999997}
	for n := range 70 {
		values := make([]float32, n)
		for i := range values {
			if values[i] = float32(r.NormFloat64() * 3e4); r.IntN(4) == 0 {
				values[i] = odd[r.IntN(len(odd))]
			}
		}
		low, high := float32(math.Inf(1)), float32(math.Inf(-1))
		for _, v := range values {
			if v == v {
				low, high = min(low, v), max(high, v)
			}
		}
		if a, b := bounds(values); a != low || b != high {
			t.Fatalf("bounds of %v: %g, %g", values, a, b)
		}
		for _, l := range []levelling{{low: 0, perLevel: 1}, {low: -1e5, perLevel: 0.3}, {low: low, perLevel: 1e-30}} {
			g, to := &painter{}, make([]byte, 2*n)
			g.write(to, values, &l)
			want := [levels + 1]uint32{}
			for i, v := range values {
				u := levelOf(v, l.low, l.perLevel)
				want[u]++
				if got := uint16(to[2*i]) | uint16(to[2*i+1])<<8; got != u {
					t.Fatalf("%g from %g on, %g a level: %d, not %d", v, l.low, l.perLevel, got, u)
				}
			}
			if g.counts != want {
				t.Fatal("levels are counted wrongly")
			}
		}
	}
}

// TestProfile: each ring around the beam has the mean of its places, however many have no value.
func TestProfile(t *testing.T) {
	s := laidOut(t, layouts["tilted"], nil)
	p := s.plan(1)
	r := rand.New(rand.NewPCG(5, 6))
	values, sum, n := make([]float32, p.places()), [radialBins]float64{}, [radialBins]float64{}
	for i := range values {
		if values[i] = float32(r.NormFloat64()); r.IntN(3) == 0 || p.ring[i] == 7 {
			values[i] = float32(math.NaN())
			continue
		}
		sum[p.ring[i]] += float64(values[i])
		n[p.ring[i]]++
	}
	g := &painter{}
	g.level(make([]byte, 2*len(values)), values, p)
	for i, v := range g.profile.means(nil, p) {
		if want := sum[i] / n[i]; math.Abs(v-want) > 1e-12 && (v == v || want == want) {
			t.Errorf("ring %d of %g places: %g, not %g", i, n[i], v, want)
		}
	}
}

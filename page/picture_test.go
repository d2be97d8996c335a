package page_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"drp/calib"
	"drp/calib/correct"
	"drp/drp"
	"drp/internal/testkit"
	"drp/page"
	"drp/xtc"
)

// gapRows lie between segments that no geometry places.
const gapRows = 8

// TestPictures compares pictures of each size with the mean of the pixels that they are made of.
func TestPictures(t *testing.T) {
	c := testkit.Camera{Segments: 3, Rows: 21, Cols: 30}
	r := newRig(t, page.Options{}, begin(c.Configure(1), c.BeginRun(2, 5)), func(n int64) (xtc.Dgram, uint32) { return c.Event(uint64(101+n), int(n)), 0 })
	for _, bin := range []int{1, 2, 4, 8} {
		for _, p := range pictures(t, r.open(fmt.Sprintf("bin=%d&rate=30", bin)), 2) {
			high, wide := 3*21+2*gapRows, 30
			if p.Full != [2]int{high, wide} || p.Rows != (high+bin-1)/bin || p.Cols != (wide+bin-1)/bin || p.Bin != bin || p.Source != "cam.raw" ||
				p.Corrected || p.Hit != nil || p.Kind != "event" || p.Unit != "ADU raw" || p.Centre != nil {
				t.Fatalf("%+v", p)
			}
			for i := range p.pixels {
				sum, n := 0., 0
				for k := range bin * bin {
					row, col := i/p.Cols*bin+k/bin, i%p.Cols*bin+k%bin
					if s, y := row/(21+gapRows), row%(21+gapRows); row < high && col < wide && y < 21 {
						sum, n = sum+float64(c.Pixel(int(p.Number), s, y, col)), n+1
					}
				}
				got, there := p.at(i/p.Cols, i%p.Cols)
				if there != (n > 0) || there && math.Abs(got-sum/float64(n)) > p.Scale/2+1e-3 {
					t.Fatalf("bin %d, event %d, place %d: %g, %t, want %g of %d", bin, p.Number, i, got, there, sum/float64(n), n)
				}
			}
			if bin == 1 && (p.Min != float64(c.Pixel(int(p.Number), 0, 0, 0)) || p.Max != float64(c.Pixel(int(p.Number), 2, 20, 29))) {
				t.Errorf("min %g, max %g", p.Min, p.Max)
			}
		}
	}
}

// oneStore has one set of constants.
type oneStore struct {
	calib.Store
	set *calib.Set
}

func (s oneStore) Get(context.Context, calib.Query) (*calib.Set, error) { return s.set, nil }

// spotConstants place the two segments of a camera side by side, the second one turned, with bad pixels.
func spotConstants(t *testing.T, c testkit.Spots) *calib.Set {
	t.Helper()
	n := c.Segments * c.Rows * c.Cols
	s := &calib.Set{Detector: "cam", Model: "spotcam", Rows: c.Rows, Cols: c.Cols, Unit: calib.KeV, Serials: []string{"M0", "M1"},
		Pedestals: make([]float32, n), Gains: make([]float32, n), Mask: make([]uint8, n)}
	for i := range n {
		s.Pedestals[i], s.Gains[i], s.Mask[i] = float32(90+i%7), 2, 1
		if i%31 == 4 {
			s.Mask[i] = 0
		}
	}
	s.Geometry = fmt.Sprintf("photon_energy = 9500\nclen = 0.1\nres = 10000\na/min_fs = 0\na/max_fs = %d\na/min_ss = 0\na/max_ss = %d\na/fs = +x\na/ss = +y\na/corner_x = 3\na/corner_y = -20\n"+
		"b/min_fs = 0\nb/max_fs = %d\nb/min_ss = %d\nb/max_ss = %d\nb/fs = -y\nb/ss = -x\nb/corner_x = -4\nb/corner_y = 25\n",
		c.Cols-1, c.Rows-1, c.Cols-1, c.Rows, 2*c.Rows-1)
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAimedRings wants rings where Bragg's law has them for what a user says, whatever events and the geometry say.
func TestAimedRings(t *testing.T) {
	c := testkit.Spots{Segments: 2, Rows: 40, Cols: 50}
	for _, how := range []struct {
		name, without    string
		rings            drp.Rings
		energy, distance float64
	}{
		{"neither is known otherwise", "photon_energy clen", drp.Rings{Energy: 7000, Distance: 0.2}, 7000, 0.2},
		{"the distance is", "photon_energy", drp.Rings{Energy: 12000}, 12000, 0.1},
		{"the energy is", "clen", drp.Rings{Distance: 0.05}, 9500, 0.05},
		{"both are", "", drp.Rings{Energy: 8000, Distance: 0.08}, 8000, 0.08},
	} {
		t.Run(how.name, func(t *testing.T) {
			set := spotConstants(t, c)
			var kept []string
			for l := range strings.Lines(set.Geometry) {
				if name := strings.Fields(l)[0]; !strings.Contains(how.without, name) {
					kept = append(kept, l)
				}
			}
			set.Geometry = strings.Join(kept, "")
			run := c.Run(1)
			r := newRig(t, page.Options{Store: oneStore{set: set}, Rings: how.rings}, run[:4],
				func(n int64) (xtc.Dgram, uint32) { return c.Event(uint64(101+n), int(n)), 0 })
			p := pictures(t, r.open("rate=30"), 1)[0]
			if len(p.Rings) == 0 {
				t.Fatal("there are no rings")
			}
			for _, ring := range p.Rings {
				sine := 12398.42 / how.energy / (2 * ring.D)
				if ring.Unit != "Å" || math.Abs(ring.R-10000*how.distance*math.Tan(2*math.Asin(sine))) > 0.06 {
					t.Errorf("%+v", ring)
				}
			}
		})
	}
}

// TestCorrectedPictures compares pictures that constants correct, and a geometry places, with what the corrections give, pixel
// by pixel, and asks for pixels and the mask.
func TestCorrectedPictures(t *testing.T) {
	c := testkit.Spots{Segments: 2, Rows: 40, Cols: 50}
	set := spotConstants(t, c)
	tables, err := correct.NewTables(set, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := correct.ParseGeometry(set.Geometry)
	if err != nil {
		t.Fatal(err)
	}
	layout, err := g.Layout(correct.Segments{Numbers: []int{0, 1}, Rows: c.Rows, Cols: c.Cols})
	if err != nil {
		t.Fatal(err)
	}
	run := c.Run(1)
	r := newRig(t, page.Options{Store: oneStore{set: set}}, run[:4], func(n int64) (xtc.Dgram, uint32) { return c.Event(uint64(101+n), int(n)), 0 })
	p := pictures(t, r.open("rate=30"), 2)[1]
	r.stop() // so that the event is kept while its pixels are asked for
	high, wide := layout.Shape()
	if p.Rows != high || p.Cols != wide || !p.Corrected || p.Unit != "keV" {
		t.Fatalf("%+v", p)
	}
	raw := append(c.Pixels(int(p.Number), 0), c.Pixels(int(p.Number), 1)...)
	want := make([]float32, len(raw))
	for s := range 2 {
		tables.Float32(want[s*2000:(s+1)*2000], raw[s*2000:(s+1)*2000], s)
	}
	bad := 0
	for i, at := range layout.Places() {
		got, there := p.at(i/wide, i%wide)
		good := at >= 0 && set.Mask[at] != 0
		if at >= 0 && !good {
			bad++
		}
		if there != good || good && math.Abs(got-float64(want[at])) > p.Scale/2+1e-3 {
			t.Fatalf("place %d, pixel %d: %g, %t, want %t", i, at, got, there, good)
		}
	}
	if y, x := layout.Beam(); len(p.Centre) != 2 || math.Abs(p.Centre[0]-x)+math.Abs(p.Centre[1]-y) > 0.02 || bad == 0 || p.Radial == nil ||
		len(p.Rings) == 0 {
		t.Errorf("%d bad pixels, centre %v, beam %g %g, %d rings, radial %v", bad, p.Centre, x, y, len(p.Rings), p.Radial)
	}
	for _, ring := range p.Rings { // where Bragg's law has them, at 0.1 m and 9500 eV
		if sine := 12398.42 / 9500 / (2 * ring.D); ring.Unit != "Å" || math.Abs(ring.R-1000*math.Tan(2*math.Asin(sine))) > 0.06 {
			t.Errorf("%+v", ring)
		}
	}
	// The spots are where they were put.
	for k := range c.Spots(int(p.Number)) {
		s, row, col := c.Spot(int(p.Number), k)
		y, x, there := layout.Place(s, float64(row), float64(col))
		if v, good := p.at(int(math.Round(y)), int(math.Round(x))); !there || good && v < 300 {
			t.Errorf("spot %d at row %g, col %g has %g", k, y, x, v)
		}
	}
	r.checkPixels(p, layout.Places(), want, raw)
	r.checkMask(layout.Places(), set.Mask)
}

func (r *rig) checkPixels(p *picture, places []int32, want []float32, raw []uint16) {
	r.t.Helper()
	for i := 0; i < len(places); i += 97 {
		code, text := r.get(fmt.Sprintf("/v1/page/pixel?number=%d&row=%d&col=%d", p.Number, i/p.Cols, i%p.Cols))
		var a struct {
			Value             *float64
			Raw               *uint16
			Segment, Row, Col *int
			Masked            bool
		}
		if err := json.Unmarshal(text, &a); err != nil {
			r.t.Fatalf("%d %s", code, text)
		}
		at := int(places[i])
		if at < 0 {
			if a.Value != nil || a.Segment != nil {
				r.t.Fatalf("%s", text)
			}
			continue
		}
		if *a.Segment*2000+*a.Row*50+*a.Col != at || *a.Raw != raw[at] || *a.Value != float64(want[at]) || a.Masked != (at%31 == 4) {
			r.t.Fatalf("pixel %d: %s, want %g of %d", at, text, want[at], raw[at])
		}
	}
}

func (r *rig) checkMask(places []int32, mask []uint8) {
	r.t.Helper()
	_, body := r.get("/v1/page/mask")
	n := int(body[0]) + int(body[1])<<8
	for i, m := range body[4+n:] {
		want := uint8(0)
		switch at := places[i]; {
		case at < 0:
			want = 2
		case mask[at] == 0:
			want = 1
		}
		if m != want {
			r.t.Fatalf("mask of place %d: %d, want %d", i, m, want)
		}
	}
	if len(body) != 4+n+len(places) {
		r.t.Errorf("a mask of %d bytes for %d places", len(body), len(places))
	}
}

// TestSums: the sum and the highest values are those of the events that were looked at.
func TestSums(t *testing.T) {
	c := testkit.Camera{Segments: 1, Rows: 4, Cols: 6}
	r := newRig(t, page.Options{}, begin(c.Configure(1), c.BeginRun(2, 5)), func(n int64) (xtc.Dgram, uint32) { return c.Event(uint64(101+n), 3), 0 })
	sum := pictures(t, r.open("image=sum&rate=30"), 4)
	for i, p := range sum {
		if v, _ := p.at(3, 5); p.Kind != "sum" || p.Events < 1 || i > 0 && p.Events <= sum[i-1].Events ||
			math.Abs(v-float64(p.Events)*float64(c.Pixel(3, 0, 3, 5))) > p.Scale {
			t.Errorf("%g of %d events", v, p.Events)
		}
	}
	for _, p := range pictures(t, r.open("image=max&rate=30"), 2) {
		if v, _ := p.at(3, 5); p.Kind != "max" || v != float64(c.Pixel(3, 0, 3, 5)) && math.Abs(v-float64(c.Pixel(3, 0, 3, 5))) > p.Scale {
			t.Errorf("highest %g", v)
		}
	}
}

// field gives the Configure of a script that records an array of 2 x 3 numbers, and an event with it.
func field(t *testing.T, values ...float32) (configure, event xtc.Dgram) {
	t.Helper()
	names := &xtc.Names{ID: xtc.NewNamesID(1, 0), DetType: "cam", DetName: "cam", Alg: "roi", Segment: 0,
		Entries: []xtc.Name{{Name: "n", Type: xtc.UInt8}, {Name: "crop", Type: xtc.Float, Rank: 2}}}
	payload, err := names.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	var b xtc.Builder
	b.Begin(nil, names)
	b.Uint(3)
	crop := b.Array(2, 3)
	for i, v := range values {
		binary.LittleEndian.PutUint32(crop[4*i:], math.Float32bits(v))
	}
	block, err := b.End()
	if err != nil {
		t.Fatal(err)
	}
	return testkit.Plain(xtc.Configure, 1, payload...), testkit.Plain(xtc.L1Accept, 101, block...)
}

// TestFieldsInPlaceOfPixels: what a script has recorded is shown where there are no raw pixels, whatever it holds: what is no
// number is none, and a value far out does not hide the others.
func TestFieldsInPlaceOfPixels(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		values    []float32
		query     string
		low, high float64
	}{
		"NaN":           {[]float32{0, 1, 2, nan, -1, 100}, "", -1, 100},
		"infinite":      {[]float32{0, 1, inf, -inf, nan, 100}, "", 0, 100},
		"sum":           {[]float32{7, 7, inf, -inf, nan, 7}, "image=sum&", math.NaN(), math.NaN()},
		"max":           {[]float32{7, 7, inf, -inf, nan, 8}, "image=max&", 7, 8},
		"equal":         {[]float32{7, 7, 7, 7, 7, 7}, "", 7, 7},
		"one far out":   {[]float32{7, 7, 7, 1e30, 7, 7}, "", 7, 1e30},
		"one far below": {[]float32{7, 7, -1e30, 7, 7, 7}, "", -1e30, 7},
	} {
		t.Run(name, func(t *testing.T) {
			configure, event := field(t, c.values...)
			r := newRig(t, page.Options{}, begin(configure, testkit.Plain(xtc.BeginRun, 2)), func(int64) (xtc.Dgram, uint32) { return event, 0 })
			p := pictures(t, r.open(c.query+"rate=30"), 1)[0]
			if p.Source != "cam.roi.crop" || p.Unit != "" || p.Rows != 2 || p.Cols != 3 || c.low == c.low && (p.Min != c.low || p.Max != c.high) {
				t.Fatalf("%+v", p)
			}
			for i, want := range c.values {
				v, there := p.at(i/3, i%3)
				none, far := want-want != 0, math.Abs(float64(want)) > 1e20 // which is cut off
				if p.Kind == "sum" {
					v /= float64(p.Events)
				}
				if there == none || there && !far && math.Abs(v-float64(want)) > min(p.Scale, 0.01) {
					t.Errorf("%d: %g, %t, want %g", i, v, there, want)
				}
			}
			if p = pictures(t, r.open(c.query+"rate=30&bin=2"), 1)[0]; name == "infinite" {
				if v, there := p.at(0, 0); !there || math.Abs(v-0.5) > p.Scale {
					t.Errorf("a mean of 0 and 1, and what is no number, is %g, %t", v, there)
				}
			}
		})
	}
}

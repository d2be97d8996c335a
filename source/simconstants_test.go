package source_test

import (
	"fmt"
	"math"
	"testing"

	"drp/calib"
	"drp/calib/correct"
	"drp/source"
	"drp/xtc"
)

// simTables reduces the constants of a simulated camera for what its Configure says of its pixels.
func simTables(t *testing.T, params string) (*source.Sim, *calib.Set, *correct.Tables) {
	t.Helper()
	p, err := source.ParseSim(params)
	if err != nil {
		t.Fatal(err)
	}
	set, err := p.Constants()
	if err != nil {
		t.Fatal(err)
	}
	digest := set.Digest
	if err := set.Check(); err != nil || set.Digest != digest {
		t.Fatalf("constants that nobody would take: %v, digest %s and %s", err, digest, set.Digest)
	}
	configure := ofService(drain(t, must(source.NewSim(p, source.Options{})), 1), xtc.Configure)[0]
	table := xtc.NewTable()
	if err := table.Configure(configure); err != nil {
		t.Fatal(err)
	}
	var configs []correct.Config
	for _, b := range blocks(t, table, configure) {
		if pixels, ok := b.FieldNamed("asicPixelConfig"); ok {
			bits, _ := b.FieldNamed("trbit")
			configs = append(configs, correct.Config{Pixels: pixels.Data, TRBits: [4]uint8(bits.Data)})
		}
	}
	tables, err := correct.NewTables(set, configs)
	if err != nil {
		t.Fatal(err)
	}
	return must(source.NewSim(p, source.Options{})), set, tables
}

// With the constants a frame without noise is what was put in: nothing, but in pixels that switched, which have at least
// what makes a pixel switch, and in stuck ones, which are masked.
func TestSimConstantsLeaveWhatWasPutIn(t *testing.T) {
	const keV = 16.4 // ADU
	s, set, tables := simTables(t, "segments=2,bank=1,events=1,hits=0,noise=0,rings=0,switched=1e-4,bad=0.01,slow=0")
	raw, n := frames(t, s, 1)[0], set.SegmentPixels()
	got := make([]float32, len(raw))
	for i := range set.Serials {
		tables.Float32(got[i*n:(i+1)*n], raw[i*n:(i+1)*n], i)
	}
	var bad, switched int
	for i, v := range got {
		switch {
		case set.Mask[i] == 0:
			bad++
			if v != 0 {
				t.Fatalf("pixel %d is masked and has %g keV", i, v)
			}
		case raw[i]&(1<<14) != 0:
			switched++
			if v < 10000/keV || v > 30000/keV {
				t.Fatalf("pixel %d switched and has %g keV", i, v)
			}
		case math.Abs(float64(v)) > 0.51/keV:
			t.Fatalf("pixel %d has %g keV", i, v)
		}
	}
	if all := float64(len(got)); math.Abs(float64(bad)/all-0.01) > 0.001 || switched < 20 {
		t.Errorf("%d pixels are masked and %d switched, of %d", bad, switched, len(got))
	}
}

// The beam of the geometry is in the middle of the ring: of each segment, pixels at the same distance from it have the same
// background in the mean.
func TestSimGeometryHasTheRing(t *testing.T) {
	const high, far = 1000, 352
	s, set, tables := simTables(t, "segments=4,bank=1,events=1,hits=0,noise=0,rings=1000,switched=0,bad=0,slow=0")
	g, err := correct.ParseGeometry(set.Geometry)
	if err != nil {
		t.Fatal(err)
	}
	raw, n := frames(t, s, 1)[0], set.SegmentPixels()
	var sums, counts [4][far]float64
	for i := range set.Serials {
		got := make([]float32, n)
		tables.Float32(got, raw[i*n:(i+1)*n], i)
		p := &g.Panels[i]
		if p.Index != i || len(g.Panels) != len(set.Serials) {
			t.Fatalf("panel %d is %+v", i, p)
		}
		for k, v := range got {
			if r := int(math.Hypot(p.CornerX+float64(k%set.Cols), p.CornerY+float64(k/set.Cols))); r < far {
				sums[i][r] += float64(v) * 16.4
				counts[i][r]++
			}
		}
	}
	for r := 20; r < far; r++ {
		for i := range set.Serials {
			d := (float64(r) + 0.5 - 0.3*704) / (0.06 * 704)
			want, got := high*math.Exp(-d*d/2), sums[i][r]/counts[i][r]
			if math.Abs(got-want) > 5*math.Sqrt((1+2*want)/counts[i][r])+3 {
				t.Errorf("segment %d has %g ADU at %d pixels from the beam, want %g", i, got, r, want)
			}
		}
	}
}

// The noise goes up with the background, as that of photons.
func TestSimNoise(t *testing.T) {
	const params, events = "segments=1,rows=100,cols=100,bank=64,hits=0,switched=0,bad=0,slow=0", 64
	pedestals := frames(t, newSim(t, params+",noise=0,rings=0"), 1)[0]
	for _, rings := range []int{0, 60} {
		all := frames(t, newSim(t, fmt.Sprintf("%s,noise=3,rings=%d", params, rings)), events)
		var background, variance, pixels float64
		for i, pedestal := range pedestals {
			var sum, squares float64
			for _, frame := range all {
				v := float64(frame[i]) - float64(pedestal)
				sum, squares = sum+v, squares+v*v
			}
			if mean := sum / events; mean > 0.9*float64(rings)-5 {
				background, variance, pixels = background+mean, variance+squares/events-mean*mean, pixels+1
			}
		}
		background, variance = background/pixels, variance/pixels
		if want := 9 + 2*background; pixels < 100 || math.Abs(variance-want) > 0.08*want {
			t.Errorf("%g pixels have a background of %g ADU and a variance of %g, want %g", pixels, background, variance, want)
		}
	}
}

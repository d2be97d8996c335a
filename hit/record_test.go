package hit_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"drp/hit"
	"drp/internal/testkit"
	"drp/xtc"
)

// What is recorded of an event is read again as it was, with any number of peaks.
func TestRecordRoundTrip(t *testing.T) {
	asked := hit.Config{Regions: make([]hit.Region, 1), Radial: hit.Radial{Every: 1}}
	names := &xtc.Names{ID: 0x103, DetName: "cam", DetType: "testcam", Alg: hit.Alg, Version: xtc.Version{Major: 1}, Entries: hit.Entries(&asked)}
	table := xtc.NewTable()
	if err := table.Add(names); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for peaks := range 40 {
		want := hit.Record{Summary: hit.Summary{Count: rng.Uint32(), Hit: peaks%2 == 0, Truncated: peaks%3 == 0, Peaks: rng.Uint32(),
			Pixels: rng.Uint32(), Switched: rng.Uint32(), Photons: rng.Uint32(), Total: rng.Float32(), Max: float32(math.Inf(1)), Background: -1},
			By: hit.Maker(peaks % 3), Thresholds: rng.Uint64(), Peaks: make([]hit.Peak, peaks)}
		for i := range want.Peaks {
			want.Peaks[i] = hit.Peak{Segment: uint16(rng.Uint32()), NPix: uint16(rng.Uint32()), Row: rng.Float32(), Col: rng.Float32(),
				Total: rng.Float32(), Max: rng.Float32(), Background: rng.Float32(), Sigma: rng.Float32(), SNR: rng.Float32()}
		}
		if peaks > 2 {
			want.Regions = []hit.RegionSums{{Sum: -1e300, SumSquares: 3, Count: 7, Max: 5, Row: 6, Col: 7}, {Col: float32(peaks)}}
			want.Radial, want.RadialCounts = []float32{1, 2.5, -3}, []uint32{0, 1, 1 << 31}
		}
		block, err := want.AppendTo(nil, names)
		if err != nil {
			t.Fatal(err)
		}
		it := table.Blocks(testkit.Plain(xtc.L1Accept, 1, block...))
		if !it.Next() {
			t.Fatal(it.Err())
		}
		if got, err := hit.ReadRecord(it.Block()); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, not %+v; %v", got, want, err)
		}
	}
}

// A block of another kind is an error.
func TestReadRecordRefuses(t *testing.T) {
	for name, change := range map[string]func(e []xtc.Name) []xtc.Name{
		"a missing field":    func(e []xtc.Name) []xtc.Name { return e[:len(e)-1] },
		"a field's type":     func(e []xtc.Name) []xtc.Name { e[0].Type = xtc.UInt64; return e },
		"a field's rank":     func(e []xtc.Name) []xtc.Name { e[12].Rank = 2; return e },
		"arrays of a length": func(e []xtc.Name) []xtc.Name { return e },
	} {
		names := &xtc.Names{ID: 0x103, DetName: "cam", DetType: "testcam", Alg: hit.Alg, Version: xtc.Version{Major: 1}, Entries: change(hit.Entries(&hit.Config{}))}
		table := xtc.NewTable()
		if err := table.Add(names); err != nil {
			t.Fatal(err)
		}
		var b xtc.Builder
		b.Begin(nil, names)
		for i, e := range names.Entries {
			switch e.Rank {
			case 0:
				b.Uint(1)
			case 1:
				b.Array(uint32(i))
			default:
				b.Array(1, 1)
			}
		}
		block, err := b.End()
		if err != nil {
			t.Fatal(err)
		}
		it := table.Blocks(testkit.Plain(xtc.L1Accept, 1, block...))
		if !it.Next() {
			t.Fatal(it.Err())
		}
		if _, err := hit.ReadRecord(it.Block()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzReadRecord: whatever a file holds, a block is an error, or what is read of it is written as it was.
func FuzzReadRecord(f *testing.F) {
	asked := hit.Config{Regions: make([]hit.Region, 1), Radial: hit.Radial{Every: 1}}
	names := &xtc.Names{ID: 0x103, DetName: "cam", DetType: "testcam", Alg: hit.Alg, Version: xtc.Version{Major: 1}, Entries: hit.Entries(&asked)}
	table := xtc.NewTable()
	if err := table.Add(names); err != nil {
		f.Fatal(err)
	}
	for peaks := range 3 {
		r := hit.Record{Peaks: make([]hit.Peak, peaks), Regions: make([]hit.RegionSums, peaks), Radial: make([]float32, peaks)}
		block, err := r.AppendTo(nil, names)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(block)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		for it := table.Blocks(testkit.Plain(xtc.L1Accept, 1, payload...)); it.Next(); {
			r, err := hit.ReadRecord(it.Block())
			if err != nil {
				continue
			}
			block, err := r.AppendTo(nil, names)
			if err != nil {
				t.Fatal(err)
			}
			again := table.Blocks(testkit.Plain(xtc.L1Accept, 1, block...))
			if !again.Next() {
				t.Fatal(again.Err())
			}
			written, err := hit.ReadRecord(again.Block())
			if err != nil {
				t.Fatal(err)
			}
			if twice, err := written.AppendTo(nil, names); err != nil || !bytes.Equal(twice, block) {
				t.Fatalf("%x\n%x: %v", block, twice, err)
			}
		}
	})
}

// FuzzApply: whatever users write, it is an error, or means the same when it is written out.
func FuzzApply(f *testing.F) {
	for _, text := range []string{"peakfinder8:min_snr=7,adc_threshold=50", ":center=1:2,panel=3x4", "droplets", "photons:adu_per_photon=1e3",
		"threshold:regions=a/0/1-2/3-4+b/1/0-9/0-9,radial.every=5"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := hit.Default()
		if c.Apply(text) != nil || c.Check() != nil {
			return
		}
		again := hit.Default()
		for _, p := range c.Parameters() {
			if p.Value() == "" {
				continue
			}
			if err := again.Set(p.Name, p.Value()); err != nil {
				t.Fatal(err)
			}
		}
		if again.JSON() != c.JSON() {
			t.Errorf("%s: %s, and then %s", text, c.JSON(), again.JSON())
		}
	})
}

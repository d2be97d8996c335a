package darks_test

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"drp/calib"
	"drp/calib/darks"
	"drp/internal/testkit"
	"drp/xtc"
)

// camera writes dark runs whose pedestals and noise are known.
type camera struct {
	detType    string
	segments   int
	rows, cols int
	ids        []string
	random     *rand.Rand
	time       uint64
}

func newCamera(detType string, ids ...string) *camera {
	return &camera{detType: detType, segments: len(ids), rows: 8, cols: 12, ids: ids, random: rand.New(rand.NewPCG(1, 2)), time: 10}
}

func (c *camera) names(s int) *xtc.Names {
	return &xtc.Names{ID: xtc.NewNamesID(1, uint32(s)), DetType: c.detType, DetName: "cam", DetID: c.ids[s], Alg: "raw",
		Segment: uint32(s), Entries: []xtc.Name{{Name: "raw", Type: xtc.UInt16, Rank: 2}}}
}

func (c *camera) configNames(s int) *xtc.Names {
	return &xtc.Names{ID: xtc.NewNamesID(1, uint32(100+s)), DetType: c.detType, DetName: "cam", DetID: c.ids[s], Alg: "config",
		Segment: uint32(s), Entries: []xtc.Name{{Name: "asicPixelConfig", Type: xtc.UInt8, Rank: 3}, {Name: "trbit", Type: xtc.UInt8, Rank: 1}}}
}

func (c *camera) begin(t testing.TB) []xtc.Dgram {
	var names []byte
	for s := range c.segments {
		for _, n := range []*xtc.Names{c.names(s), c.configNames(s)} {
			var err error
			if names, err = n.AppendTo(names); err != nil {
				t.Fatal(err)
			}
		}
	}
	return []xtc.Dgram{testkit.Plain(xtc.Configure, 1, names...)}
}

// pedestal and noise are what is to be found.
func (c *camera) pedestal(g, s, i int) float64 {
	return 1000*float64(1+g) + 20*float64(s) + float64(i)/7
}

func (c *camera) noise(g, i int) float64 { return 3 + float64(g) + float64(i%4)/4 }

// value is a raw pixel in a gain range; change may spoil it.
func (c *camera) value(g, s, i int) float64 {
	return math.Round(c.pedestal(g, s, i) + c.noise(g, i)*c.random.NormFloat64())
}

// event has the pixels that raw gives.
func (c *camera) event(t testing.TB, raw func(s, i int) uint16) xtc.Dgram {
	var payload []byte
	for s := range c.segments {
		var b xtc.Builder
		b.Begin(payload, c.names(s))
		pixels := b.Array(uint32(c.rows), uint32(c.cols))
		for i := range c.rows * c.cols {
			binary.LittleEndian.PutUint16(pixels[2*i:], raw(s, i))
		}
		var err error
		if payload, err = b.End(); err != nil {
			t.Fatal(err)
		}
	}
	c.time++
	return testkit.Plain(xtc.L1Accept, c.time, payload...)
}

// step configures all pixels of all segments.
func (c *camera) step(t testing.TB, word, tr uint8) xtc.Dgram {
	var payload []byte
	for s := range c.segments {
		var b xtc.Builder
		b.Begin(payload, c.configNames(s))
		for i, pixels := 0, b.Array(4, uint32(c.rows/2), uint32(c.cols/2)); i < len(pixels); i++ {
			pixels[i] = word
		}
		copy(b.Array(4), []uint8{tr, tr, tr, tr})
		var err error
		if payload, err = b.End(); err != nil {
			t.Fatal(err)
		}
	}
	c.time++
	return testkit.Plain(xtc.BeginStep, c.time, payload...)
}

func made(t *testing.T, o darks.Options, files ...string) *darks.Result {
	t.Helper()
	r, err := darks.Make(context.Background(), files, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// near checks pedestals and noise of a range as well as so many frames can tell, but for the pixels left out.
func (c *camera) near(t *testing.T, r *darks.Result, g, frames int, leftOut ...int) {
	t.Helper()
	n := c.rows * c.cols
	for s := range c.segments {
	pixels:
		for i := range n {
			at := (g*c.segments+s)*n + i
			for _, out := range leftOut {
				if out == i {
					continue pixels
				}
			}
			noise := math.Sqrt(c.noise(g, i)*c.noise(g, i) + 1./12)
			if d := float64(r.Set.Pedestals[at]) - c.pedestal(g, s, i); math.Abs(d) > 5*noise/math.Sqrt(float64(frames)) {
				t.Errorf("range %d segment %d pixel %d: the pedestal is off by %g", g, s, i, d)
			}
			if d := float64(r.Set.RMS[at])/noise - 1; math.Abs(d) > 5/math.Sqrt(2*float64(frames)) {
				t.Errorf("range %d segment %d pixel %d: the noise is off by %g", g, s, i, d)
			}
			if r.Set.Status[at] != 0 {
				t.Errorf("range %d segment %d pixel %d is %s", g, s, i, calib.StatusText(r.Set.Status[at]))
			}
		}
	}
}

var codes = []uint16{0, 0x4000, 0xC000}

const (
	hot, dead, odd, low, rare = 5, 17, 30, 50, 61
)

// TestJungfrau has three ranges in three files, with cosmic rays, frames with light in them, bad pixels and damage.
func TestJungfrau(t *testing.T) {
	c := newCamera("jungfrau_small", "M1", "M2")
	const frames = 400
	var files []string
	for g := range 3 {
		run := c.begin(t)
		for k := range frames {
			light := 0.
			if k%23 == 7 {
				light = 300
			}
			d := c.event(t, func(s, i int) uint16 {
				v := c.value(g, s, i) + light
				switch {
				case i == hot:
					v += 60 * c.random.NormFloat64()
				case i == dead:
					v = 500
				case i == odd:
					v += 700
				case i == low:
					v -= 700
				case i == rare && g == 0 && k%100 != 0:
					return 0x8000 // a code that means nothing
				case c.random.IntN(40) == 0:
					v += 2000 * c.random.Float64()
				}
				if i == 70 && k%3 == 0 {
					return 0xFFFF
				}
				return codes[g] | uint16(v)
			})
			if k == 9 {
				d.SetDamage(xtc.DamageTruncated)
			}
			run = append(run, d)
		}
		files = append(files, testkit.File(t, run...))
	}
	var last, total int64
	r := made(t, darks.Options{Progress: func(done, of int64) {
		if done < last || done > of {
			t.Errorf("%d of %d bytes after %d", done, of, last)
		}
		last, total = done, of
	}}, files...)
	if last != total || r.Left != 3 || r.Events != 3*frames-3 || r.Clipped == 0 || r.Special == 0 {
		t.Errorf("%+v, %d of %d bytes", r, last, total)
	}
	if calib.Serial(r.Set.Serials) != "M1.M2" || r.Frames[0] != frames-1 {
		t.Errorf("%v", r)
	}
	n := c.rows * c.cols
	for g := range 3 {
		leftOut := []int{hot, dead, odd, low, 70}
		if g == 0 {
			leftOut = append(leftOut, rare)
		}
		c.near(t, r, g, frames, leftOut...)
		for s := range 2 {
			status := r.Set.Status[(g*2+s)*n:]
			for i, want := range map[int]uint16{hot: calib.StatusNoisy, dead: calib.StatusQuiet | calib.StatusLow,
				odd: calib.StatusHigh, low: calib.StatusLow, 70: 0} {
				if status[i] != want {
					t.Errorf("range %d segment %d pixel %d is %s, want %s", g, s, i, calib.StatusText(status[i]), calib.StatusText(want))
				}
			}
			if g == 0 && status[rare] != calib.StatusFew {
				t.Errorf("a pixel of four frames is %s", calib.StatusText(status[rare]))
			}
		}
	}
	again := made(t, darks.Options{}, files...)
	for i, v := range r.Set.Pedestals {
		if again.Set.Pedestals[i] != v {
			t.Fatal("the same files give other pedestals")
		}
	}
}

// TestConfigured has ePix10ka go through its fixed and automatic ranges in one scan.
func TestConfigured(t *testing.T) {
	c := newCamera("epix10ka_small", "A")
	const frames = 60
	run := c.begin(t)
	for _, step := range []struct {
		word, tr uint8
		gains    int
	}{{12, 1, 0}, {12, 0, 1}, {8, 0, 2}, {0, 1, 3}, {0, 0, 4}} {
		run = append(run, c.step(t, step.word, step.tr))
		for range frames {
			run = append(run, c.event(t, func(s, i int) uint16 {
				v := uint16(c.value(step.gains, s, i))
				if step.gains < 3 {
					v |= 0x4000 // says nothing in a fixed range
				}
				return v
			}))
		}
	}
	r := made(t, darks.Options{}, testkit.File(t, run...))
	for g := range 5 {
		c.near(t, r, g, frames)
	}
	n := c.rows * c.cols
	for g := 5; g < 7; g++ {
		if r.Frames[g] != 0 || r.Set.Status[g*n] != calib.StatusFew || r.Set.Pedestals[g*n] == r.Set.Pedestals[g*n] {
			t.Errorf("range %d has %d frames, status %d, pedestal %g", g, r.Frames[g], r.Set.Status[g*n], r.Set.Pedestals[g*n])
		}
	}
	without := append(c.begin(t), c.event(t, func(int, int) uint16 { return 1 }))
	if _, err := darks.Make(context.Background(), []string{testkit.File(t, without...)}, darks.Options{}); err == nil ||
		!strings.Contains(err.Error(), "no asicPixelConfig came before") {
		t.Errorf("%v", err)
	}
}

func TestMistakes(t *testing.T) {
	c := newCamera("plain", "A", "A")
	flat := func(int, int) uint16 { return 100 }
	same := testkit.File(t, append(c.begin(t), c.event(t, flat))...)
	other := newCamera("plain", "A", "B")
	two := testkit.File(t, append(other.begin(t), other.event(t, flat))...)
	empty := testkit.File(t, other.begin(t)...)
	jungfrau := newCamera("jungfrau", "A")
	wrong := testkit.File(t, append(jungfrau.begin(t), jungfrau.event(t, flat))...)
	for _, test := range []struct {
		name  string
		files []string
		o     darks.Options
		want  string
	}{
		{"one id for two", []string{same}, darks.Options{}, `have the id "A" in the files: name all 2 segments [0 1] with --serials`},
		{"too few ids", []string{same}, darks.Options{Serials: []string{"X"}}, "1 ids are given, and cam has the 2 segments"},
		{"other hardware", []string{same, two}, darks.Options{}, "segment 1 of cam is A in"},
		{"another type", []string{two, wrong}, darks.Options{}, "is of type jungfrau there and plain in others"},
		{"another camera", []string{two}, darks.Options{Detector: "dog"}, "no camera dog, but cam"},
		{"no events", []string{empty}, darks.Options{}, "no event of cam is good: 0 were left out"},
		{"a wrong size", []string{wrong}, darks.Options{}, "have 8 x 12 pixels, and those of a jungfrau have 512 x 1024"},
		{"a missing file", []string{"missing.xtc2"}, darks.Options{}, "missing.xtc2: no such file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := darks.Make(context.Background(), test.files, test.o); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	r := made(t, darks.Options{Serials: []string{"X", "Y"}}, same)
	if calib.Serial(r.Set.Serials) != "X.Y" || r.Set.Pedestals[0] != 100 {
		t.Errorf("%v, %g", r.Set.Serials, r.Set.Pedestals[0])
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := darks.Make(ctx, []string{two}, darks.Options{}); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("%v", err)
	}
}

// TestComplete merges darks of G0 and G1 with an earlier set.
func TestComplete(t *testing.T) {
	c := newCamera("jungfrau_small", "M1")
	run := c.begin(t)
	for k := range 60 {
		run = append(run, c.event(t, func(s, i int) uint16 { return codes[k%2] | uint16(c.value(k%2, s, i)) }))
	}
	r := made(t, darks.Options{}, testkit.File(t, run...))
	n := c.rows * c.cols
	old := &calib.Set{Detector: "cam", Model: "jungfrau_small", Serials: []string{"M0", "M1"}, Unit: calib.Photon, Rows: c.rows,
		Cols: c.cols, Pedestals: make([]float32, 6*n), Gains: make([]float32, 6*n), Status: make([]uint16, 6*n), Geometry: "g"}
	for i := range old.Gains {
		old.Pedestals[i], old.Gains[i] = 7, float32(i+1)
	}
	old.Status[n+3], old.Gains[n+3] = calib.StatusUnknown, 0 // of G0
	old.Status[n+4] = calib.StatusUnknown                    // its gain is known, its pedestal was not
	old.Status[n+5] = calib.StatusNoisy | 1<<12              // is not noisy any more
	old.Status[5*n+1] = calib.StatusNoisy                    // of G2
	s, said, err := r.Complete(old, false)
	if err != nil || len(said) != 2 || !strings.Contains(said[1], "range G2 did not occur") {
		t.Fatalf("%v, %v", said, err)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	if s.Gains[0] != float32(n+1) || s.Pedestals[2*n] != 7 || s.Pedestals[0] != r.Set.Pedestals[0] || s.Unit != calib.Photon ||
		s.Geometry != "g" {
		t.Errorf("%+v", s)
	}
	for i, want := range map[int]uint16{3: calib.StatusUnknown, 4: 0, 5: 1 << 12, 2*n + 1: calib.StatusNoisy, 2 * n: 0} {
		if s.Status[i] != want {
			t.Errorf("value %d is %s", i, calib.StatusText(s.Status[i]))
		}
	}
	if r.Set.Gains != nil || r.Set.Status[3] != 0 {
		t.Error("the result was changed")
	}
	if _, _, err := r.Complete(old.Subset([]string{"M0"}), false); err == nil {
		t.Error("constants of another segment were taken")
	}
}

// TestStray has a cosmic ray switch one pixel of G0 to G1: the pedestals of G1 stay what they were.
func TestStray(t *testing.T) {
	c := newCamera("jungfrau_small", "M1")
	run := c.begin(t)
	for k := range 40 {
		run = append(run, c.event(t, func(s, i int) uint16 {
			if k == 7 && i == 3 {
				return codes[1] | 900
			}
			return uint16(c.value(0, s, i))
		}))
	}
	r := made(t, darks.Options{}, testkit.File(t, run...))
	if few := r.TooFew(); len(few) > 0 || r.Reached[1] != 1 {
		t.Errorf("%v, %v", few, r.Reached)
	}
	n := c.rows * c.cols
	old := &calib.Set{Detector: "cam", Model: "jungfrau_small", Serials: []string{"M1"}, Unit: calib.Photon, Rows: c.rows,
		Cols: c.cols, Pedestals: make([]float32, 3*n), Gains: make([]float32, 3*n)}
	s, said, err := r.Complete(old, false)
	if err != nil || len(said) != 3 || !strings.Contains(said[1], "range G1 occurred in 1 of 96 pixels") {
		t.Fatalf("%v, %v", said, err)
	}
	for i := n; i < 2*n; i++ {
		if s.Pedestals[i] != 0 || s.Status[i] != 0 {
			t.Fatalf("pixel %d of G1 has %g, status %d", i-n, s.Pedestals[i], s.Status[i])
		}
	}
	if s.Pedestals[0] != r.Set.Pedestals[0] {
		t.Error("G0 is not that of the darks")
	}
}

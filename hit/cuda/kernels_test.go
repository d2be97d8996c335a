package cuda_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"
	"unsafe"

	"drp/calib"
	"drp/calib/correct"
	"drp/hit"
	"drp/hit/cuda"
	"drp/hit/cuda/kernels"
	"drp/hit/cuda/stub"
	"drp/internal/testkit"
)

func open(t testing.TB, o cuda.Options) *cuda.GPU {
	t.Helper()
	if o.Watchdog == 0 {
		o.Watchdog = 5 * time.Minute // this machine may be slow, and its kernels are
	}
	g, err := cuda.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// What the kernels find is what the definition finds, to the last bit, whatever the camera, the frame, and the order in
// which blocks and threads take their turns.
func TestKernelsFindWhatTheDefinitionFinds(t *testing.T) {
	total, switched, searched := 0, 0, uint64(0)
	for _, statistics := range []string{hit.Full, hit.Sampled, hit.Carried} {
		for seed := range uint64(25) {
			t.Run(fmt.Sprint(statistics, seed), func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 1))
				c := newScene(t, r, statistics)
				g := open(t, cuda.Options{Driver: &stub.Driver{Faults: stub.Faults{ScatterBy: seed * 0x9e3779b97f4a7c15}}})
				finder, exact := g.Finder(c.plan), c.plan.Definition()
				var want, got hit.Result
				var row, rowAgain *hit.Carry
				for range 3 {
					f := c.frame(r)
					if row == nil && statistics == hit.Carried {
						row, rowAgain = c.plan.NewCarry(f), c.plan.NewCarry(f)
					}
					f.Carried = row
					exact.Find(f, &want)
					f.Carried = rowAgain
					finder.Find(f, &got)
					same(t, fmt.Sprintf("%s, %+v", c.set.Model, c.plan.Config), &got, &want)
					if got.By != hit.GPU {
						t.Fatalf("searched by %d: %+v", got.By, g.Books())
					}
					total += len(want.Peaks)
					switched += int(want.Summary.Switched)
				}
				searched += g.Books().GPU
			})
		}
	}
	if total < 500 || switched < 50000 || searched < 150 {
		t.Errorf("%d peaks, %d pixels in other ranges, %d frames: these show little", total, switched, searched)
	}
}

// The frames of a JUNGFRAU, with their three pedestals, and with rings around the beam.
func TestKernelsFindWhatTheDefinitionFindsInJungfrau(t *testing.T) {
	j := testkit.OpenJungfrau(t)
	set := &calib.Set{Detector: "jf", Model: "jungfrau", Serials: []string{"M049"}, Unit: calib.Photon,
		Rows: testkit.JungfrauRows, Cols: testkit.JungfrauCols, Pedestals: j.Pedestals, Gains: j.Gains, Mask: j.Mask}
	tables, err := correct.NewTables(set, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, statistics := range []string{hit.Full, hit.Sampled} {
		c := hit.Default()
		c.Finder, c.Center = "peakfinder8", hit.Center{Row: 700, Col: 511.5, Given: true}
		c.Peakfinder8 = hit.Peakfinder8{Statistics: statistics, ADCThreshold: 4000, MinSNR: 6, MinPixCount: 2, MaxPixCount: 30,
			LocalBGRadius: 4, Refresh: 1}
		plan, err := hit.NewPlan(c, hit.Camera{Tables: tables, Unit: set.Unit})
		if err != nil {
			t.Fatal(err)
		}
		g := open(t, cuda.Options{Driver: &stub.Driver{}})
		finder, exact := g.Finder(plan), plan.Definition()
		for frame := range testkit.JungfrauFrames {
			f := &hit.Frame{Raw: [][]uint16{j.Raw(t, frame)}}
			var want, got hit.Result
			exact.Find(f, &want)
			finder.Find(f, &got)
			same(t, fmt.Sprintf("%s, frame %d", statistics, frame), &got, &want)
			if got.By != hit.GPU || len(got.Peaks) < 100 {
				t.Errorf("%s, frame %d: %d peaks by %d", statistics, frame, len(got.Peaks), got.By)
			}
		}
	}
}

// Many goroutines share the lanes, with plans of two generations, frames in registered memory and elsewhere, with their own
// thresholds and with carried ones: each gets what belongs to its frame.
func TestLanesMixNothingUp(t *testing.T) {
	testkit.NoLeaks(t)
	r := rand.New(rand.NewPCG(7, 7))
	scenes := []*scene{newScene(t, r, hit.Sampled), newScene(t, r, hit.Full)}
	type job struct {
		frame, again *hit.Frame
		want         hit.Result
	}
	jobs := make([][]*job, len(scenes))
	g := open(t, cuda.Options{Driver: &stub.Driver{}, Batch: 4})
	for k, c := range scenes {
		exact := c.plan.Definition()
		var row, again *hit.Carry
		for i := range 12 {
			j := &job{frame: c.frame(r)}
			j.again = copyOf(j.frame)
			if i == 0 {
				row, again = c.plan.NewCarry(j.frame), c.plan.NewCarry(j.again)
			}
			if i%3 == 0 {
				j.frame.Carried, j.again.Carried = row, again
			}
			exact.Find(j.frame, &j.want)
			jobs[k] = append(jobs[k], j)
			if i%2 == 0 {
				for _, raw := range j.again.Raw {
					g.Register(unsafe.Slice((*byte)(unsafe.Pointer(&raw[0])), 2*len(raw)))
				}
			}
		}
	}
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			finder := g.Finder(scenes[w%2].plan)
			var got hit.Result
			for i := range 24 {
				j := jobs[w%2][(i*5+w)%12]
				finder.Find(j.again, &got)
				if got.By != hit.GPU || got.Summary != j.want.Summary || !reflect.DeepEqual(got.Peaks, j.want.Peaks) && len(got.Peaks) > 0 {
					t.Errorf("worker %d, frame %d: %+v by %d, not %+v", w, i, got.Summary, got.By, j.want.Summary)
				}
			}
		})
	}
	all.Wait()
	b := g.Books()
	if b.GPU != 8*24 || b.Batches == 0 || b.Staged == 0 || b.Staged == b.GPU || b.Checked == 0 || b.Instead+b.Other+b.Overflow > 0 {
		t.Errorf("%+v", b)
	}
}

// The structures are those of the C compiler.
func TestLayoutIsThatOfTheKernels(t *testing.T) {
	offsets, sizes := kernels.Layout()
	p := reflect.TypeFor[cuda.Params]()
	if p.NumField() != len(offsets) {
		t.Fatalf("%d fields, not %d", p.NumField(), len(offsets))
	}
	for i, at := range offsets {
		if f := p.Field(i); int(f.Offset) != at {
			t.Errorf("%s lies at %d, not at %d", f.Name, f.Offset, at)
		}
	}
	for name, size := range map[string]uintptr{"Params": p.Size(), "Panel": unsafe.Sizeof(cuda.Panel{}), "Sums": cuda.SumsBytes,
		"Group": cuda.GroupBytes, "Head": unsafe.Sizeof(cuda.Head{}), "Record": unsafe.Sizeof(cuda.Record{})} {
		if int(size) != sizes[name] {
			t.Errorf("%s has %d bytes, not %d", name, size, sizes[name])
		}
	}
}

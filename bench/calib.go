package bench

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"drp/calib"
	"drp/calib/correct"
)

// CalibOptions say how long to measure.
type CalibOptions struct {
	Rounds  int
	Seconds float64 // of each measurement
	Frames  int     // different ones, more than the caches hold; 0 is enough of them
	Bytes   int     // of the constants that go to workers; 57 MB is those of two megapixels
	Workers int
}

// Calib measures what calibration costs. Each part measures and judges for itself.
func Calib(ctx context.Context, o CalibOptions) (*Report, error) {
	r := &Report{Machine: machine()}
	for _, part := range []func(context.Context, *Report, CalibOptions) error{corrections, publishing} {
		if err := ctx.Err(); err != nil { // before frames are made, which takes a while
			return nil, err
		}
		if err := part(ctx, r, o); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// The frames of 2.16 megapixels: four segments with JUNGFRAU's gain ranges, different ones in turn, so many that they
// come from memory and not from a cache.
const (
	calibSegments, calibRows, calibCols = 4, 704, 768
	calibPixels                         = calibSegments * calibRows * calibCols
	calibFrames                         = 24
)

// frames holds them, and all that they are turned into.
type frames struct {
	raw      [][]uint16
	copied   [][]uint16 // as many, so that a copy goes from memory to memory
	integers []int16
	floats   []float32
	pedestal []int16 // of the limit's own
	sum      uint64
}

// corrections measures on one core how fast raw pixels become corrected ones, beside copying and reading them.
func corrections(ctx context.Context, r *Report, o CalibOptions) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	set := calibSet()
	plain, err := correct.NewTables(set, nil)
	if err != nil {
		return err
	}
	mean, err := withCommonMode(set, calib.ClippedMean)
	if err != nil {
		return err
	}
	median, err := withCommonMode(set, calib.Median)
	if err != nil {
		return err
	}
	f := newFrames(set, cmp.Or(o.Frames, calibFrames))
	r.Loops = correct.Loops()
	steps := []step{
		{"copy_frame", "copy of a raw frame from memory to memory", f.copy},
		{"read_frame", "sum over a raw frame, which comes from memory, and a pedestal", f.read},
		{"adu16", "raw to int16 less pedestal", f.adu16(plain)},
		{"float32", "raw to float32 with gain ranges", f.float32(plain)},
		{"float32_mean", "the same with the clipped mean of each row of each bank", f.float32(mean)},
		{"float32_median", "the same with the median of each row of each bank", f.float32(median)},
		{"adu16_mean", "raw to int16 with the clipped mean of each row of each bank", f.adu16(mean)},
		{"adu16_median", "raw to int16 with the median of each row of each bank", f.adu16(median)},
	}
	for round := range o.Rounds + 1 {
		took := map[string]float64{}
		for _, s := range steps {
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			if took[s.name], err = s.milliseconds(o.Seconds, len(f.raw)); err != nil {
				return fmt.Errorf("bench: processor time: %w", err)
			}
		}
		if round == 0 {
			continue // everything is touched for the first time
		}
		for _, s := range steps {
			r.add(s.name, "ms", s.what, took[s.name])
		}
		r.add("mean_more", "ms", "what the clipped mean adds to float32", took["float32_mean"]-took["float32"])
		r.add("median_more", "ms", "what the median adds to float32", took["float32_median"]-took["float32"])
		r.add("frames_per_second", "1/s", "float32 with gain ranges as a rate", 1e3/took["float32"])
	}
	r.settle()
	r.bar("pedestal to int16", "adu16", "read_frame", 1.3, true)
	r.bar("float32 with gain ranges", "float32", "copy_frame", 3.5, true)
	r.bar("clipped-mean common mode, more", "mean_more", "copy_frame", 1.5, true)
	r.bar("median common mode, more", "median_more", "copy_frame", 8, true)
	return nil
}

// step is one thing that is done to a frame.
type step struct {
	name, what string
	do         func(frame int)
}

// milliseconds gives the processor time of a frame, over all frames as often as there is time.
func (s step) milliseconds(seconds float64, frames int) (float64, error) {
	begin, err := threadTime()
	if err != nil {
		return 0, err
	}
	n, start := 0, time.Now()
	for n == 0 || time.Since(start).Seconds() < seconds {
		for frame := range frames {
			s.do(frame)
		}
		n += frames
	}
	end, err := threadTime()
	return (end - begin).Seconds() * 1e3 / float64(n), err
}

// threadTime is the processor time of this thread: what others do on the machine at the same time does not count, but
// that they use its memory and caches.
func threadTime() (time.Duration, error) {
	var ts unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	return time.Duration(ts.Nano()), err
}

func (f *frames) copy(i int) { copy(f.copied[i], f.raw[i]) }
func (f *frames) read(i int) { f.sum += sum16(f.raw[i], f.pedestal) }

func (f *frames) adu16(t *correct.Tables) func(int) {
	return func(i int) { eachSegment(t.ADU16, f.integers, f.raw[i]) }
}

func (f *frames) float32(t *correct.Tables) func(int) {
	return func(i int) { eachSegment(t.Float32, f.floats, f.raw[i]) }
}

func eachSegment[T any](do func(dst []T, raw []uint16, segment int), dst []T, raw []uint16) {
	const n = calibRows * calibCols
	for s := range calibSegments {
		do(dst[s*n:(s+1)*n], raw[s*n:(s+1)*n], s)
	}
}

func withCommonMode(set *calib.Set, method calib.Method) (*correct.Tables, error) {
	with := *set
	with.CommonMode = &calib.CommonMode{Method: method, Rows: true, MaxADU: 100, MinPixels: 10}
	return correct.NewTables(&with, nil)
}

// calibSet has plausible constants, and one bad pixel in two hundred.
func calibSet() *calib.Set {
	seed := rand.New(rand.NewPCG(1, 1))
	s := &calib.Set{Detector: "bench", Model: "jungfrau-bench", Serials: []string{"a", "b", "c", "d"}, Unit: calib.KeV,
		Rows: calibRows, Cols: calibCols, Mask: make([]uint8, calibPixels)}
	for r, gain := range []float32{41, -1.45, -0.115} {
		pedestal := []float32{2700, 14500, 14200}[r]
		for range calibPixels {
			s.Pedestals = append(s.Pedestals, pedestal+150*float32(seed.NormFloat64()))
			s.Gains = append(s.Gains, gain*(1+0.03*float32(seed.NormFloat64())))
		}
	}
	for i := range s.Mask {
		if seed.IntN(200) > 0 {
			s.Mask[i] = 1
		}
	}
	return s
}

// newFrames makes noise, a common mode, a photon here and there, and some pixels in other gain ranges (one in a
// thousand, as in protein diffraction).
func newFrames(set *calib.Set, count int) *frames {
	seed := rand.New(rand.NewPCG(1, 2))
	f := &frames{integers: make([]int16, calibPixels),
		floats: make([]float32, calibPixels), pedestal: make([]int16, calibPixels)}
	noise := make([]float32, 1<<16)
	for i := range noise {
		noise[i] = 20 * float32(seed.NormFloat64())
		if seed.IntN(50) == 0 {
			noise[i] += 380
		}
	}
	for range count {
		raw := make([]uint16, calibPixels)
		shift := float32(0)
		for i := range raw {
			if i%64 == 0 {
				shift = noise[seed.IntN(len(noise))] / 4
			}
			raw[i] = uint16(set.Pedestals[i] + shift + noise[seed.IntN(len(noise))])
			switch seed.IntN(2000) {
			case 0:
				raw[i] = 0x4000 | uint16(10000+seed.IntN(4000))
			case 1:
				raw[i] = 0xC000 | uint16(13000+seed.IntN(1000))
			}
		}
		f.raw, f.copied = append(f.raw, raw), append(f.copied, make([]uint16, calibPixels))
	}
	return f
}

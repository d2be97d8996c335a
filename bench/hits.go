package bench

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"drp/calib/correct"
	"drp/hit"
)

// HitsOptions say how long to measure.
type HitsOptions struct {
	Rounds  int
	Seconds float64 // of each measurement
	Frames  int     // different ones, more than the caches hold; 0 is enough of them
}

// Hits measures how fast hits are found, beside what one pass over a frame and its pedestals takes. All rates are of the
// processor time of a thread.
func Hits(ctx context.Context, o HitsOptions) (*Report, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := &Report{Machine: machine(), Loops: correct.Loops(),
		Notes: []string{"GPU: not measured here; drp bench hits --gpu does that"}}
	h, err := newHitBench(o.Frames)
	if err != nil {
		return nil, err
	}
	if err := h.agree(); err != nil {
		return nil, err
	}
	last := map[string]float64{}
	for round := range o.Rounds + 1 {
		for _, s := range h.steps {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			rate, err := h.rate(&s, o.Seconds)
			if err != nil {
				return nil, fmt.Errorf("bench: processor time: %w", err)
			}
			last[s.name] = rate
			if round == 0 { // in which everything is touched for the first time
				continue
			}
			r.add(s.name, "frames/s", s.what, rate)
			if s.name == "sampled_two" {
				r.add("two_allowed", "frames/s", "two workers that were slower than one only by what two who read are", twoAllowed(last))
			}
		}
	}
	r.settle()
	r.bar("sampled, of what one pass allows", "sampled", "read_frame", 0.25, false)
	r.bar("sampled, of the textbook", "sampled", "textbook", 20, false)
	r.bar("carried, of what one pass allows", "carried", "read_frame", 0.65, false)
	r.bar("full, of what one pass allows", "full", "read_frame", 0.08, false)
	r.bar("photons, of what one pass allows", "photons", "read_frame", 0.2, false)
	r.bar("many photons, of what one pass allows", "photons_dense", "read_frame", 0.2, false)
	r.bar("two workers, of one", "sampled_two", "sampled_one", 1.8, false)
	return r, nil
}

// pairTurns is how often in a round one and two workers take turns: where memory is shared with other machines, what it
// gives differs from one moment to the next by more than what is looked for.
const pairTurns = 4

// twoAllowed is what two workers could do together; no bar is held against it. Two cores do twice as much as one, where each
// has its memory for itself. Where they share it, two who only read frames are less than twice as fast as one, and a
// finder has that part of its time stretched as theirs.
func twoAllowed(rates map[string]float64) float64 {
	one, read := 1/rates["sampled_one"], 1/rates["read_one"]
	stretched := max(1, 2*rates["read_one"]/rates["read_two"])
	return 2 / (one + read*(stretched-1))
}

// hitStep is one way to look at frames. Each worker has its own.
type hitStep struct {
	name, what string
	workers    int
	worker     func() func(frame int)
}

// hitBench is what is measured, and with what.
type hitBench struct {
	scene *hitScene
	copy  []uint16
	sum   uint64
	steps []hitStep
	plans map[string]*hit.Plan         // of peakfinder8, by statistics
	runs  map[string][]func(frame int) // of each step, one for each worker
	found map[string]*uint32           // photons that a finder found, without which it is none
}

func newHitBench(frames int) (*hitBench, error) {
	scene, err := newHitScene(frames)
	if err != nil {
		return nil, err
	}
	b := &hitBench{scene: scene, copy: make([]uint16, calibPixels), plans: map[string]*hit.Plan{},
		runs: map[string][]func(int){}, found: map[string]*uint32{}}
	b.steps = []hitStep{
		{"copy_frame", "copy of a raw frame, which comes from memory", 1, b.copyFrame},
		{"read_raw", "sum over a raw frame, which comes from memory", 1, b.readRaw},
		{"read_frame", "sum over a raw frame, which comes from memory, and a pedestal", 1, b.readFrame},
		{"textbook", "peakfinder8 in five plain passes over a corrected frame", 1, b.textbook},
	}
	for _, s := range []struct{ name, what string }{
		{hit.Full, "peakfinder8, statistics of all pixels"},
		{hit.Sampled, "peakfinder8, statistics of 100 pixels of each bin"},
		{hit.Carried, "peakfinder8, statistics of an earlier frame"},
	} {
		worker, err := b.finder(s.name)
		if err != nil {
			return nil, err
		}
		b.steps = append(b.steps, hitStep{s.name, s.what, 1, worker})
		if s.name == hit.Sampled {
			for range pairTurns {
				b.steps = append(b.steps, hitStep{"read_one", "sum over a raw frame, in turns with the next", 1, b.reader},
					hitStep{"read_two", "the same by two at the same time", 2, b.reader},
					hitStep{"sampled_one", "the same, in turns with the next", 1, worker},
					hitStep{"sampled_two", "the same by two workers at the same time", 2, worker})
			}
		}
	}
	for _, s := range []struct {
		name, what string
		adu        float64
		frames     [][][]uint16
	}{
		{"photons", "photons of 150 ADU in the same frames: half of one is little more than the ring", photonADU, scene.segments},
		{"photons_330", "photons of 330 ADU, those of 8 keV, in the same frames", 330, scene.segments},
		{"photons_dense", "photons of 150 ADU where one pixel in a hundred has one", photonADU, scene.photons},
	} {
		worker, err := b.photons(s.name, s.adu, s.frames)
		if err != nil {
			return nil, err
		}
		b.steps = append(b.steps, hitStep{s.name, s.what, 1, worker})
	}
	for _, s := range b.steps {
		for len(b.runs[s.name]) < s.workers {
			b.runs[s.name] = append(b.runs[s.name], s.worker())
		}
	}
	return b, nil
}

func (b *hitBench) copyFrame() func(int) {
	return func(i int) { copy(b.copy, b.scene.frames[i]) }
}

func (b *hitBench) readRaw() func(int) {
	return func(i int) {
		b.sum += sum16(b.scene.frames[i][:calibPixels/2], signed(b.scene.frames[i][calibPixels/2:]))
	}
}

// reader is a readRaw of which several can be at work.
func (b *hitBench) reader() func(int) {
	own := &hitBench{scene: b.scene}
	return own.readRaw()
}

func (b *hitBench) readFrame() func(int) {
	return func(i int) { b.sum += sum16(b.scene.frames[i], b.scene.pedestal) }
}

func (b *hitBench) textbook() func(int) {
	t := newTextbook(b.scene)
	return func(i int) { t.find(b.scene.frames[i]) }
}

// finder makes one of peakfinder8 for each worker.
func (b *hitBench) finder(statistics string) (func() func(int), error) {
	c := b.scene.config
	c.Peakfinder8.Statistics = statistics
	plan, err := b.scene.plan(c)
	if err != nil {
		return nil, err
	}
	b.plans[statistics] = plan
	return func() func(int) {
		var carry *hit.Carry
		if statistics == hit.Carried {
			carry = plan.NewCarry(&hit.Frame{Raw: b.scene.segments[0]})
		}
		finder, result := plan.NewFinder(), new(hit.Result)
		frame := new(hit.Frame)
		return func(i int) {
			*frame = hit.Frame{Raw: b.scene.segments[i], Carried: carry}
			finder.Find(frame, result)
		}
	}, nil
}

func (b *hitBench) photons(name string, adu float64, frames [][][]uint16) (func() func(int), error) {
	c := hit.Default()
	c.Finder, c.Photons.PerPhoton = "photons", adu
	plan, err := b.scene.plan(c)
	if err != nil {
		return nil, err
	}
	found := new(uint32)
	b.found[name] = found
	return func() func(int) {
		finder, result := plan.NewFinder(), new(hit.Result)
		frame := new(hit.Frame)
		return func(i int) {
			frame.Raw = frames[i]
			finder.Find(frame, result)
			*found = result.Summary.Photons
		}
	}, nil
}

// agree fails where the ways to find peaks do not find about the same: then their times say nothing.
func (b *hitBench) agree() error {
	t := newTextbook(b.scene)
	for _, statistics := range []string{hit.Full, hit.Sampled} {
		var result hit.Result
		b.plans[statistics].NewFinder().Find(&hit.Frame{Raw: b.scene.segments[0]}, &result)
		if want, got := t.find(b.scene.frames[0]), len(result.Peaks); got < want-2 || got > want+2 || got < hitPeaks*3/4 {
			return fmt.Errorf("bench: %s statistics find %d peaks, and the textbook %d, of %d", statistics, got, want, hitPeaks)
		}
	}
	return nil
}

// rate gives the frames that the workers of a step do in a second of their processor time, together.
func (b *hitBench) rate(s *hitStep, seconds float64) (float64, error) {
	rates, errs := make([]float64, s.workers), make([]error, s.workers)
	var working sync.WaitGroup
	work := func(w int) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		away := w * len(b.scene.frames) / s.workers // the workers are not at the same frame
		ms, err := step{s.name, s.what, func(i int) { b.runs[s.name][w]((i + away) % len(b.scene.frames)) }}.milliseconds(seconds, len(b.scene.frames))
		rates[w], errs[w] = 1e3/ms, err
	}
	for w := 1; w < s.workers; w++ {
		working.Go(func() { work(w) })
	}
	work(0)
	working.Wait()
	sum := 0.
	for w := range rates {
		if errs[w] != nil {
			return 0, errs[w]
		}
		sum += rates[w]
	}
	if n := b.found[s.name]; n != nil && *n == 0 {
		return 0, nil // what finds nothing has no rate
	}
	return sum, nil
}

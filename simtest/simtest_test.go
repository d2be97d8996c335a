package simtest

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"drp/internal/testkit"
)

// seeds are a quarter as many where the race detector makes them slow: nothing runs beside anything in a simulated world.
var seeds = flag.Int("seeds", map[bool]int{false: 1000, true: 250}[testkit.RaceDetector], "seeds that TestSeeds tries")

// TestSeeds: whatever a seed brings, nothing is lost, doubled, mixed up or miscounted. drp sim-test --seed N runs one
// again. F16: in enough seeds the GPU finds hits, and in some the CPU has to go on; what is recorded is the same.
func TestSeeds(t *testing.T) {
	var byGPU, instead, both atomic.Int64
	each(*seeds, func(seed uint64) {
		r := Run(Options{Seed: seed})
		if len(r.Problems) > 0 {
			t.Errorf("seed %d: %s", seed, strings.Join(r.Problems, "\n\t"))
		}
		if r.Summary.ByGPU > 0 {
			byGPU.Add(1)
		}
		if r.Summary.Instead > 0 {
			instead.Add(1)
		}
		if r.Summary.ByGPU > 0 && r.Summary.Instead > 0 {
			both.Add(1)
		}
	})
	if of := int64(*seeds); byGPU.Load() < of/15 || instead.Load() < of/30 || both.Load() < of/75 {
		t.Errorf("of %d seeds %d had hits found by a GPU, %d by the CPU in its place, %d by both: this shows little",
			of, byGPU.Load(), instead.Load(), both.Load())
	}
}

// each does something with the seeds from 1 on, on all cores.
func each(seeds int, do func(seed uint64)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range runtime.NumCPU() {
		all.Go(func() {
			for seed := next.Add(1); seed <= int64(seeds); seed = next.Add(1) {
				do(uint64(seed))
			}
		})
	}
	all.Wait()
}

// TestRepeats: a seed gives the same run every time.
func TestRepeats(t *testing.T) {
	each(20, func(seed uint64) {
		if a, b := Run(Options{Seed: seed}), Run(Options{Seed: seed}); a.Digest != b.Digest || a.Steps != b.Steps {
			t.Errorf("seed %d: %x after %d steps, then %x after %d", seed, a.Digest, a.Steps, b.Digest, b.Steps)
		}
	})
}

// TestPlantedFaults: the checker finds what is put in front of it.
func TestPlantedFaults(t *testing.T) {
	const runs = 40
	var good [runs + 1]Result
	each(runs, func(seed uint64) { good[seed] = Run(Options{Seed: seed}) })
	for fault, name := range map[Fault]string{Loss: "loss", Duplicate: "duplicate", Exchange: "exchange", Change: "change",
		Undamaged: "undamaged", Miscount: "miscount",
		Mishit: "mishit", Undecided: "undecided", Unposted: "unposted"} {
		var found, tried atomic.Int64
		each(runs, func(seed uint64) {
			g := &good[seed]
			if g.Summary.Recorded < 3 || g.Summary.Damaged == 0 || len(g.Problems) > 0 || fault == Mishit && g.Summary.Searched == 0 ||
				fault == Unposted && g.Summary.Posted == g.Summary.PostFailed || fault == Undecided && g.Summary.Vetoed == 0 {
				return
			}
			tried.Add(1)
			if len(Run(Options{Seed: seed, Plant: fault}).Problems) > 0 {
				found.Add(1)
			}
		})
		if n := tried.Load(); n == 0 || found.Load() < n*9/10 {
			t.Errorf("%s was found in %d of %d runs", name, found.Load(), n)
		}
	}
}

func ExampleRun() {
	r := Run(Options{Seed: 7})
	fmt.Println(r.Seed, len(r.Problems))
	// Output: 7 0
}

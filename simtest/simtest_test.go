package simtest

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var seeds = flag.Int("seeds", 1000, "seeds that TestSeeds tries")

// TestSeeds: whatever a seed brings, nothing is lost, doubled, mixed up or miscounted. drp sim-test --seed N runs one
// again.
func TestSeeds(t *testing.T) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range runtime.NumCPU() {
		all.Go(func() {
			for {
				seed := uint64(next.Add(1))
				if seed > uint64(*seeds) {
					return
				}
				if r := Run(Options{Seed: seed}); len(r.Problems) > 0 {
					t.Errorf("seed %d: %s", seed, strings.Join(r.Problems, "\n\t"))
				}
			}
		})
	}
	all.Wait()
}

// TestRepeats: a seed gives the same run every time.
func TestRepeats(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		if a, b := Run(Options{Seed: seed}), Run(Options{Seed: seed}); a.Digest != b.Digest || a.Steps != b.Steps {
			t.Errorf("seed %d: %x after %d steps, then %x after %d", seed, a.Digest, a.Steps, b.Digest, b.Steps)
		}
	}
}

// TestPlantedFaults: the checker finds what is put in front of it.
func TestPlantedFaults(t *testing.T) {
	for fault, name := range map[Fault]string{Loss: "loss", Duplicate: "duplicate", Exchange: "exchange", Change: "change",
		Undamaged: "undamaged", Miscount: "miscount",
		Mishit: "mishit", Undecided: "undecided", Unposted: "unposted"} {
		found, tried := 0, 0
		for seed := uint64(1); seed <= 40; seed++ {
			if good := Run(Options{Seed: seed}); good.Summary.Recorded < 3 || good.Summary.Damaged == 0 || len(good.Problems) > 0 ||
				fault == Mishit && good.Summary.Searched == 0 || fault == Unposted && good.Summary.Posted == good.Summary.PostFailed || fault == Undecided && good.Summary.Vetoed == 0 {
				continue
			}
			tried++
			if len(Run(Options{Seed: seed, Plant: fault}).Problems) > 0 {
				found++
			}
		}
		if tried == 0 || found < tried*9/10 {
			t.Errorf("%s was found in %d of %d runs", name, found, tried)
		}
	}
}

func ExampleRun() {
	r := Run(Options{Seed: 7})
	fmt.Println(r.Seed, len(r.Problems))
	// Output: 7 0
}

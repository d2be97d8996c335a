package simtest_test

import (
	"testing"

	"drp/simtest"
)

// F16: in enough seeds the GPU finds hits, and in some the CPU has to go on; what is recorded is the same.
func TestGPUsFindHitsAndFail(t *testing.T) {
	var by, instead, both int
	for seed := range uint64(150) {
		r := simtest.Run(simtest.Options{Seed: seed})
		for _, p := range r.Problems {
			t.Errorf("seed %d: %s", seed, p)
		}
		if r.Summary.ByGPU > 0 {
			by++
		}
		if r.Summary.Instead > 0 {
			instead++
		}
		if r.Summary.ByGPU > 0 && r.Summary.Instead > 0 {
			both++
		}
	}
	if by < 10 || instead < 5 || both < 2 {
		t.Errorf("of 150 seeds %d had hits found by a GPU, %d by the CPU in its place, %d by both: this shows little", by, instead, both)
	}
}

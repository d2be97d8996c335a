package bench_test

import (
	"context"
	"testing"

	"drp/bench"
	"drp/hit/cuda"
	"drp/hit/cuda/stub"
)

// The measurement of a GPU runs to its end, without one; its figures mean nothing then.
func TestHitsGPURuns(t *testing.T) {
	g, err := cuda.Open(cuda.Options{Driver: &stub.Driver{}, Lanes: 2, Batch: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.Close() }()
	r, err := bench.HitsGPU(context.Background(), g, bench.HitsOptions{Rounds: 1, Seconds: 0.001})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Figures) != 4 || len(r.Bars) != 2 {
		t.Errorf("%+v", r)
	}
	for _, f := range r.Figures {
		if f.Value <= 0 {
			t.Errorf("%s is %g", f.Name, f.Value)
		}
	}
}

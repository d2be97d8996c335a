package bench_test

import (
	"context"
	"testing"

	"drp/bench"
)

// Everything is measured once, briefly, and all ways find the peaks: what the figures are is not judged here.
func TestHitsMeasuresEverything(t *testing.T) {
	r, err := bench.Hits(context.Background(), bench.HitsOptions{Rounds: 1, Seconds: 0.001, Frames: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Figures {
		if len(f.Runs) == 0 || f.Value <= 0 || f.Unit == "" || f.What == "" {
			t.Errorf("figure %+v", f)
		}
	}
	if len(r.Bars) < 6 || len(r.Notes) == 0 {
		t.Errorf("%d bars, %d notes", len(r.Bars), len(r.Notes))
	}
}

func TestHitsStopsWhenAsked(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := bench.Hits(ctx, bench.HitsOptions{Rounds: 1, Seconds: 0.001, Frames: 1}); err == nil {
		t.Error("a cancelled measurement gave a report")
	}
}

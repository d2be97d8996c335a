package bench_test

import (
	"context"
	"testing"

	"drp/bench"
)

// Everything is measured once, briefly: what the figures are is not judged here.
func TestCalibMeasuresEverything(t *testing.T) {
	r, err := bench.Calib(context.Background(), bench.CalibOptions{Rounds: 1, Seconds: 0.001, Frames: 2, Bytes: 1 << 20, Workers: 4})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Figures {
		if len(f.Runs) == 0 || f.Unit == "" || f.What == "" {
			t.Errorf("figure %+v", f)
		}
	}
	if len(r.Bars) < 6 {
		t.Errorf("%d bars", len(r.Bars))
	}
}

func TestCalibStopsWhenAsked(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := bench.Calib(ctx, bench.CalibOptions{Rounds: 1, Seconds: 0.001, Frames: 2, Bytes: 1 << 20, Workers: 4}); err == nil {
		t.Error("a cancelled measurement gave a report")
	}
}

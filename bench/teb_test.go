package bench_test

import (
	"context"
	"testing"

	"drp/bench"
	"drp/internal/testkit"
)

func options(t *testing.T) bench.TEBOptions {
	t.Helper()
	return bench.TEBOptions{Rounds: 1, Seconds: 0.01, Events: 50000, Python: testkit.Python(t), PythonPath: testkit.PythonPath()}
}

// Everything is measured once, briefly: what the figures are is not judged here.
func TestTEBMeasuresEverything(t *testing.T) {
	r, err := bench.TEB(context.Background(), options(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Figures {
		if len(f.Runs) == 0 || f.What == "" {
			t.Errorf("figure %+v", f)
		}
	}
	if len(r.Bars) != 10 {
		t.Errorf("%d bars", len(r.Bars))
	}
}

func TestTEBStopsWhenAsked(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := bench.TEB(ctx, options(t)); err == nil {
		t.Error("a cancelled measurement gave a report")
	}
}

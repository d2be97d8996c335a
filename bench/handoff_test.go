package bench_test

import (
	"context"
	"path/filepath"
	"testing"

	"drp/bench"
	"drp/internal/testkit"
)

// Everything is measured once, briefly: what the figures are is not judged here.
func TestHandoffMeasuresEverything(t *testing.T) {
	python := testkit.Python(t)
	testkit.NoLeaks(t)
	r, err := bench.Handoff(context.Background(), bench.Options{Python: python, PythonPath: testkit.PythonPath(),
		Script: filepath.Join(testkit.Root(), "scripts", "passthrough.py"), Rounds: 1, Seconds: 0.01})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Figures {
		if !(f.Value > 0) || len(f.Runs) == 0 || f.Unit == "" || f.What == "" {
			t.Errorf("figure %+v", f)
		}
	}
	if len(r.Bars) != 7 {
		t.Errorf("%d bars", len(r.Bars))
	}
	for _, b := range r.Bars {
		if !(b.Ratio > 0) {
			t.Errorf("bar %v has no ratio", b)
		}
	}
}

func TestHandoffStopsWhenAsked(t *testing.T) {
	python := testkit.Python(t)
	testkit.NoLeaks(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := bench.Handoff(ctx, bench.Options{Python: python, PythonPath: testkit.PythonPath(),
		Script: filepath.Join(testkit.Root(), "scripts", "passthrough.py"), Rounds: 1, Seconds: 0.01}); err == nil {
		t.Error("a cancelled measurement gave a report")
	}
}

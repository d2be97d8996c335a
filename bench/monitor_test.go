package bench_test

import (
	"context"
	"testing"

	"drp/bench"
	"drp/internal/testkit"
)

// Everything is measured once, briefly: what the figures are is not judged here.
func TestMonitorMeasuresEverything(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	o := bench.MonitorOptions{Python: testkit.Python(t), PythonPath: testkit.PythonPath(), Rounds: 1, Seconds: 0.01}
	r, err := bench.Monitor(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Figures {
		if len(f.Runs) == 0 || f.What == "" || !(f.Value > 0) {
			t.Errorf("figure %+v", f)
		}
	}
	if n := len(r.Bars); n != 9 && (n != 7 || len(r.Notes) == 0) { // ten pictures a second need a core to spare
		t.Errorf("%d bars", len(r.Bars))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := bench.Monitor(ctx, o); err == nil {
		t.Error("a cancelled measurement gave a report")
	}
}

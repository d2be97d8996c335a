package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"drp/internal/testkit"
)

// TestBenchMonitor: onlookers of a run of several kinds do what they are there for, once and briefly; what the figures are is not
// judged here.
func TestBenchMonitor(t *testing.T) {
	t.Parallel()
	const only = "crashed,hostile,flood"
	v := prepare(t, nil, "bench", "monitor", "--rounds", "1", "--turns", "1", "--seconds", "0.01", "--json", "--only", only, "--python",
		testkit.Python(t))
	v.Cmd.Dir = testkit.Root() // where the scripts are
	v.start()
	v.WaitFor(4 * time.Minute) // it binds its runs to one core each, which may have others to serve
	r := v.finish()
	r.wants(t, 0)
	var report struct {
		Figures []struct {
			Name  string
			Value float64
			Runs  []float64
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatal(err)
	}
	kinds, want := 0, strings.Count(only, ",")+1
	for _, f := range report.Figures {
		if len(f.Runs) != 1 || !(f.Value > 0) {
			t.Errorf("%+v", f)
		}
		if strings.HasPrefix(f.Name, "with_") {
			kinds++
		}
	}
	if kinds < want {
		t.Errorf("%d kinds of onlookers, want %d", kinds, want)
	}
}

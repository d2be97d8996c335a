package drp_test

import (
	"path/filepath"
	"testing"

	"drp/drp"
	"drp/internal/testkit"
)

// TestDeadtimeIsCountedAsItPasses, and not when the source goes on: who looks each second sees no second of three.
func TestDeadtimeIsCountedAsItPasses(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	r := startLive(t, liveText(1, "while not os.path.exists(sys.argv[1]): time.sleep(0.01)"), func(cfg *drp.Config) {
		cfg.Sources, cfg.Args, cfg.Workers = []string{smallSim + ",events=100000"}, []string{gate}, 1
	})
	dead := func() float64 { return r.run.Status().Events.Deadtime }
	r.until("a source that waits", func() bool { return dead() > 0 })
	first := dead()
	r.until("more of it", func() bool { return dead() > first })
	if s := r.run.Snapshot(); s.Recorded != 0 {
		t.Errorf("%d events were recorded, and the source did not wait all the time", s.Recorded)
	}
	testkit.WriteFile(t, gate, "")
	r.events(1)
}

package drp_test

import (
	"fmt"
	"strings"
	"testing"

	"drp/calib"
	"drp/drp"
	"drp/internal/rundir"
	"drp/internal/testkit"
)

// taken is a publisher whose place another process has.
type taken struct{ *fakeConstants }

func (taken) Publish(int, bool, *calib.Set) (drp.Held, error) {
	return drp.Held{}, fmt.Errorf("calib: publish the constants of cam: %w", &rundir.HeldError{Holder: "process 5 has it"})
}

// TestTheSameSegmentsTwice: two processes of a partition that have the same segments are wrongly configured.
func TestTheSameSegmentsTwice(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, bundled("passthrough.py"))
	cfg.Sources, cfg.Workers = []string{testkit.File(t, testkit.Camera{}.Run(5)...)}, 1
	cfg.Constants = taken{&fakeConstants{set: func(q calib.Query) (*calib.Set, error) { return camSet(q, 5), nil }}}
	if _, err := run(t, cfg); kindOf(err) != drp.Configuration || !strings.Contains(err.Error(), "process 5 has it") {
		t.Errorf("%v", err)
	}
}

package e2e

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"drp/internal/testkit"
)

// TestSimulatedHits: hits of the simulated camera are found, and its pixels corrected, without a store or any data; and
// what was recorded can be searched with its constants.
func TestSimulatedHits(t *testing.T) {
	t.Parallel()
	const sim = "sim:segments=2,bank=8,hits=0.5,slow=0"
	dir := filepath.Join(t.TempDir(), "constants")
	events := 100
	if testkit.RaceDetector {
		events = 40 // of eight frames
	}
	o := pipeline(t, "-s", sim, "--events", strconv.Itoa(events), "-w", "2", "-p", testkit.Script(t, `
import numpy as np
from drp import DataSource
ds = DataSource()
for run in ds.runs():
    det = run.Detector(ds.camera)
    for evt in run.events():
        calib = det.raw.calib(evt)
        good = det.raw.mask() != 0
        assert abs(np.median(calib[good])) < 1, np.median(calib[good])  # keV
        if evt.is_hit:
            peak = evt.hits[evt.hits["total"].argmax()]
            value = calib[peak["segment"], round(float(peak["row"])), round(float(peak["col"]))] * 16.4
            assert 0.5 < value / peak["max"] < 1.2, (value, peak)
        if evt.is_hit != (len(evt.hits) > 30):
            raise AssertionError(len(evt.hits))
`), "-o", t.TempDir(), "--hits", "peakfinder8", "--strict").run().wants(t, 0, "are the set simulated")
	if o.books.Searched != events {
		t.Errorf("%+v", o.books)
	}
	file := o.dataFiles(t)[0]
	hitsVerb(t, "calib", "put", sim, "--store", dir).run().wants(t, 0)
	recorded := hitsVerb(t, "hits", "ls", file).run().wants(t, 0)
	if !strings.Contains(recorded.stdout, fmt.Sprintf("hits in %d events", events)) {
		t.Error(recorded.stdout)
	}
	for _, store := range []string{dir, sim} {
		found := hitsVerb(t, "hits", "ls", file, "--calib", store, "--find", "peakfinder8").run().wants(t, 0)
		if found.stdout != recorded.stdout {
			t.Errorf("with the constants of %s this is found:\n%s\nand this was recorded:\n%s", store, found.stdout, recorded.stdout)
		}
	}
}

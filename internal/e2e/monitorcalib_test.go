package e2e

import (
	"strings"
	"testing"

	"drp/internal/testkit"
)

// TestMonitorCorrects: who watches corrects pixels as drp does for its script, every bit, with a common mode, too.
func TestMonitorCorrects(t *testing.T) {
	t.Parallel()
	for name, common := range map[string][]string{"plain": nil, "medians": {"--common-mode", "median:rows:100:10"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := jungfrauStore(t, common...)
			script := testkit.Script(t, strings.Replace(recordsCorrected, `        evt.remove("jungfrau", "raw")`+"\n", "", 1))
			v := pipeline(t, "-s", testkit.JungfrauFile(t, 10), "--loop", "--events", "40", "--rate", "10", "-w", "1", "-p", script, "--fex-bytes",
				"4000000", "--calib", store, "--monitor",
				"tst/cam")
			p := watcher(t, v, `
n = 0
mon = drp.monitor("tst/cam", restarts=False)
for run in mon.runs():
    det = run.Detector("jungfrau")
    for evt in run.events():
        pixels, same = det.raw.calib(evt), det.calib.pixels(evt)
        assert pixels.shape == same.shape and pixels.dtype == np.float32 and not pixels.flags.writeable, pixels.shape
        assert np.count_nonzero(pixels) > pixels.size // 2
        assert np.array_equal(pixels.view(np.uint32), same.view(np.uint32)), np.count_nonzero(pixels != same)
        try:
            det.raw.image(evt)
        except drp.ConstantsError as error:
            assert "no picture" in str(error)
        n += 1
assert n > 5, n
print("good")
`)
			v.run().wants(t, 0)
			if said := ends(t, p); said != "good" {
				t.Error(said)
			}
		})
	}
}

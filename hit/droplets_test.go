package hit_test

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"drp/hit"
	"drp/internal/testkit"
)

// referenceDroplets is a configuration with the parameters of the reference peaks.
func referenceDroplets() hit.Config {
	c := hit.Default()
	c.Finder, c.Pixels = "droplets", hit.Calibrated
	c.Droplets = hit.Droplets{Low: 5, High: 10, Rank: 3, R0: 5, DR: 2, MinPix: 2, MaxPix: 30, MinAmax: 10, MinAtot: 20, MinSON: 5}
	return c
}

// The droplets that psalgos finds in the frames of a JUNGFRAU: the same ones in the same order. It was given the mask
// beside pixels that all had values, so that masked ones could forbid seeds beside them.
func TestDropletsAreThoseOfPsalgos(t *testing.T) {
	j := testkit.OpenJungfrau(t)
	plan := planOf(t, referenceDroplets(), jungfrauSet(j))
	plan.Mask(j.Mask)
	d := plan.NewDroplets()
	for frame := range testkit.JungfrauFrames {
		d.Load(&hit.Frame{Raw: [][]uint16{j.Raw(t, frame)}})
		j.Switched(t, frame, d.SetValues)
		tolerance := 2e-3 // the gains of a few pixels are not known
		if frame < testkit.JungfrauConverted {
			for i, v := range j.Converted(t, frame) {
				d.SetValues(i, float64(v))
			}
			tolerance = 1e-4
		}
		var r hit.Result
		d.Search(&r)
		want := testkit.ReferencePeaks(t, filepath.Join(testkit.Data(t, "jungfrau"), "reference_peaks.csv"), "V4r3", frame)
		if len(want) < 100 || len(r.Peaks) != len(want) {
			t.Errorf("frame %d: %d droplets, not %d", frame, len(r.Peaks), len(want))
			continue
		}
		for i, w := range want { // col, row, npix, amax, atot, son
			g := r.Peaks[i]
			for k, v := range []float32{g.Col, g.Row, float32(g.NPix), g.Max, g.Total, g.SNR} {
				if !(math.Abs(float64(v)-w[k]) <= tolerance*max(1, math.Abs(w[k]))) {
					t.Errorf("frame %d: droplet %d: %+v, not %v", frame, i, g, w)
					break
				}
			}
		}
	}
}

// A mask of the constants leaves pixels no value, as if psalgos were given an image of psana with the masked pixels 0: the droplets are
// the same ones. Against those that it finds where masked pixels keep their values there are more beside such pixels, and else the same.
func TestDropletsWithAMaskOfTheConstants(t *testing.T) {
	j, masked := jungfrau(t, referenceDroplets())
	kept := planOf(t, referenceDroplets(), jungfrauSet(j))
	kept.Mask(j.Mask)
	own, zeroed, valued := masked.NewDroplets(), kept.NewDroplets(), kept.NewDroplets()
	for frame := range testkit.JungfrauFrames {
		f := &hit.Frame{Raw: [][]uint16{j.Raw(t, frame)}}
		own.Load(f)
		zeroed.Load(f)
		valued.Load(f)
		for i, good := range j.Mask {
			if good == 0 {
				zeroed.SetValues(i, 0)
			}
		}
		var got, want, reference hit.Result
		own.Search(&got)
		zeroed.Search(&want)
		valued.Search(&reference)
		if !slices.Equal(got.Peaks, want.Peaks) {
			t.Errorf("frame %d: %d droplets, and %d in an image with masked pixels of 0", frame, len(got.Peaks), len(want.Peaks))
		}
		for _, peak := range reference.Peaks {
			if !slices.Contains(got.Peaks, peak) {
				t.Errorf("frame %d: %+v is missing", frame, peak)
			}
		}
		if more := len(got.Peaks) - len(reference.Peaks); more < 4 || more > 24 {
			t.Errorf("frame %d: %d droplets more than without the mask, not 4 to 24 as docs/hits.md has it", frame, more)
		}
	}
}

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
	c.Droplets = hit.Droplets{Low: 5, High: 10, Rank: 3, R0: 5, DR: 2, MinPix: 2, MaxPix: 30, MinAmax: 10, MinAtot: 20, MinSON: 5, Masked: hit.Values}
	return c
}

// The droplets that psalgos finds in the frames of a JUNGFRAU: the same ones in the same order. It was given the mask
// beside pixels that all had values, so that masked ones could forbid seeds beside them.
func TestDropletsAreThoseOfPsalgos(t *testing.T) {
	j, plan := jungfrau(t, referenceDroplets())
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

// Pixels below a mask of the constants forbid lower seeds beside them, as if the geometry left them out; or they do not, as if they were 0.
func TestDropletsWithAMaskOfTheConstants(t *testing.T) {
	c := referenceDroplets()
	for _, pixels := range []string{hit.Calibrated, hit.ADU} {
		if c.Pixels = pixels; pixels == hit.ADU {
			c.Droplets = hit.Droplets{Low: 2500, High: 5000, Rank: 3, R0: 5, DR: 2, MinPix: 2, MaxPix: 30, MinAmax: 5000, MinAtot: 10000, MinSON: 5, Masked: hit.Values}
		}
		c.Droplets.Masked = hit.Values
		j, valued := jungfrau(t, c)
		kept := planOf(t, c, jungfrauSet(j))
		kept.Mask(j.Mask)
		c.Droplets.Masked = hit.Zeros
		_, zeroed := jungfrau(t, c)
		more := 0
		for frame := range testkit.JungfrauFrames {
			f := &hit.Frame{Raw: [][]uint16{j.Raw(t, frame)}}
			var got, want, zeros hit.Result
			valued.NewFinder().Find(f, &got)
			kept.NewFinder().Find(f, &want)
			zeroed.NewFinder().Find(f, &zeros)
			if !slices.Equal(got.Peaks, want.Peaks) || len(want.Peaks) < 100 {
				t.Errorf("%s, frame %d: %d droplets, not the %d of a geometry that leaves the pixels out", pixels, frame, len(got.Peaks), len(want.Peaks))
			}
			for _, peak := range want.Peaks {
				if !slices.Contains(zeros.Peaks, peak) {
					t.Errorf("%s, frame %d: %+v is missing", pixels, frame, peak)
				}
			}
			more += len(zeros.Peaks) - len(want.Peaks)
		}
		if more < 100 {
			t.Errorf("%s: with zeros there are %d droplets more", pixels, more)
		}
	}
}

package darks_test

import (
	"math"
	"testing"

	"drp/calib"
	"drp/calib/darks"
	"drp/internal/testkit"
)

// TestSamples takes the two events of real files for darks: what comes out are means of two values, in the range that the
// detector was in. The sums are those of the raw data less the gain bits.
func TestSamples(t *testing.T) {
	o := darks.Options{Limits: darks.Limits{MinFrames: 1}}
	epix := made(t, o, testkit.Data(t, "xtc2/detector/test_epix_calib.xtc2"))
	const fl, bit = 2, 0x4000 // fixed low gain, and the bit that is set in every pixel
	if epix.Set.Model != "epix10ka" || len(epix.Set.Serials) != 4 || epix.Frames[fl] != 2 || epix.Frames[0] != 0 ||
		len(epix.Runs) != 1 || epix.Runs[0] != 109 {
		t.Errorf("%v, %v, runs %v", epix, epix.Frames, epix.Runs)
	}
	n := epix.Set.SegmentPixels()
	for s, sums := range [][2]float64{{2632691925, 2634814418}, {2629209105, 2631371693}, {2639413904, 2641567718},
		{2616481596, 2618662001}} {
		sum := 0.
		for _, v := range epix.Set.Pedestals[(fl*4+s)*n : (fl*4+s+1)*n] {
			sum += float64(v)
		}
		want := (sums[0]+sums[1])/2 - bit*float64(n)
		// Single pixels with two values that are far from each other may have lost one.
		if math.Abs(sum-want) > 1e-5*want {
			t.Errorf("segment %d: the pedestals add up to %.0f, want %.0f", s, sum, want)
		}
	}
	jungfrau := made(t, o, testkit.Data(t, "xtc2/detector/test_jungfrau05M_calib.xtc2"))
	if jungfrau.Frames[0] != 2 || jungfrau.Frames[1] == 0 || jungfrau.Frames[2] == 0 || jungfrau.Special == 0 ||
		calib.Serial(jungfrau.Set.Serials) != "8000000020000-230920-20004002c" {
		t.Errorf("%v, %v, %d codes", jungfrau, jungfrau.Frames, jungfrau.Special)
	}
}

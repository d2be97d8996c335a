package correct_test

import (
	"math/rand/v2"
	"testing"

	"drp/calib"
)

// A pointer behind its array is one into whatever comes next, and the collector ends the process when that is nothing.
func TestNoPointerBehindArrays(t *testing.T) {
	seed := rand.New(rand.NewPCG(10, 11))
	set, _ := randomSet(seed, "jungfrau-part", 16, 768)
	set.CommonMode = &calib.CommonMode{Method: calib.ClippedMean, Rows: true, MaxADU: 100, MinPixels: 10}
	raw, n := randomRaw(seed, set), set.SegmentPixels()
	if tablesOf(t, set, nil).Behind(make([]float32, n), raw[:n], 0) {
		t.Error("the assembly left one")
	}
}

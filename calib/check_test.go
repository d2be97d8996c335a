package calib_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"drp/calib"
)

// small is good constants of two segments of a detector without gain ranges, each value another.
func small() *calib.Set {
	s := &calib.Set{Detector: "cam", Model: "testcam", Serials: []string{"5", "7"}, Unit: calib.KeV, Rows: 2, Cols: 3}
	for i := range 12 {
		s.Pedestals = append(s.Pedestals, float32(i))
		s.Gains = append(s.Gains, float32(i+1))
		s.RMS = append(s.RMS, 1)
		s.Status = append(s.Status, 0)
		s.Mask = append(s.Mask, 1)
	}
	return s
}

// TestCheck: what would spoil data is refused with the place; what is masked may be anything.
func TestCheck(t *testing.T) {
	nan := float32(math.NaN())
	for _, tt := range []struct {
		name   string
		spoil  func(s *calib.Set)
		reason string // empty: it is taken
	}{
		{"good", func(*calib.Set) {}, ""},
		{"without what may be missing", func(s *calib.Set) { s.RMS, s.Status, s.Mask = nil, nil, nil }, ""},
		{"masked nonsense", func(s *calib.Set) { s.Pedestals[3], s.Gains[3], s.Mask[3] = nan, 0, 0 }, ""},
		{"nonsense with a status", func(s *calib.Set) { s.Pedestals[3], s.Gains[3], s.Status[3] = nan, 0, 4 }, ""},
		{"no detector", func(s *calib.Set) { s.Detector = "" }, "the detector's name"},
		{"a detector like a path", func(s *calib.Set) { s.Detector = "../cam" }, "the detector's name"},
		{"no type", func(s *calib.Set) { s.Model = "" }, "type is missing"},
		{"no segments", func(s *calib.Set) { s.Serials = nil }, "list of segments is empty"},
		{"a segment with a dot", func(s *calib.Set) { s.Serials[1] = "5.7" }, `segment 1 has the id "5.7"`},
		{"a segment twice", func(s *calib.Set) { s.Serials[1] = "5" }, "two segments have the id 5"},
		{"no rows", func(s *calib.Set) { s.Rows = 0 }, "segments of 0 x 3 pixels"},
		{"rows without end", func(s *calib.Set) { s.Rows = 1 << 40 }, "segments of 1099511627776 x 3"},
		{"the shape of no jungfrau", func(s *calib.Set) { s.Model = "jungfrau" }, "have 512 x 1024"},
		{"runs the wrong way round", func(s *calib.Set) { s.FirstRun, s.LastRun = 7, 5 }, "from run 7 to run 5"},
		{"an unknown unit", func(s *calib.Set) { s.Unit = "eV" }, `the unit "eV"`},
		{"too few pedestals", func(s *calib.Set) { s.Pedestals = s.Pedestals[1:] }, "pedestals has 11 values"},
		{"no gains", func(s *calib.Set) { s.Gains = nil }, "gains has 0 values"},
		{"a mask for one segment", func(s *calib.Set) { s.Mask = s.Mask[6:] }, "mask has 6 values"},
		{"nothing masks it", func(s *calib.Set) { s.Pedestals[7], s.Mask, s.Status = nan, []uint8{}, s.Status[:0] }, "segment 7 row 0 column 1 is NaN"},
		{"a pedestal that is no number", func(s *calib.Set) { s.Pedestals[7] = nan }, "segment 7 row 0 column 1 is NaN"},
		{"an endless gain", func(s *calib.Set) { s.Gains[11] = float32(math.Inf(-1)) }, "segment 7 row 1 column 2 is -Inf"},
		{"a gain of zero", func(s *calib.Set) { s.Gains[0] = 0 }, "the gain of range - segment 5 row 0 column 0 is zero"},
		{"a gain that makes pixels endless", func(s *calib.Set) { s.Gains[0] = 1e-38 }, "column 0 is 1e-38, by which pixels become too large"},
		{"a gain below all", func(s *calib.Set) { s.Gains[0] = -1e-40 }, "column 0 is -1e-40, by which pixels become too large"},
		{"a gain that makes pixels vanish", func(s *calib.Set) { s.Gains[0] = 2e38 }, "column 0 is 2e+38, by which pixels vanish"},
		{"gains that are odd", func(s *calib.Set) { s.Gains[0], s.Gains[1] = 1e-20, -1e20 }, ""},
		{"a run below 0", func(s *calib.Set) { s.FirstRun = -4 }, "the first run is -4 and the last 0: runs are counted from 0 on"},
		{"negative noise", func(s *calib.Set) { s.RMS[0] = -1 }, "rms of range - segment 5 row 0 column 0 is negative"},
		{"a mask of 2", func(s *calib.Set) { s.Mask[0] = 2 }, "is 2: 1 is good"},
		{"an unknown common mode", func(s *calib.Set) { s.CommonMode = &calib.CommonMode{Method: "mode", MaxADU: 1} }, `method "mode"`},
		{"a common mode without limit", func(s *calib.Set) { s.CommonMode = &calib.CommonMode{Method: calib.Median} }, "correction of 0 ADU"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := small()
			tt.spoil(s)
			err := s.Check()
			var refused *calib.RefusedError
			switch {
			case tt.reason == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.reason == "" && s.Digest == "":
				t.Error("there is no digest")
			case tt.reason != "" && (!errors.As(err, &refused) || !strings.Contains(refused.Reason, tt.reason)):
				t.Errorf("got %v, want %q", err, tt.reason)
			}
		})
	}
}

// TestDigest: every part of the constants counts, and where they are from does not.
func TestDigest(t *testing.T) {
	digest := func(change func(s *calib.Set)) string {
		s := small()
		change(s)
		s.Seal()
		return s.Digest
	}
	seen := map[string]int{digest(func(*calib.Set) {}): -1}
	for i, change := range []func(s *calib.Set){
		func(s *calib.Set) { s.Detector = "cam2" }, func(s *calib.Set) { s.Model = "other" },
		func(s *calib.Set) { s.Serials[0] = "6" }, func(s *calib.Set) { s.FirstRun = 1 }, func(s *calib.Set) { s.LastRun = 9 },
		func(s *calib.Set) { s.Unit = calib.ADU }, func(s *calib.Set) { s.Rows, s.Cols = 3, 2 },
		func(s *calib.Set) { s.Pedestals[11]++ }, func(s *calib.Set) { s.Gains[11]++ }, func(s *calib.Set) { s.RMS[11]++ },
		func(s *calib.Set) { s.Status[11]++ }, func(s *calib.Set) { s.Mask[11] = 0 }, func(s *calib.Set) { s.RMS = nil },
		func(s *calib.Set) { s.Geometry = "x" }, func(s *calib.Set) { s.CommonMode = &calib.CommonMode{Method: calib.Median} },
		func(s *calib.Set) { s.CommonMode = &calib.CommonMode{Method: calib.Median, Rows: true} },
	} {
		d := digest(change)
		if was, twice := seen[d]; twice {
			t.Errorf("changes %d and %d give the same digest", was, i)
		}
		seen[d] = i
	}
	if digest(func(s *calib.Set) { s.ID, s.Provenance.Who = "a", "b" }) != digest(func(*calib.Set) {}) {
		t.Error("where a set is from changes its digest")
	}
}

// TestSubset: a process gets the constants of its own segments, in its own order.
func TestSubset(t *testing.T) {
	s := &calib.Set{Detector: "cam", Model: "jungfrau-small", Serials: []string{"1", "3", "5", "7"}, Unit: calib.KeV, Rows: 1, Cols: 2}
	for r := range 3 {
		for _, id := range []float32{1, 3, 5, 7} {
			for pixel := range 2 {
				v := 100*float32(r) + 10*id + float32(pixel)
				s.Pedestals, s.Gains = append(s.Pedestals, v), append(s.Gains, -v)
			}
		}
	}
	s.Mask = []uint8{1, 0, 1, 1, 0, 1, 1, 1}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	part := s.Subset([]string{"7", "5"})
	want := []float32{70, 71, 50, 51, 170, 171, 150, 151, 270, 271, 250, 251}
	if !slices.Equal(part.Pedestals, want) || part.Gains[2] != -50 || !slices.Equal(part.Mask, []uint8{1, 1, 0, 1}) ||
		part.RMS != nil || !slices.Equal(part.Serials, []string{"7", "5"}) ||
		!slices.Equal(part.Places, []int{3, 2}) {
		t.Errorf("%+v", part)
	}
	if one := part.Subset([]string{"5"}); one.Place(0) != 2 || s.Place(3) != 3 {
		t.Errorf("a part of a part has the places %v", one.Places)
	}
	for _, places := range [][]int{{1}, {1, 1}, {-1, 0}, {0, 1 << 20}} {
		wrong := *part
		if wrong.Places = places; wrong.Check() == nil {
			t.Errorf("the places %v are taken", places)
		}
	}
	if err := part.Check(); err != nil || part.Digest == s.Digest {
		t.Errorf("%v, digest %s", err, part.Digest)
	}
	if s.Subset(nil) != s || s.Subset([]string{"1", "3", "5", "7"}) != s {
		t.Error("all of a set is not the set")
	}
	if s.Subset([]string{"1", "2"}) != nil {
		t.Error("a segment that is not there was given")
	}
}

func TestModelOf(t *testing.T) {
	for _, tt := range []struct {
		detType string
		ranges  int
		rows    int
		gainBit int
	}{
		{"jungfrau", 3, 512, 14}, {"JUNGFRAU", 3, 512, 14}, {"epix10ka", 7, 352, 14}, {"epix10kaquad", 7, 0, 14},
		{"epixhr", 7, 288, 15}, {"epixhr2x2", 7, 0, 15}, {"epix100", 1, 704, 14}, {"camera", 1, 0, 14},
	} {
		m := calib.ModelOf(tt.detType)
		if len(m.Ranges) != tt.ranges || m.Rows != tt.rows || m.GainBit() != tt.gainBit || m.Name != strings.ToLower(tt.detType) {
			t.Errorf("%s: %+v, gain bit %d", tt.detType, m, m.GainBit())
		}
	}
}

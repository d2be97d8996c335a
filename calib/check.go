package calib

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"regexp"
	"slices"
	"strings"
	"unsafe"
)

// RefusedError says why a set cannot be used.
type RefusedError struct {
	Detector string
	Reason   string
	Pixel    bool // it is about a pixel, and would not be there if that was masked
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("calib: the constants of %s are refused: %s", e.Detector, e.Reason)
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// maxPlace is more than any detector has segments.
const maxPlace = 1 << 16

// serialPattern leaves out the dot, which stands between the serials of segments.
var serialPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// Check refuses a set that would spoil data: a wrong shape, values that are no numbers, a gain of zero, a pixel that is
// marked as good and is not known. The error is a *RefusedError. It fills in the digest.
func (s *Set) Check() error {
	refuse := func(format string, args ...any) error {
		return &RefusedError{Detector: s.Detector, Reason: fmt.Sprintf(format, args...)}
	}
	model := ModelOf(s.Model)
	switch {
	case !namePattern.MatchString(s.Detector):
		return refuse("the detector's name %q: give up to 64 letters, digits, '_', '.' and '-'", s.Detector)
	case s.Model == "":
		return refuse("the detector's type is missing (jungfrau, epix10ka, epixhr, ...)")
	case len(s.Serials) == 0:
		return refuse("the list of segments is empty")
	case s.Rows < 1 || s.Cols < 1 || s.Rows > 1<<16 || s.Cols > 1<<16:
		return refuse("segments of %d x %d pixels", s.Rows, s.Cols)
	case model.Rows > 0 && (s.Rows != model.Rows || s.Cols != model.Cols):
		return refuse("segments of %d x %d pixels, and those of %s have %d x %d", s.Rows, s.Cols, s.Model, model.Rows,
			model.Cols)
	case s.FirstRun < 0 || s.LastRun < 0:
		return refuse("the first run is %d and the last %d: runs are counted from 0 on, and 0 as the last is no end", s.FirstRun, s.LastRun)
	case s.LastRun != 0 && s.LastRun < s.FirstRun:
		return refuse("valid from run %d to run %d: the last run comes before the first", s.FirstRun, s.LastRun)
	case !slices.Contains([]Unit{ADU, KeV, Photon}, s.Unit):
		return refuse("the unit %q: give ADU, keV or photon", s.Unit)
	}
	if len(s.Places) > 0 && len(s.Places) != len(s.Serials) {
		return refuse("there are %d places for %d segments", len(s.Places), len(s.Serials))
	}
	for i, at := range s.Places {
		if at < 0 || at > maxPlace || slices.Contains(s.Places[:i], at) {
			return refuse("segment %d has the place %d: give each its own, from 0 to %d", i, at, maxPlace)
		}
	}
	for i, id := range s.Serials {
		if !serialPattern.MatchString(id) {
			return refuse("segment %d has the id %q: give up to 128 letters, digits, '_' and '-'", i, id)
		}
		if slices.Contains(s.Serials[:i], id) {
			return refuse("two segments have the id %s", id)
		}
	}
	if err := s.checkArrays(refuse); err != nil {
		return err
	}
	if c := s.CommonMode; c != nil {
		if c.Method != Median && c.Method != ClippedMean {
			return refuse("the common-mode method %q: give median or clipped-mean", c.Method)
		}
		if !(c.MaxADU > 0) || c.MinPixels < 0 {
			return refuse("common mode with a largest correction of %g ADU and at least %d pixels", c.MaxADU, c.MinPixels)
		}
	}
	s.Seal()
	return nil
}

func (s *Set) checkArrays(refuse func(string, ...any) error) error {
	one := len(s.Serials) * s.SegmentPixels()
	all := s.Ranges() * one
	for _, a := range []struct {
		name         string
		length, want int
		optional     bool
	}{
		{"pedestals", len(s.Pedestals), all, false}, {"gains", len(s.Gains), all, false}, {"rms", len(s.RMS), all, true},
		{"status", len(s.Status), all, true}, {"mask", len(s.Mask), one, true},
	} {
		if a.length != a.want && !(a.optional && a.length == 0) {
			return refuse("%s has %d values, and %d ranges x %d segments x %d x %d pixels are %d", a.name, a.length,
				a.want/one, len(s.Serials), s.Rows, s.Cols, a.want)
		}
	}
	for _, a := range []struct {
		name   string
		values []float32
		bad    func(float32) string
	}{
		{"pedestal", s.Pedestals, notFinite}, {"gain", s.Gains, notAGain}, {"rms", s.RMS, notANoise},
	} {
		for i, v := range a.values {
			if !s.good(i) {
				continue
			}
			if why := a.bad(v); why != "" {
				return &RefusedError{Detector: s.Detector, Pixel: true,
					Reason: fmt.Sprintf("the %s of %s is %s, and the pixel is not masked", a.name, s.place(i), why)}
			}
		}
	}
	for i, v := range s.Mask {
		if v > 1 {
			return refuse("the mask of %s is %d: 1 is good and 0 is bad", s.place(i), v)
		}
	}
	return nil
}

func notFinite(v float32) string {
	if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Sprint(v)
	}
	return ""
}

// GainKnown tells whether pixels can be divided by a gain: it is neither zero nor no number, and no pixel becomes infinite or
// vanishes by it.
func GainKnown(v float32) bool { return notAGain(v) == "" }

// The size that gains have; a pixel has at most 65535 ADU, and float32 goes from 1e-38 to 3e38.
const minGain, maxGain = 1e-30, 1e30

func notAGain(v float32) string {
	size := math.Abs(float64(v))
	switch {
	case v == 0:
		return "zero"
	case size < minGain:
		return fmt.Sprintf("%g, by which pixels become too large for float32 (gains are from %g to %g)", v, minGain, maxGain)
	case size > maxGain && !math.IsInf(size, 0):
		return fmt.Sprintf("%g, by which pixels vanish (gains are from %g to %g)", v, minGain, maxGain)
	}
	return notFinite(v)
}

func notANoise(v float32) string {
	if v < 0 {
		return "negative"
	}
	return notFinite(v)
}

// good tells whether a value of the pedestals, gains or noise will be used.
func (s *Set) good(i int) bool {
	if len(s.Mask) > 0 && s.Mask[i%len(s.Mask)] == 0 {
		return false
	}
	return len(s.Status) == 0 || s.Status[i] == 0
}

// place says where value i of an array is.
func (s *Set) place(i int) string {
	n := s.SegmentPixels()
	r, seg, pixel := i/(n*len(s.Serials)), i/n%len(s.Serials), i%n
	model := ModelOf(s.Model)
	return fmt.Sprintf("range %s segment %s row %d column %d", model.Ranges[r], s.Serials[seg], pixel/s.Cols, pixel%s.Cols)
}

// Seal fills in the digest.
func (s *Set) Seal() {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %d %d %q %d %d %q", s.Detector, s.Model, strings.Join(s.Serials, "."), s.FirstRun, s.LastRun,
		s.Unit, s.Rows, s.Cols, s.Geometry)
	if len(s.Places) > 0 {
		fmt.Fprintf(h, "places %v", s.Places)
	}
	if s.CommonMode != nil {
		fmt.Fprintf(h, "%+v", *s.CommonMode)
	}
	add(h, s.Pedestals)
	add(h, s.Gains)
	add(h, s.RMS)
	add(h, s.Status)
	add(h, s.Mask)
	s.Digest = fmt.Sprintf("%x", h.Sum(nil))
}

// add hashes the length of an array and its bytes, which are little-endian on every machine that we run on.
func add[T float32 | uint16 | uint8](h hash.Hash, a []T) {
	_ = binary.Write(h, binary.LittleEndian, int64(len(a)))
	if len(a) > 0 {
		h.Write(unsafe.Slice((*byte)(unsafe.Pointer(&a[0])), len(a)*int(unsafe.Sizeof(a[0]))))
	}
}

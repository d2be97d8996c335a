package bench

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"unsafe"

	"drp/calib"
	"drp/calib/correct"
	"drp/hit"
)

// The frames that hits are looked for in: four panels around the beam, with gaps, a ring of background as the simulated
// camera has it, and peaks. They have the size of those of the calibration.
const (
	hitGap    = 8 // pixels
	hitPeaks  = 40
	ringADU   = 60.
	photonADU = 150. // so few that many pixels of the ring have half a photon
)

// hitScene has the frames and what is known of the camera.
type hitScene struct {
	set      *calib.Set
	tables   *correct.Tables
	geometry *correct.Geometry
	radius   []float32
	config   hit.Config

	frames   [][]uint16   // of all segments
	segments [][][]uint16 // the same, segment by segment
	photons  [][][]uint16 // frames with photons instead
	pedestal []int16      // for the limit
}

// newHitScene draws frames, as many as a measurement needs where 0 are asked for.
func newHitScene(frames int) (*hitScene, error) {
	s := &hitScene{set: calibSet(), pedestal: make([]int16, calibPixels)}
	s.config = hit.Default()
	s.config.Finder = "peakfinder8"
	s.config.Peakfinder8 = hit.Peakfinder8{ADCThreshold: 20, MinSNR: 7, MinPixCount: 2, MaxPixCount: 30, LocalBGRadius: 4, Refresh: 1}
	var err error
	if s.tables, err = correct.NewTables(s.set, nil); err != nil {
		return nil, err
	}
	if s.geometry, err = correct.ParseGeometry(hitGeometry()); err != nil {
		return nil, err
	}
	layout, err := s.geometry.Layout(correct.Segments{Numbers: []int{0, 1, 2, 3}, Rows: calibRows, Cols: calibCols})
	if err != nil {
		return nil, err
	}
	s.radius = layout.Radius()
	s.draw(cmp.Or(frames, calibFrames))
	return s, nil
}

// hitGeometry puts the segments around the beam, two by two.
func hitGeometry() string {
	var b strings.Builder
	b.WriteString("res = 10000\ndim0 = %\ndim2 = ss\ndim3 = fs\n")
	for s := range calibSegments {
		x, y := -calibCols-hitGap/2, -calibRows-hitGap/2
		if s%2 == 1 {
			x = hitGap / 2
		}
		if s/2 == 1 {
			y = hitGap / 2
		}
		fmt.Fprintf(&b, "p%d/dim1 = %d\np%d/min_fs = 0\np%d/max_fs = %d\np%d/min_ss = 0\np%d/max_ss = %d\n", s, s, s, s, calibCols-1, s, s, calibRows-1)
		fmt.Fprintf(&b, "p%d/fs = x\np%d/ss = y\np%d/corner_x = %d\np%d/corner_y = %d\n", s, s, s, x, s, y)
	}
	return b.String()
}

func (s *hitScene) plan(c hit.Config) (*hit.Plan, error) {
	return hit.NewPlan(c, hit.Camera{Tables: s.tables, Unit: s.set.Unit, Geometry: s.geometry, Numbers: []int{0, 1, 2, 3}})
}

// draw makes the frames.
func (s *hitScene) draw(frames int) {
	seed := rand.New(rand.NewPCG(5, 1))
	noise := make([]float64, 1<<16)
	for i := range noise {
		noise[i] = seed.NormFloat64()
	}
	side := float64(2*calibRows + hitGap)
	background, sigma := make([]float64, calibPixels), make([]float64, calibPixels)
	for i, r := range s.radius {
		d := (float64(r) - 0.3*side) / (0.06 * side)
		background[i] = ringADU * math.Exp(-d*d/2)
		sigma[i] = math.Sqrt(9 + 2*background[i])
	}
	for range frames {
		signal := s.peaks(seed)
		s.add(&s.segments, seed, func(i int, n uint64) float64 { return background[i] + sigma[i]*noise[n%(1<<16)] + signal[i] })
		s.frames = append(s.frames, whole(s.segments[len(s.segments)-1]))
		shots := photonShots(seed)
		s.add(&s.photons, seed, func(i int, n uint64) float64 { return 3*noise[n%(1<<16)] + photonADU*shots[i] })
	}
}

// add makes a frame, and cuts it into segments.
func (s *hitScene) add(to *[][][]uint16, seed *rand.Rand, adu func(i int, n uint64) float64) {
	frame := make([]uint16, calibPixels)
	at := uint64(0)
	for i := range frame {
		if i%256 == 0 {
			at = seed.Uint64()
		}
		frame[i] = uint16(max(0, min(math.Round(float64(s.set.Pedestals[i])+adu(i, at+uint64(i))), 1<<14-1)))
	}
	var segments [][]uint16
	const n = calibRows * calibCols
	for k := range calibSegments {
		segments = append(segments, frame[k*n:(k+1)*n])
	}
	*to = append(*to, segments)
}

// whole gives the frame whose segments these are.
func whole(segments [][]uint16) []uint16 { return segments[0][:calibPixels:calibPixels] }

// peaks puts peaks of 3 x 3 to 5 x 5 pixels anywhere.
func (s *hitScene) peaks(seed *rand.Rand) map[int]float64 {
	signal := map[int]float64{}
	for range hitPeaks {
		segment, row, col := seed.IntN(calibSegments), 8+seed.IntN(calibRows-16), 8+seed.IntN(calibCols-16)
		adu, wide := 600+3000*seed.Float64(), 3+seed.IntN(3)
		for y := range wide {
			for x := range wide {
				dy, dx := float64(y-wide/2), float64(x-wide/2)
				signal[(segment*calibRows+row+y)*calibCols+col+x] += adu * math.Exp(-(dx*dx+dy*dy)/float64(wide))
			}
		}
	}
	return signal
}

// photonShots puts a photon into one pixel of a hundred; a third of them is shared with the next pixel.
func photonShots(seed *rand.Rand) []float64 {
	shots := make([]float64, calibPixels+1)
	for range calibPixels / 100 {
		i, part := seed.IntN(calibPixels), 1.
		if seed.IntN(3) == 0 {
			part = 0.3 + 0.7*seed.Float64()
		}
		shots[i] += part
		shots[i+1] += 1 - part
	}
	return shots
}

func signed(a []uint16) []int16 { return unsafe.Slice((*int16)(unsafe.Pointer(&a[0])), len(a)) }

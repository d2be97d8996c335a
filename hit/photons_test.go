package hit_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"drp/calib"
	"drp/hit"
	"drp/internal/testkit"
)

func photonConfig(pixels string) hit.Config {
	c := hit.Default()
	c.Finder, c.Pixels, c.Photons.PerPhoton = "photons", pixels, 100
	return c
}

// The map is that of psana's loops over whole images, on frames with few photons and with many, and on one finder after
// the other: the map of the frame before is cleared.
func TestPhotonsAreThoseOfWholeImages(t *testing.T) {
	eachCamera(t, func(t *testing.T, seed *rand.Rand, set *calib.Set) {
		for _, pixels := range []string{hit.ADU, hit.Calibrated} {
			plan := planOf(t, photonConfig(pixels), set)
			finder := plan.NewFinder()
			var r hit.Result
			for k, part := range []float64{0.01, 0.3, 1, 0.02, 0} {
				f := randomFrame(seed, set, part)
				finder.Find(f, &r)
				values := valuesOf(plan, f)
				var want []uint16
				for s := range plan.Segments {
					want = append(want, photonMap(plan, values[s*plan.Pixels():(s+1)*plan.Pixels()])...)
				}
				if !slices.Equal(r.Map, want) {
					t.Fatalf("%s, frame %d: the map is\n%v\nnot\n%v", pixels, k, r.Map, want)
				}
				sum := 0
				for _, n := range want {
					sum += int(n)
				}
				if int(r.Summary.Photons) != sum || r.Summary.Count != r.Summary.Photons || r.Summary.Hit != (sum >= plan.Config.AtLeast) {
					t.Errorf("%s, frame %d: %+v, not %d photons", pixels, k, r.Summary, sum)
				}
			}
		}
	})
}

// Photons of any size are counted as the definition has it, by vectors and without, where all values are near those that
// decide. Of some sizes just the sum of two values has enough for a photon, and their fractions, both rounded down, may not.
func TestPhotonsNearAllLimits(t *testing.T) {
	seed := rand.New(rand.NewPCG(8, 1))
	for _, adu := range []float64{1, 7, 31.7, 97.3, 128, 3000.1, 16383.9, 16384, 30000} {
		for _, part := range []float64{0.55, 0.9, 1.3} {
			sum := max(1, math.Round(part*adu))
			fraction := math.Floor(sum*(1<<32)/math.RoundToEven(adu*65536)) / 65536
			if fraction < 0.5 || fraction > 2 {
				continue
			}
			for k, model := range append(models, "other") {
				set := randomSet(seed, model, [3]int{2, fewer(48), 90})
				if k == len(models) {
					set.CommonMode = &calib.CommonMode{Method: calib.Median, Rows: true, MaxADU: 100, MinPixels: 3}
				}
				c := photonConfig(hit.ADU)
				c.Photons.PerPhoton, c.Photons.Fraction = adu, fraction
				plan := planOf(t, c, set)
				for range 300 { // these have values all the same
					plan.Unuse(1 + seed.IntN(len(plan.Bin)-1))
				}
				near := []float64{0, adu / 2, sum - adu/2, sum / 2, sum, adu, 1.5 * adu, 2 * adu}
				for _, rare := range []int{1, 4, 40} { // the first four have no whole photon, for which there are vectors
					comparePhotons(t, plan, frameNear(seed, set, near[:4], rare))
					comparePhotons(t, plan, frameNear(seed, set, near, rare))
				}
			}
		}
	}
}

// So are they in any camera, also where the pixels of a segment have different range bits.
func TestPhotonsOfAnyCamera(t *testing.T) {
	seed := rand.New(rand.NewPCG(9, 1))
	for range fewer(300) {
		scene := newScene(t, seed)
		for i := len(scene.set.Mask); i < len(scene.set.Gains); i++ {
			scene.set.Gains[i] *= 7.3 // so that a switched pixel has another value
		}
		adu := 20 + 300*seed.Float64()
		c := photonConfig(hit.ADU)
		c.Photons.PerPhoton, c.Panel, c.Center = adu, scene.hits.Panel, scene.hits.Center
		plan := planWith(t, scene, c)
		comparePhotons(t, plan, frameNear(seed, scene.set, []float64{0, adu * 0.6, adu * 0.8}, 1+seed.IntN(20)))
	}
}

// frameNear has pixels whose values are near some, and with rare above 1 most of them near the first. A few have range bits.
func frameNear(seed *rand.Rand, set *calib.Set, near []float64, rare int) *hit.Frame {
	f, n := &hit.Frame{}, set.SegmentPixels()
	for s := range set.Serials {
		raw := make([]uint16, n)
		for i := range raw {
			v := near[max(0, seed.IntN(rare*len(near))-(rare-1)*len(near))] + float64(seed.IntN(5)-2)
			raw[i] = uint16(max(0, min(float64(set.Pedestals[s*n+i])+math.Round(v), 65535)))
			if set.Model != "other" && seed.IntN(100) == 0 {
				raw[i] |= 0x4000
			}
		}
		f.Raw = append(f.Raw, raw)
	}
	return f
}

// comparePhotons compares finders of all kinds with the definition.
func comparePhotons(t *testing.T, plan *hit.Plan, f *hit.Frame) {
	t.Helper()
	var want []uint16
	values := valuesOf(plan, f)
	for s := range plan.Segments {
		want = append(want, photonMap(plan, values[s*plan.Pixels():(s+1)*plan.Pixels()])...)
	}
	var r, other hit.Result
	plan.NewFinder().Find(f, &r)
	for _, plain := range []bool{false, true} {
		plan.Slower(plain).Find(f, &other)
		if !equal(&r, &other) {
			t.Errorf("%+v: %+v, and with slower loops %+v", plan.Config.Photons, r.Summary, other.Summary)
		}
	}
	for i := range want {
		if r.Map[i] != want[i] {
			t.Fatalf("%+v: pixel %d of %d has %d photons, not %d", plan.Config.Photons, i, len(want), r.Map[i], want[i])
		}
	}
}

// photonMap is the definition: psana's loops.
func photonMap(p *hit.Plan, values []int32) []uint16 {
	rows, cols := p.Rows, p.Cols
	one := max(1, int64(math.RoundToEven(p.Config.Photons.PerPhoton/p.Step()*65536)))
	n, f := make([]uint16, len(values)), make([]int64, len(values))
	for i, v := range values {
		if v > 0 {
			x := int64(v) << 32 / one
			n[i], f[i] = uint16(min(x>>16, 65535)), x&65535
		}
	}
	row, col := make([]bool, len(values)), make([]bool, len(values))
	for r := range rows {
		lineMaxima(f[r*cols:], row[r*cols:], cols, 1)
	}
	for c := range cols {
		lineMaxima(f[c:], col[c:], rows, cols)
	}
	used := make([]bool, len(values))
	area := func(r0, r1, c0, c1 int) {
		for r := r0; r < r1; r++ {
			for c := c0; c < c1; c++ {
				i := r*cols + c
				if !row[i] || !col[i] || f[i] < 32768 {
					continue
				}
				best, with := int64(0), i
				for _, to := range [][2]int{{r - 1, c}, {r + 1, c}, {r, c - 1}, {r, c + 1}} {
					if to[0] < 0 || to[0] >= rows || to[1] < 0 || to[1] >= cols {
						continue
					}
					if j := to[0]*cols + to[1]; !used[j] && f[j] >= best {
						best, with = f[j], j
					}
				}
				if float64(f[i]+best) < p.Config.Photons.Fraction*65536 {
					continue
				}
				used[i], used[with] = true, true
				if n[i] < 65535 {
					n[i]++
				}
			}
		}
	}
	area(1, rows-1, 1, cols-1)
	area(1, rows-1, 0, 1)
	if cols > 1 {
		area(1, rows-1, cols-1, cols)
	}
	area(0, 1, 1, cols-1)
	if rows > 1 {
		area(rows-1, rows, 1, cols-1)
	}
	for _, c := range slices.Compact([]int{0, cols - 1}) {
		area(rows-1, rows, c, c+1)
	}
	if rows > 1 {
		for _, c := range slices.Compact([]int{0, cols - 1}) {
			area(0, 1, c, c+1)
		}
	}
	return n
}

// lineMaxima marks the maxima of n pixels, every step, with the jumps of psana's loops.
func lineMaxima(f []int64, mark []bool, n, step int) {
	if n == 1 { // psana reads beyond
		mark[0] = true
		return
	}
	k := 1
	if f[0] > f[step] {
		mark[0] = true
		k = 2
	}
	for ; k < n-1; k++ {
		here := f[k*step]
		if f[(k+1)*step] > here {
			continue
		}
		if f[(k-1)*step] > here {
			k++
			continue
		}
		mark[k*step] = true
		k++
	}
	if f[(n-1)*step] > f[(n-2)*step] {
		mark[(n-1)*step] = true
	}
}

// NumPy makes the same map from raw pixels and constants.
func TestNumPyCountsTheSamePhotons(t *testing.T) {
	python := testkit.Python(t)
	for k, part := range []float64{0.02, 0.2, 0.9} {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			seed := rand.New(rand.NewPCG(3, uint64(k)))
			set := randomSet(seed, "epix100", [3]int{2, 60, 90})
			c := photonConfig(hit.ADU)
			c.Photons.PerPhoton = 97.3
			f := randomFrame(seed, set, part)
			var r hit.Result
			planOf(t, c, set).NewFinder().Find(f, &r)
			dir := t.TempDir()
			text, err := json.Marshal(map[string]any{"shape": []int{2, 60, 90}, "adu_per_photon": 97.3, "thr_fraction": 0.9})
			if err != nil {
				t.Fatal(err)
			}
			testkit.WriteFile(t, filepath.Join(dir, "case.json"), string(text))
			for name, values := range map[string]any{"raw": slices.Concat(f.Raw...), "pedestals": set.Pedestals, "gains": set.Gains,
				"mask": set.Mask, "map": r.Map} {
				data, err := binary.Append(nil, binary.LittleEndian, values)
				if err == nil {
					err = os.WriteFile(filepath.Join(dir, name), data, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if out, err := exec.Command(python, filepath.Join("testdata", "photons.py"), dir).CombinedOutput(); err != nil {
				t.Error(err, strings.TrimSpace(string(out)))
			}
		})
	}
}

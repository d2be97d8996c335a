package hit_test

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"drp/calib"
	"drp/hit"
)

// fuzzedBytes are taken one after the other, from the beginning again where they are used up.
type fuzzedBytes struct {
	data []byte
	at   int
}

func (b *fuzzedBytes) next() int {
	b.at++
	return int(b.data[(b.at-1)%len(b.data)])
}

func (b *fuzzedBytes) word() uint16 {
	return binary.LittleEndian.Uint16([]byte{byte(b.next()), byte(b.next())})
}

// fuzzedCamera draws a small camera, all of whose numbers can be anything.
func fuzzedCamera(b *fuzzedBytes) *calib.Set {
	s := &calib.Set{Detector: "d", Model: models[b.next()%len(models)], Unit: []calib.Unit{calib.ADU, calib.KeV, calib.Photon}[b.next()%3],
		Rows: 1 + b.next()%24, Cols: 1 + b.next()%70, Serials: []string{"a", "b"}[:1+b.next()%2]}
	n := len(s.Serials) * s.SegmentPixels()
	odd := []float32{float32(math.NaN()), float32(math.Inf(1)), 0, -1e30, 1e-30, 70000}
	s.Mask = make([]uint8, n)
	for i := range s.Ranges() * n {
		s.Pedestals, s.Gains = append(s.Pedestals, float32(b.next())), append(s.Gains, 1+float32(b.next())/64)
		if b.next() > 250 {
			s.Pedestals[i] = odd[b.next()%len(odd)]
		}
		if b.next() > 250 {
			s.Gains[i] = odd[b.next()%len(odd)]
		}
		if i < n && b.next() > 10 {
			s.Mask[i] = 1
		}
	}
	if b.next()%3 == 0 {
		s.CommonMode = &calib.CommonMode{Method: calib.Median, Rows: true, Cols: b.next()%2 == 0, MaxADU: 100, MinPixels: 1}
	}
	return s
}

func fuzzedConfig(b *fuzzedBytes, s *calib.Set) hit.Config {
	number := func() float64 { return []float64{0, 0.5, 3, 20, 100, 700, 40000, -5}[b.next()%8] }
	c := hit.Default()
	c.Finder, c.Pixels = hit.Finders[b.next()%len(hit.Finders)], []string{hit.ADU, hit.Calibrated}[b.next()%2]
	c.MaxPeaks, c.AtLeast = 1+b.next(), b.next()%9
	c.Peakfinder8 = hit.Peakfinder8{Statistics: []string{hit.Full, hit.Sampled, hit.Carried}[b.next()%3], ADCThreshold: number(), MinSNR: number(),
		MinPixCount: 1 + b.next()%4, MaxPixCount: b.next(), LocalBGRadius: b.next() % 7, Refresh: 1}
	c.Droplets = hit.Droplets{Low: number(), High: number(), Rank: b.next() % 5, R0: number(), DR: number(), MinPix: 1 + b.next()%3,
		MaxPix: b.next(), MinAmax: number(), MinAtot: number(), MinSON: number(),
		Masked: []string{hit.Values, hit.Zeros}[b.next()%2]}
	c.Photons = hit.Photons{PerPhoton: number(), Fraction: 0.5 + float64(b.next())/200}
	c.Threshold.Above = number()
	if len(s.Serials) == 1 && b.next()%2 == 0 {
		c.Center = hit.Center{Row: number(), Col: number(), Given: true}
		c.MinRes, c.MaxRes = number(), number()
		c.Radial = hit.Radial{Every: b.next() % 3, Bins: 1 + b.next(), Width: 1 + b.next()%5}
	}
	if b.next()%2 == 0 {
		c.Panel = [2]int{b.next() % 9, b.next() % 9}
	}
	if b.next()%2 == 0 {
		c.Regions = []hit.Region{{Name: "r", Segment: b.next() % 3, Rows: [2]int{b.next() % 24, b.next() % 24}, Cols: [2]int{b.next() % 70, b.next() % 70}}}
	}
	return c
}

// FuzzFinders looks for cameras, configurations and frames with which a finder gives something else than its definition,
// something that cannot be, or panics.
func FuzzFinders(f *testing.F) {
	f.Add([]byte{1, 2, 3})
	f.Add([]byte("peaks, droplets, photons and pixels above a threshold"))
	for k := range byte(24) {
		seed := make([]byte, 200)
		for i := range seed {
			seed[i] = byte(i*i)*k + 31*byte(i) + k
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		b := &fuzzedBytes{data: data}
		set := fuzzedCamera(b)
		c := fuzzedConfig(b, set)
		plan, err := hit.NewPlan(c, hit.Camera{Tables: tablesOf(t, set), Unit: set.Unit})
		if err != nil {
			return
		}
		finder, plain := plan.NewFinder(), plan.Slower(true)
		var r, other hit.Result
		for number := range uint64(2) {
			frame := &hit.Frame{Number: number}
			for range set.Serials {
				raw := make([]uint16, set.SegmentPixels())
				for i := range raw {
					if raw[i] = b.word(); b.next() < 200 {
						raw[i] &= 0x1FF
					}
				}
				frame.Raw = append(frame.Raw, raw)
			}
			finder.Find(frame, &r)
			plain.Find(frame, &other)
			if err := sound(plan, &r); err != nil {
				t.Error(err)
			}
			if !equal(&r, &other) {
				t.Errorf("without assembly %+v, not %+v", other, r)
			}
			likeDefinition(t, plan, set, frame, &r)
		}
	})
}

// likeDefinition compares a result with that of the definition.
func likeDefinition(t *testing.T, p *hit.Plan, set *calib.Set, f *hit.Frame, r *hit.Result) {
	t.Helper()
	var want hit.Result
	switch p.Config.Finder {
	case "peakfinder8":
		p.NewExact().Find(f, &want)
		want.Peaks = want.Peaks[:min(len(want.Peaks), p.Config.MaxPeaks)]
	case "droplets":
		want.Peaks = dropletsOf(p, unmasked(t, p, set), f)
		want.Peaks = want.Peaks[:min(len(want.Peaks), p.Config.MaxPeaks)]
	case "photons":
		values := valuesOf(p, f)
		for s := range p.Segments {
			want.Map = append(want.Map, photonMap(p, values[s*p.Pixels():(s+1)*p.Pixels()])...)
		}
	case "threshold":
		for _, v := range valuesOf(p, f) {
			if v != hit.Bad && float64(v)*p.Step() > p.Config.Threshold.Above {
				want.Summary.Pixels++
			}
		}
		if r.Summary.Pixels != want.Summary.Pixels {
			t.Errorf("%d pixels, not %d", r.Summary.Pixels, want.Summary.Pixels)
		}
	}
	if !slices.Equal(r.Peaks, want.Peaks) || !slices.Equal(r.Map, want.Map) {
		t.Errorf("%+v\n%v\n%v\nnot\n%v\n%v", p.Config, r.Peaks, r.Map, want.Peaks, want.Map)
	}
	for i := range r.Regions {
		checkRegion(t, p, f, &p.Config.Regions[i], r.Regions[i])
	}
}

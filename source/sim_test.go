package source_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"drp/source"
	"drp/xtc"
)

const tiny = "sim:segments=2,rows=16,cols=20,"

func drainSim(t *testing.T, slots int, name string) []xtc.Dgram {
	t.Helper()
	return drain(t, openSource(t, source.Options{}, name), slots)
}

func TestSimIsDeterministic(t *testing.T) {
	const name = tiny + "events=50,slow=7,steps=2,hits=0.5,bank=4"
	one := drainSim(t, 4, name)
	tests := []struct {
		name, source string
		slots        int
		same         bool
	}{
		{"again", name, 4, true},
		{"in one slot", name, 1, true},
		{"in three slots", name, 3, true},
		{"in more slots than events", name, 200, true},
		{"in another order of keys", "sim:bank=4,hits=0.5,steps=2,slow=7,events=50,cols=20,rows=16,segments=2", 4, true},
		{"another seed", name + ",seed=2", 4, false},
		{"other noise", name + ",noise=13", 4, false},
		{"other rings", name + ",rings=30", 4, false},
		{"other stuck pixels", name + ",bad=0.5", 4, false},
		{"another rate", name + ",hz=120", 4, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if equal(one, drainSim(t, test.slots, test.source)) != test.same {
				t.Errorf("same datagrams: %v, want %v", !test.same, test.same)
			}
		})
	}
}

// TestSimResidency has few frames and few slots, so that most events find their frame in the slot already.
func TestSimResidency(t *testing.T) {
	for _, bank := range []int{1, 2, 3} {
		name := fmt.Sprintf("%sevents=60,bank=%d,slow=0", tiny, bank)
		want := drainSim(t, 100, name) // each slot is used once
		for slots := 1; slots < 6; slots++ {
			if !equal(want, drainSim(t, slots, name)) {
				t.Errorf("bank of %d frames: %d slots change the datagrams", bank, slots)
			}
		}
	}
}

func TestSimSequence(t *testing.T) {
	tests := []struct{ name, params, want string }{
		{"one of all", "events=3,slow=0", "CRSE...esrc"},
		{"steps", "events=1,steps=3,slow=0", "CRSE.esSE.esSE.esrc"},
		{"runs", "events=1,runs=2,slow=0", "CRSE.esrRSE.esrc"},
		{"configs", "events=1,configs=2,slow=0", "CRSE.esrcCRSE.esrc"},
		{"all together", "events=2,steps=2,runs=2,configs=2,slow=1",
			strings.Repeat("C"+strings.Repeat("R"+strings.Repeat("SE.~.es", 2)+"r", 2)+"c", 2)},
		{"slow updates between events", "events=7,slow=2", "CRSE..~..~..~.esrc"},
		{"none at the end", "events=4,slow=2", "CRSE..~..esrc"},
		{"slower than the events", "events=3,slow=4", "CRSE...esrc"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := openSource(t, source.Options{}, tiny+test.params)
			all := drain(t, s, 2)
			if got := services(all); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			if got := len(ofService(all, xtc.L1Accept)); got != s.Info().Events {
				t.Errorf("%d events, %d were announced", got, s.Info().Events)
			}
			checkRising(t, all)
			checkStructure(t, all)
		})
	}
}

func TestSimWithoutEnd(t *testing.T) {
	s := openSource(t, source.Options{}, tiny+"events=0,steps=2,slow=10")
	all, err := read(openPool(t, s, 3), s, 500)
	if err != nil || s.Info().Events != -1 {
		t.Fatal(err, s.Info())
	}
	if got := services(all); got != ("CRSE" + strings.Repeat("..........~", 46))[:500] {
		t.Error(got)
	}
	checkRising(t, all)
}

// TestSimTimes has rates at which rounding might make two times equal.
func TestSimTimes(t *testing.T) {
	for _, hz := range []string{"1e9", "999999999", "7e8", "333333333", "25000", "120", "0.001"} {
		s := openSource(t, source.Options{}, "sim:segments=1,rows=4,cols=4,events=300,steps=3,slow=7,bank=1,hz="+hz)
		all := drain(t, s, 4)
		checkRising(t, all)
		for _, d := range all {
			if ns := uint32(d.Time()); ns >= 1e9 {
				t.Fatalf("%s Hz: %d nanoseconds", hz, ns)
			}
		}
	}
}

// TestSimSizes reads into slots of exactly the sizes that are announced.
func TestSimSizes(t *testing.T) {
	for name, params := range map[string]string{
		"one pixel":          "segments=1,rows=1,cols=1",
		"odd":                "segments=3,rows=7,cols=11",
		"the smallest epix":  "segments=1,rows=352,cols=384,bank=2",
		"the largest number": "segments=16,rows=2,cols=2",
		"a scan":             "segments=1,rows=2,cols=2,steps=100,name=a_name_that_is_rather_long_0123456789",
	} {
		t.Run(name, func(t *testing.T) {
			s := openSource(t, source.Options{Expt: strings.Repeat("x", 64)}, "sim:events=5,slow=2,"+params)
			p, info := openPool(t, s, 2), s.Info()
			for {
				h, err := s.Next(t.Context())
				if err != nil {
					break
				}
				d, err := take(p, s, h)
				if err != nil {
					t.Fatal(err)
				}
				limit := info.MaxTransitionBytes
				if h.Service.IsEvent() {
					limit = info.MaxEventBytes
				}
				if len(d) > h.Bytes || len(d) > limit || d.Size() != len(d) {
					t.Errorf("%v has %d bytes, announced were %d, at most %d", h.Service, len(d), h.Bytes, limit)
				}
				if d.Service() != h.Service || d.Time() != h.Time {
					t.Errorf("%v at %d was announced as %v at %d", d.Service(), d.Time(), h.Service, h.Time)
				}
			}
		})
	}
}

func TestSimSlotTooSmall(t *testing.T) {
	s := openSource(t, source.Options{}, tiny+"events=1")
	p := openSlots(t, 1, s.Info().MaxEventBytes-1, s.Info().MaxTransitionBytes)
	all, err := read(p, s, unlimited)
	if len(all) != 4 || err == nil || !strings.Contains(err.Error(), "give a larger --buf-bytes") {
		t.Errorf("%d datagrams, %v", len(all), err)
	}
}

func TestSimSkip(t *testing.T) {
	const name = tiny + "events=40,slow=9,bank=3"
	want := drainSim(t, 3, name)
	s := openSource(t, source.Options{}, name)
	p := openPool(t, s, 3)
	for i, d := range want {
		h, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if i%3 == 1 {
			if err := s.Skip(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := take(p, s, h); err != nil || !bytes.Equal(got, d) {
			t.Fatalf("datagram %d differs after others were skipped: %v", i, err)
		}
	}
}

func TestSimOptions(t *testing.T) {
	tests := []struct {
		name, source string
		options      source.Options
		events, run  int
	}{
		{"the default", "sim:", source.Options{}, 1000, 1},
		{"as many as are wanted", "sim:", source.Options{Events: 25}, 25, 1},
		{"spread over steps and runs", "sim:steps=3,runs=2", source.Options{Events: 25}, 30, 1},
		{"what is written counts", "sim:events=7,steps=2", source.Options{Events: 1000}, 14, 1},
		{"without end", "sim:events=0", source.Options{}, -1, 1},
		{"a run of some number", "sim:", source.Options{Run: 17}, 1000, 17},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(test.source, "sim:", "sim:rows=2,cols=2,segments=1,bank=1,", 1)
			info := openSource(t, test.options, text).Info()
			if info.Events != test.events || info.Run != test.run || info.Expt != "simulated" {
				t.Errorf("%+v", info)
			}
		})
	}
}

func TestSimTransitionValues(t *testing.T) {
	s := openSource(t, source.Options{Expt: "xpptut15", Run: 7}, tiny+"events=1,steps=3,runs=2,slow=0")
	all := drain(t, s, 1)
	table := checkStructure(t, all)
	for i, d := range ofService(all, xtc.BeginRun) {
		if expt, run, ok := xtc.RunInfo(table, d); !ok || expt != "xpptut15" || run != 7+i {
			t.Errorf("BeginRun %d names %s run %d", i, expt, run)
		}
	}
	for i, d := range ofService(all, xtc.BeginStep) {
		b := blocks(t, table, d)[0]
		step, _ := b.FieldNamed("step_value")
		motor, _ := b.FieldNamed("motor1")
		text, _ := b.FieldNamed("step_docstring")
		at := float64(i%3) / 2
		want := fmt.Sprintf(`{"detname": "epixhr", "motor1": %g}`, at)
		if step.Int64() != int64(i%3) || motor.Float64() != at || text.String() != want {
			t.Errorf("step %d: %d, %g, %s", i, step.Int64(), motor.Float64(), text.String())
		}
	}
}

// TestSimIsRecorded writes a simulated run as it is and has it checked.
func TestSimIsRecorded(t *testing.T) {
	s := openSource(t, source.Options{}, "sim:segments=1,events=3,steps=2,slow=2,bank=2")
	w, err := xtc.Create(t.TempDir(), xtc.FileName{Expt: "simulated", Run: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range drain(t, s, 2) {
		if err := w.Append(d); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := xtc.Check(w.Files()[0], xtc.CheckOptions{})
	if err != nil || !r.OK() || len(r.Warnings) > 0 || r.Explained != r.Bytes || r.SmallData.Events != 6 {
		t.Errorf("%+v %v", r, err)
	}
}

// newSim makes a simulator of parameters as they stand behind sim:.
func newSim(t testing.TB, params string) *source.Sim {
	t.Helper()
	p, err := source.ParseSim(params)
	if err != nil {
		t.Fatal(err)
	}
	return must(source.NewSim(p, source.Options{}))
}

func TestSimHitFraction(t *testing.T) {
	const events = 20000
	for _, bank := range []int{2, 3, 16, 100} {
		for _, want := range []float64{0, 0.003, 0.1, 0.5, 0.9, 1} {
			s := newSim(t, fmt.Sprintf("segments=1,rows=4,cols=4,peaks=1,bank=%d,hits=%g", bank, want))
			hits := 0
			for event := range uint64(events) {
				if len(s.Truth(event)) > 0 {
					hits++
				}
			}
			got, sigma := float64(hits)/events, math.Sqrt(want*(1-want)/events)
			if math.Abs(got-want) > 5*sigma {
				t.Errorf("bank %d: %g of the events are hits, want %g", bank, got, want)
			}
		}
	}
	if s := newSim(t, "segments=1,rows=4,cols=4,bank=1,hits=0.1"); len(s.Truth(0)) == 0 {
		t.Error("a bank of one frame is no hit although hits are asked for")
	}
}

// frames reads the first events of a simulator as pixels.
func frames(t *testing.T, s *source.Sim, n int) [][]uint16 {
	t.Helper()
	p, table := openPool(t, s, 2), xtc.NewTable()
	var all [][]uint16
	for len(all) < n {
		h, err := s.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		d, err := take(p, s, h)
		if err != nil {
			t.Fatal(err)
		}
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		if !d.Service().IsEvent() {
			continue
		}
		var pixels []uint16
		for _, b := range blocks(t, table, d) {
			raw, _ := b.FieldNamed("raw")
			for i := 0; i < len(raw.Data); i += 2 {
				pixels = append(pixels, binary.LittleEndian.Uint16(raw.Data[i:]))
			}
		}
		all = append(all, pixels)
	}
	return all
}

// TestSimPeaks compares hits with a frame that has none, without noise: what is left are the peaks, where the truth
// says, as high as it says, and nothing else.
func TestSimPeaks(t *testing.T) {
	const segments, rows, cols, events = 2, 60, 70, 40
	s := newSim(t, fmt.Sprintf("segments=%d,rows=%d,cols=%d,bank=8,hits=0.5,peaks=6,noise=0,rings=0,bad=0,switched=0,slow=0",
		segments, rows, cols))
	got := frames(t, s, events)
	empty := -1
	for event := range got {
		if len(s.Truth(uint64(event))) == 0 {
			empty = event
		}
	}
	if empty < 0 {
		t.Fatal("all events are hits")
	}
	for event, pixels := range got {
		want := make([]float64, len(pixels))
		for _, peak := range s.Truth(uint64(event)) {
			for i := range want {
				row, col := float64(i/cols%rows)-peak.Row, float64(i%cols)-peak.Col
				if i/cols/rows == peak.Segment && row*row+col*col < 9 {
					want[i] += peak.ADU * math.Exp(-(row*row+col*col)/(2*1.1*1.1))
				}
			}
		}
		for i, v := range pixels {
			// The rest of a peak beyond three pixels is below a fortieth of its height.
			if added := float64(v) - float64(got[empty][i]); added < want[i]-2 || added > want[i]+200 {
				t.Fatalf("event %d, pixel %d: %g ADU were added, want %g", event, i, added, want[i])
			}
		}
	}
}

func TestSimGainSwitched(t *testing.T) {
	const gain, data = 1 << 14, 1<<14 - 1
	for _, test := range []struct {
		name, params string
		least, most  float64 // fraction of the pixels in low gain
	}{
		{"none", "switched=0,hits=0", 0, 0},
		{"one in a hundred", "switched=0.01,hits=0", 0.009, 0.01},
		{"by strong peaks", "switched=0,hits=1,peaks=100000,bank=1", 0.5, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSim(t, "segments=1,rows=100,cols=200,"+test.params)
			switched, pixels := 0, frames(t, s, 1)[0]
			for i, v := range pixels {
				switch {
				case v&(1<<15) != 0:
					t.Fatalf("pixel %d: %#x has bit 15", i, v)
				case v&gain != 0 && v&data < 3000:
					t.Fatalf("pixel %d: %d is below the pedestal of the low gain", i, v&data)
				case v&gain == 0 && v > 14000:
					t.Fatalf("pixel %d: %d should have switched", i, v)
				case v&gain != 0:
					switched++
				}
			}
			if got := float64(switched) / float64(len(pixels)); got < test.least || got > test.most {
				t.Errorf("%g of the pixels are in low gain, want %g to %g", got, test.least, test.most)
			}
		})
	}
}

// TestSimTag looks at what the timing system puts into each event.
func TestSimTag(t *testing.T) {
	for i, d := range ofService(drainSim(t, 5, tiny+"events=70,bank=2"), xtc.L1Accept) {
		if got := d.Env() >> 17 & 0x1f; got != uint32(i%32) || d.KeepRaw() || d.Env()&0xffff != 1 {
			t.Errorf("event %d has env %#x", i, d.Env())
		}
	}
}

package drp_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"drp/calib"
	"drp/calib/correct"
	"drp/drp"
	"drp/hit"
	"drp/internal/invariant"
	"drp/internal/testkit"
	"drp/xtc"
)

// spots is a camera of two segments with noise around a pedestal of 100, and now and then some spots.
var spots = testkit.Camera{Segments: 2, Rows: 24, Cols: 40}

// spotFrames are the pixels of an event, by segment. Every third event has no spots.
func spotFrames(number int) [][]uint16 {
	rng := rand.New(rand.NewPCG(7, uint64(number)))
	frames := make([][]uint16, spots.Segments)
	for s := range frames {
		f := make([]uint16, spots.Rows*spots.Cols)
		for i := range f {
			f[i] = uint16(100 + rng.NormFloat64()*float64(3+number%5))
		}
		for range number % 3 * 2 {
			at := (2+rng.IntN(spots.Rows-4))*spots.Cols + 2 + rng.IntN(spots.Cols-4)
			for _, d := range []int{0, 1, spots.Cols, -1} {
				f[at+d] += uint16(200 + rng.IntN(400))
			}
		}
		frames[s] = f
	}
	return frames
}

// spotEvent is an event with these frames.
func spotEvent(time uint64, number int) xtc.Dgram {
	var payload []byte
	for s, f := range spotFrames(number) {
		var b xtc.Builder
		b.Begin(payload, spots.Names(s))
		pixels := b.Array(uint32(spots.Rows), uint32(spots.Cols))
		for i, v := range f {
			binary.LittleEndian.PutUint16(pixels[2*i:], v)
		}
		var err error
		if payload, err = b.End(); err != nil {
			panic(err)
		}
	}
	return testkit.Plain(xtc.L1Accept, time, payload...)
}

// spotRun is a run in two steps.
func spotRun(events int) []xtc.Dgram { return spotSteps(events, events/2) }

// spotSteps is a run whose second step begins with an event.
func spotSteps(events, second int) []xtc.Dgram {
	all := []xtc.Dgram{spots.Configure(1), spots.BeginRun(2, 5), testkit.Plain(xtc.BeginStep, 3), testkit.Plain(xtc.Enable, 4)}
	for i := range events {
		if time := uint64(100 + 10*i); i == second {
			for k, s := range []xtc.TransitionID{xtc.Disable, xtc.EndStep, xtc.BeginStep, xtc.Enable} {
				all = append(all, testkit.Plain(s, time-9+uint64(k)))
			}
		}
		all = append(all, spotEvent(uint64(100+10*i), i))
	}
	for i, s := range []xtc.TransitionID{xtc.Disable, xtc.EndStep, xtc.EndRun, xtc.Unconfigure} {
		all = append(all, testkit.Plain(s, uint64(1000001+i)))
	}
	return all
}

func spotSet(q calib.Query) *calib.Set {
	s := &calib.Set{Detector: "cam", Model: "testcam", Serials: q.Serials, Unit: calib.KeV, Rows: spots.Rows, Cols: spots.Cols}
	for range len(q.Serials) * s.SegmentPixels() {
		s.Pedestals, s.Gains, s.Mask = append(s.Pedestals, 100), append(s.Gains, 2), append(s.Mask, 1)
	}
	s.Seal()
	return s
}

// hitSettings are those of a run over spots that looks for hits.
func hitSettings(t testing.TB, script, search string, dgrams []xtc.Dgram) drp.Config {
	t.Helper()
	cfg := settings(t, script)
	c := hit.Default()
	if err := c.Apply("peakfinder8:adc_threshold=60,at_least=3,regions=a/1/2-10/3-20+b/0/0-24/0-40," + search); err != nil {
		t.Fatal(err)
	}
	cfg.Sources, cfg.OutputDir, cfg.Hits = []string{testkit.File(t, dgrams...)}, t.TempDir(), &drp.Hits{Config: c}
	cfg.Constants = &fakeConstants{set: func(q calib.Query) (*calib.Set, error) { return spotSet(q), nil }}
	return cfg
}

// recordedEvent is what a file has of an event.
type recordedEvent struct {
	bytes  []byte
	hits   *hit.Record
	raw    bool
	script []int64 // what the script added
}

func recordedEvents(t testing.TB, path string) (all []recordedEvent) {
	t.Helper()
	testkit.Events(t, path, func(table *xtc.Table, d xtc.Dgram) {
		e := recordedEvent{bytes: slices.Clone(d)}
		for it := table.Blocks(d); it.Next(); {
			switch b := it.Block(); b.Names.Alg {
			case hit.Alg:
				if b.Names.DetName == "settings" {
					continue
				}
				r, err := hit.ReadRecord(b)
				if err != nil {
					t.Fatal(err)
				}
				e.hits = &r
			case "raw":
				e.raw = true
			case "out":
				e.script = append(e.script, int64(binary.LittleEndian.Uint64(b.Field(0).Data)))
			}
		}
		all = append(all, e)
	})
	return all
}

// expectedHits searches spots as the package hit does it, with rows of events that share thresholds where that is asked for.
func expectedHits(t testing.TB, c hit.Config, events int) (all []hit.Record) {
	t.Helper()
	tables, err := correct.NewTables(spotSet(calib.Query{Serials: []string{"a", "b"}}), nil)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := hit.NewPlan(c, hit.Camera{Tables: tables, Unit: calib.KeV, Numbers: []int{0, 1}})
	if err != nil {
		t.Fatal(err)
	}
	finder := plan.NewFinder()
	var carry *hit.Carry
	var began uint64
	for i := range events {
		f := hit.Frame{Raw: spotFrames(i)}
		if c.Peakfinder8.Statistics == hit.Carried {
			if i%(events/2)%c.Peakfinder8.Refresh == 0 {
				carry, began = plan.NewCarry(&f), uint64(100+10*i)
			}
			f.Carried = carry
		}
		var r hit.Result
		finder.Find(&f, &r)
		all = append(all, hit.Record{Summary: r.Summary, Thresholds: began, Peaks: slices.Clone(r.Peaks), Regions: slices.Clone(r.Regions)})
	}
	return all
}

// looks is a script that compares what it sees with what it says, which is recorded.
const looks = `import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector("cam", alg="out", fields={"n": (np.int64, 0)})
for run in ds.runs():
    for evt in run.LOOP():
        for hits, hit, is_hit in ITEMS:
            assert hits.dtype.itemsize == 32 and not hits.flags.writeable and not hits.flags.owndata
            assert len(hits) == hit["kept"] == hit["count"] and is_hit == hit["hit"] == (len(hits) >= 3), (hits, hit)
            assert abs(hits["total"].sum() - hit["total"]) < 1 and (len(hits) == 0 or hits["max"].max() == hit["max"])
        out.n = COUNT
        evt.add(out)
`

var looping = map[string]*strings.Replacer{
	"events":  strings.NewReplacer("LOOP", "events", "ITEMS", "[(evt.hits, evt.hit, evt.is_hit)]", "COUNT", "len(evt.hits)"),
	"batches": strings.NewReplacer("LOOP", "batches", "ITEMS", "zip(evt.hits, evt.hit, evt.is_hit)", "COUNT", "[len(h) for h in evt.hits]"),
}

// TestHitsAreTheSame: however many workers there are, and whatever statistics: scripts see and the file has what the package
// hit finds, and the events in the file are the same, byte for byte.
func TestHitsAreTheSame(t *testing.T) {
	const events = 120
	dgrams := spotRun(events)
	for _, statistics := range []string{"full", "sampled", "carried,refresh=7"} {
		var first []recordedEvent
		want := expectedHits(t, hitSettings(t, bundled("passthrough.py"), "statistics="+statistics, nil).Hits.Config, events)
		for _, workers := range []int{1, 2, 8} {
			loop := []string{"events", "batches"}[workers%2]
			t.Run(fmt.Sprintf("%s, %d workers, %s", statistics, workers, loop), func(t *testing.T) {
				testkit.NoLeaks(t)
				cfg := hitSettings(t, testkit.Script(t, looping[loop].Replace(looks)), "statistics="+statistics, dgrams)
				cfg.Workers = workers
				s, err := run(t, cfg)
				if err != nil || s.Recorded != events || s.Damaged != 0 || s.Searched != events || s.Unsearched != 0 || s.Hits != hitsAmong(want) {
					t.Fatalf("%v, %+v", err, s)
				}
				got := recordedEvents(t, s.Files[0])
				for i := range got {
					if !same(got[i].hits, &want[i]) || got[i].script[0] != int64(want[i].Count) {
						t.Fatalf("event %d: %+v is recorded, and %+v was found; the script says %d", i, *got[i].hits, want[i], got[i].script)
					}
				}
				if first == nil {
					first = got
				}
				for i := range got {
					if !slices.Equal(got[i].bytes, first[i].bytes) {
						t.Fatalf("event %d is another one", i)
					}
				}
			})
		}
	}
}

// same compares to the last bit.
func same(a, b *hit.Record) bool {
	return a.Summary == b.Summary && a.By == b.By && a.Thresholds == b.Thresholds && slices.Equal(a.Peaks, b.Peaks) &&
		slices.Equal(a.Regions, b.Regions)
}

func hitsAmong(all []hit.Record) (n int64) {
	for i := range all {
		if all[i].Hit {
			n++
		}
	}
	if n < 10 || n > int64(len(all))-10 {
		panic(fmt.Sprintf("%d of %d events are hits: that tries little", n, len(all)))
	}
	return n
}

// TestHitsOnly: scripts are shown hits only, and of the others the raw pixels are left out, unless they are to be kept.
func TestHitsOnly(t *testing.T) {
	testkit.NoLeaks(t)
	const events = 90
	cfg := hitSettings(t, testkit.Script(t, looping["events"].Replace(looks)+"        assert evt.is_hit\n"), "statistics=full", spotRun(events))
	cfg.Hits.Only, cfg.Hits.DropRaw, cfg.Prescale = true, true, 4
	s, err := run(t, cfg)
	want := expectedHits(t, cfg.Hits.Config, events)
	hits := hitsAmong(want)
	if err != nil || s.Recorded != events || s.Damaged != 0 || s.Hits != hits || s.Passed != events-hits {
		t.Fatalf("%v, %+v", err, s)
	}
	for i, e := range recordedEvents(t, s.Files[0]) {
		if !same(e.hits, &want[i]) || (e.script != nil) != want[i].Hit || e.raw != (want[i].Hit || i%4 == 0) {
			t.Fatalf("event %d, hit %v: %+v, script %v, raw %v", i, want[i].Hit, *e.hits, e.script, e.raw)
		}
	}
}

// TestHitsThroughDeaths: an event that is tried again in another process is not searched again.
func TestHitsThroughDeaths(t *testing.T) {
	testkit.NoLeaks(t)
	const events = 60
	text := looping["events"].Replace(looks) +
		"        if evt.nanoseconds % 200 == 130 and not os.path.exists(f'{sys.argv[1]}/{evt.nanoseconds}'):\n" +
		"            open(f'{sys.argv[1]}/{evt.nanoseconds}', 'w'); os._exit(3)\n"
	cfg := hitSettings(t, testkit.Script(t, "import os, sys\n"+text), "statistics=carried", spotRun(events))
	cfg.Args, cfg.Retries, cfg.Spares = []string{t.TempDir()}, 2, 1
	s, err := run(t, cfg)
	if err != nil || s.Recorded != events || s.Damaged != 0 || s.Restarts != 3 || s.Searched != events {
		t.Fatalf("%v, %+v", err, s)
	}
	want := expectedHits(t, cfg.Hits.Config, events)
	for i, e := range recordedEvents(t, s.Files[0]) {
		if !same(e.hits, &want[i]) || e.script[0] != int64(want[i].Count) {
			t.Fatalf("event %d: %+v", i, *e.hits)
		}
	}
}

// TestOddEventsAreNotSearched: an event without the camera, with other pixels, damaged or without sense has no hits; that
// is counted, and the others are searched as ever.
func TestOddEventsAreNotSearched(t *testing.T) {
	testkit.NoLeaks(t)
	all := spotRun(40)
	var at []int // of the events
	for i, d := range all {
		if d.Service().IsEvent() {
			at = append(at, i)
		}
	}
	change := func(event int, f func(d xtc.Dgram) xtc.Dgram) { all[at[event]] = f(slices.Clone(all[at[event]])) }
	const odd = 6
	half := (len(all[at[0]]) - xtc.DgramHeaderBytes) / 2
	change(0, func(d xtc.Dgram) xtc.Dgram { return testkit.Plain(xtc.L1Accept, d.Time()) })
	change(5, func(d xtc.Dgram) xtc.Dgram {
		return testkit.Plain(xtc.L1Accept, d.Time(), d[xtc.DgramHeaderBytes:][:half]...)
	})
	change(6, func(d xtc.Dgram) xtc.Dgram { return testkit.Camera{}.Event(d.Time(), 3) })
	change(7, func(d xtc.Dgram) xtc.Dgram { // damage of a segment
		binary.LittleEndian.PutUint16(d[xtc.DgramHeaderBytes+4:], uint16(xtc.DamageTruncated))
		return d
	})
	change(8, func(d xtc.Dgram) xtc.Dgram { // no structure
		binary.LittleEndian.PutUint32(d[xtc.DgramHeaderBytes+8:], 0xffffffff)
		return d
	})
	change(9, func(d xtc.Dgram) xtc.Dgram { // segments exchanged: as good as others
		payload := d[xtc.DgramHeaderBytes:]
		return testkit.Plain(xtc.L1Accept, d.Time(), slices.Concat(payload[half:], payload[:half])...)
	})
	change(10, func(d xtc.Dgram) xtc.Dgram { // rows and columns exchanged
		payload := d[xtc.DgramHeaderBytes:]
		shape := payload[2*xtc.XtcHeaderBytes:]
		binary.LittleEndian.PutUint32(shape, uint32(spots.Cols))
		binary.LittleEndian.PutUint32(shape[4:], uint32(spots.Rows))
		return d
	})
	cfg := hitSettings(t, testkit.Script(t, `from drp import DataSource
for run in DataSource().runs():
    for evt in run.events():
        if evt.hits is None:
            assert not evt.is_hit and not evt.hit["searched"] and evt.hit["count"] == 0
        else:
            assert evt.hit["searched"]
`), "statistics=carried,refresh=5", all)
	cfg.Hits.Only, cfg.Hits.DropRaw = true, true
	s, err := run(t, cfg)
	if err != nil || s.Recorded != 40 || s.Damaged > 2 || len(s.Failures) > 0 || s.Searched != 40-odd || s.Unsearched != odd {
		t.Fatalf("%v, %+v", err, s)
	}
	for i, e := range recordedEvents(t, s.Files[0]) {
		if without := slices.Contains([]int{0, 5, 6, 7, 8, 10}, i); without != (e.hits == nil) || i > 0 && i != 8 && without && !e.raw {
			t.Errorf("event %d: %+v, raw %v", i, e.hits, e.raw)
		}
	}
}

// TestHitsAllocateNothing: what eight thousand events more cost in allocations when hits are looked for, recorded and
// seen.
func TestHitsAllocateNothing(t *testing.T) {
	if invariant.Enabled {
		t.Skip("the checked build makes messages it then does not need; the other build is measured")
	}
	script := testkit.Script(t, `from drp import DataSource
for run in DataSource().runs():
    for batch in run.batches():
        assert len(batch.is_hit) == len(batch)
`)
	const few = 2000 // all that grows at the beginning has grown then
	many := int64(10000)
	if testkit.RaceDetector {
		many = 5000 // it makes them slow
	}
	all := spotRun(8)[:4]
	for i := range many {
		all = append(all, spotEvent(uint64(100+i), int(i%8)))
	}
	file := testkit.File(t, all...)
	for _, statistics := range []string{"full", "sampled", fmt.Sprint("carried,refresh=", few)} {
		t.Run(statistics, func(t *testing.T) {
			mallocs := func(events int64) uint64 {
				cfg := hitSettings(t, script, "statistics="+statistics, nil)
				cfg.Sources, cfg.Events, cfg.Hits.Only = []string{file}, events, true
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				s, err := run(t, cfg)
				if err != nil || s.Recorded != events || s.Searched != events || s.Hits == 0 {
					t.Fatalf("%v, %+v", err, s)
				}
				runtime.ReadMemStats(&after)
				return after.Mallocs - before.Mallocs
			}
			base := mallocs(few)
			if per := (float64(mallocs(many)) - float64(base)) / float64(many-few); per >= 0.03 {
				t.Errorf("%.3f allocations per event", per)
			}
		})
	}
}

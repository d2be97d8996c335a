package record_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/record"
	"drp/xtc"
)

// chunkRun records a run of one step, or of several, in chunks; it gives the big files and what each holds.
func chunkRun(t *testing.T, cfg record.Config, steps, events int) (paths, holds []string) {
	t.Helper()
	now := time.Unix(0, 0)
	cfg.Dir, cfg.Expt, cfg.Run, cfg.Stream = t.TempDir(), "test", 5, 2
	cfg.Now = func() time.Time { return now }
	r, err := record.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c, at := testkit.Camera{Segments: 1, Rows: 10, Cols: 38}, uint64(10)
	add := func(d xtc.Dgram) {
		now = now.Add(time.Second)
		at += 10
		d.SetTime(at)
		put(t, r, d, -1)
		if n, err := r.Flush(); err != nil || d.Service().IsEvent() && n != 1 {
			t.Fatal(n, err)
		}
	}
	add(c.Configure(1))
	add(c.BeginRun(1, 5))
	for range steps {
		add(testkit.Plain(xtc.BeginStep, 1))
		add(testkit.Plain(xtc.Enable, 1))
		for i := range events {
			add(c.Event(1, i)) // 864 bytes
		}
		add(testkit.Plain(xtc.Disable, 1))
		add(testkit.Plain(xtc.EndStep, 1))
	}
	add(testkit.Plain(xtc.EndRun, 1))
	closeIt(t, r)
	for _, path := range r.Files() {
		if strings.Contains(path, ".smd.") {
			continue
		}
		report, err := xtc.Check(path, xtc.CheckOptions{})
		if err != nil || !report.OK() || len(report.Warnings) > 0 || report.SmallData.Events != report.Count["L1Accept"] {
			t.Fatalf("%s: %+v %v", path, report, err)
		}
		paths, holds = append(paths, path), append(holds, services(testkit.Dgrams(t, path)))
	}
	return paths, holds
}

// TestNoChunkExceedsItsBytes: whatever the sizes of events and transitions, a chunk is as large as was asked for at the
// most; but for its first event, and for what a step begins with.
func TestNoChunkExceedsItsBytes(t *testing.T) {
	for _, limit := range []int64{1, 1500, 5000, 6200, 8000, 20000, 64 << 10, 150_000, 1 << 30} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			dir := t.TempDir()
			r := must(record.New(record.Config{Dir: dir, Expt: "test", Run: 5, Stream: 2, ChunkBytes: limit}))
			times := recordAll(t, r, rand.New(rand.NewPCG(uint64(limit), 1)))
			closeIt(t, r)
			var found []uint64
			for chunk, path := range r.Files()[:len(r.Files())-1] {
				if limit == 1<<30 && chunk > 0 {
					t.Error("a chunk more than there is need for")
				}
				all := readChunk(t, path, r.Files()[0])
				found = append(found, eventTimes(all)...)
				size := 0
				for _, d := range all {
					size += len(d)
				}
				if most := allowed(limit, all); int64(size) > most {
					t.Errorf("chunk %d, %s, has %d bytes, and %d at the most are allowed", chunk, services(all), size, most)
				}
				if last := all[len(all)-1]; chunk < len(r.Files())-2 && (last.Service() != xtc.Enable || len(last) == 24) {
					t.Errorf("chunk %d, %s, names no next one", chunk, services(all))
				}
			}
			if !slices.Equal(found, times) {
				t.Errorf("%d events were recorded, %d are in the chunks", len(times), len(found))
			}
			report := must(xtc.Check(r.Files()[0], xtc.CheckOptions{}))
			if !report.OK() || len(report.Warnings) > 0 || report.SmallData == nil {
				t.Errorf("%+v", report)
			}
		})
	}
}

// allowed is how large a chunk may be: what it has up to the first event is there in any case, with what must follow; and
// what a step begins and a run ends with stays with what went before.
func allowed(limit int64, all []xtc.Dgram) int64 {
	const end = 250 // three transitions without contents and an Enable with a name
	size, events, after := int64(0), 0, int64(0)
	for _, d := range all {
		size += int64(len(d))
		s := d.Service()
		if s.IsEvent() {
			events, after = events+1, 0
		}
		if events == 0 || events == 1 && s.IsEvent() {
			limit = max(limit, size+end)
		} else if s == xtc.BeginStep || s == xtc.EndRun {
			after += int64(len(d))
		}
	}
	return limit + after
}

func eventTimes(all []xtc.Dgram) (times []uint64) {
	for _, d := range all {
		if d.Service().IsEvent() {
			times = append(times, d.Time())
		}
	}
	return times
}

// readChunk reads a chunk and has it and its small data checked.
func readChunk(t *testing.T, path, first string) []xtc.Dgram {
	t.Helper()
	report, err := xtc.Check(path, xtc.CheckOptions{Configure: first})
	if err != nil || !report.OK() || report.SmallData == nil || report.SmallData.Events != report.Count["L1Accept"] {
		t.Fatalf("%s: %+v %v", path, report, err)
	}
	return testkit.Dgrams(t, path)
}

// recordAll records a run with steps and events of all lengths, and gives the times of the events. Now and then it
// flushes, as the collector does.
func recordAll(t *testing.T, r *record.Recorder, rng *rand.Rand) (times []uint64) {
	t.Helper()
	camera, at := testkit.Camera{Segments: 1, Rows: 10, Cols: 38}, uint64(100)
	names := &xtc.Names{ID: xtc.NewNamesID(1, 77), DetName: "sum", DetType: "sum", Alg: "raw", Version: xtc.Version{Major: 1},
		Entries: []xtc.Name{{Name: "a", Type: xtc.UInt8, Rank: 1}}}
	block := func(most int) []byte {
		var b xtc.Builder
		b.Begin(nil, names)
		b.Array(uint32(1 + rng.IntN(most)))
		return must(b.End())
	}
	transition := func(d xtc.Dgram, added []byte) {
		at += 10
		d.SetTime(at)
		if err := r.Transition(d, added, 0, -1); err != nil {
			t.Fatal(err)
		}
	}
	transition(camera.Configure(1), must(names.AppendTo(nil)))
	transition(camera.BeginRun(1, 5), nil)
	for range 5 {
		transition(testkit.Plain(xtc.BeginStep, 1), block(200))
		transition(testkit.Plain(xtc.Enable, 1), nil)
		for i := range rng.IntN(50) {
			at += 10
			d := camera.Event(at, i)
			times = append(times, at)
			if err := r.Event(d, nil, block(1+rng.IntN(3000)), 0); err != nil {
				t.Fatal(err)
			}
			if rng.IntN(30) == 0 {
				transition(testkit.Plain(xtc.SlowUpdate, 1), block(2000))
			}
			if rng.IntN(20) == 0 {
				must(r.Flush())
			}
		}
		transition(testkit.Plain(xtc.Disable, 1), block(1500))
		transition(testkit.Plain(xtc.EndStep, 1), block(5000))
	}
	transition(testkit.Plain(xtc.EndRun, 1), block(3000))
	must(r.Flush())
	return times
}

func TestChunksOfOurOwn(t *testing.T) {
	const configure = 24 + 2096 + 1572 + 2096
	for _, test := range []struct {
		name          string
		cfg           record.Config
		steps, events int
		want          []string
	}{
		{"no limit", record.Config{}, 2, 3, []string{"CRSE...esSE...esr"}},
		{"not reached", record.Config{ChunkBytes: 1 << 20, ChunkTime: time.Hour}, 1, 3, []string{"CRSE...esr"}},
		{"bytes, between steps that fit", record.Config{ChunkBytes: configure + 6000}, 3, 4,
			[]string{"CRSE....esSE", "....esSE....esr"}},
		{"bytes, steps that do not fit", record.Config{ChunkBytes: configure + 3000}, 2, 4,
			[]string{"CRSE...eE", ".esSE....esr"}},
		{"bytes, in a step", record.Config{ChunkBytes: 9500}, 1, 30,
			[]string{"CRSE....eE", "...........eE", "...........eE", "....esr"}},
		{"time, in a step", record.Config{ChunkTime: 10 * time.Second}, 1, 30,
			[]string{"CRSE.......eE", "............eE", "...........esr"}},
		{"less than a datagram", record.Config{ChunkBytes: 1}, 1, 3, []string{"CRSE.eE", ".eE", ".esr"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			paths, got := chunkRun(t, test.cfg, test.steps, test.events)
			if !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
			for i, path := range paths {
				name, ok := xtc.ParseFileName(path)
				if want := (xtc.FileName{Expt: "test", Run: 5, Stream: 2, Chunk: i}); !ok || name != want {
					t.Error(filepath.Base(path))
				}
			}
			table, err := xtc.ReadConfigure(paths[0])
			if err != nil || (xtc.FindChunkInfo(table) != nil) != (test.cfg.ChunkBytes+int64(test.cfg.ChunkTime) > 0) {
				t.Error("chunkinfo is declared where it should not be, or the other way round", err)
			}
		})
	}
}

package record_test

import (
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
		{"bytes, at the next step", record.Config{ChunkBytes: configure + 3000}, 3, 4,
			[]string{"CRSE....esSE", "....esSE....esr"}},
		{"bytes, in a step", record.Config{ChunkBytes: 9500}, 1, 30,
			[]string{"CRSE......eE", ".............eE", "...........esr"}},
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

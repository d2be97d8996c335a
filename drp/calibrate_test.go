package drp_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"drp/calib"
	"drp/drp"
	"drp/internal/testkit"
	"drp/xtc"
)

// corrects is a script that compares corrected pixels with what numpy makes of raw ones, and adds their sum.
const corrects = `import sys
import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector("cam", alg="out", fields={"sum": (np.float64, 0), "generation": (np.uint64, 0)})
for run in ds.runs():
    det = run.Detector("cam")
    for evt in run.LOOP():
        raw, got = det.raw.raw(evt), det.raw.calib(evt)
        made = det.calibconst
        pedestals, gains = made["pedestals"][0][0], made["gains"][0][0]
        want = (raw.astype(np.float32) - pedestals) * (np.float32(1) / gains) * det.raw.mask()
        assert got.dtype == np.float32 and got.shape == raw.shape, (got.dtype, got.shape, raw.shape)
        assert not got.flags.writeable
        assert np.array_equal(got, want), (got, want)
        out.sum, out.generation = ADDED
        evt.add(out)
`

// TestCorrected: scripts get corrected pixels that are those of numpy bit for bit, one by one and in batches, whoever of
// the workers they are, and the file says which constants each event was corrected with.
func TestCorrected(t *testing.T) {
	for _, loop := range []string{"events", "batches"} {
		for workers := 1; workers < 4; workers += 2 {
			t.Run(fmt.Sprintf("%s, %d workers", loop, workers), func(t *testing.T) {
				testkit.NoLeaks(t)
				added := map[string]string{"events": "got.sum(), made.generation",
					"batches": "got.sum(axis=(1, 2, 3)), np.full(len(got), made.generation)"}[loop]
				text := strings.NewReplacer("LOOP", loop, "ADDED", added).Replace(corrects)
				// The first that is asked for is a batch of several events, which came while the script slept.
				text = strings.Replace(text, "        raw, got", "        if not slept:\n            slept = True\n"+
					"            time.sleep(0.3)\n            continue\n        raw, got", 1)
				cfg := settings(t, testkit.Script(t, "import time\nslept = False\n"+text))
				from := &fakeConstants{set: func(q calib.Query) (*calib.Set, error) { return camSet(q, float32(q.Run)), nil }}
				cfg.Sources = []string{testkit.File(t, testkit.Camera{}.Run(300)...)}
				cfg.OutputDir, cfg.Workers, cfg.Constants = t.TempDir(), workers, from
				s, err := run(t, cfg)
				if err != nil || s.Recorded != 300 || s.Damaged != 0 {
					t.Fatalf("%v, %+v", err, s)
				}
				if len(from.fetched) != 1 || from.fetched[0].Run != 5 {
					t.Errorf("fetched %v, want once for run 5", from.fetched)
				}
				for _, pair := range generations(t, s.Files[0]) {
					if pair != [2]uint64{1, 1} && pair != [2]uint64{} { // of those that the script slept over
						t.Fatalf("an event was corrected with generation %d and is said to be with %d", pair[0], pair[1])
					}
				}
			})
		}
	}
}

// TestCorrectedAgain: a recorded file tells of constants that are gone. Nobody takes them for those of the present run,
// whether that has any or not.
func TestCorrectedAgain(t *testing.T) {
	testkit.NoLeaks(t)
	file := testkit.File(t, testkit.Camera{}.Run(50)...)
	script := testkit.Script(t, strings.NewReplacer("LOOP", "events", "ADDED", "got.sum(), made.generation").Replace(corrects))
	for round := range 3 {
		cfg := settings(t, script)
		cfg.Sources, cfg.OutputDir, cfg.Workers = []string{file}, t.TempDir(), 2
		if round == 1 {
			cfg.Script = bundled("passthrough.py")
		} else {
			cfg.Constants = &fakeConstants{set: func(q calib.Query) (*calib.Set, error) { return camSet(q, 5), nil }, generation: uint64(round)}
		}
		s, err := run(t, cfg)
		if err != nil || s.Recorded != 50 || s.Damaged != 0 {
			t.Fatalf("round %d: %v, %+v", round, err, s)
		}
		file = s.Files[0]
	}
	for _, pair := range generations(t, file) {
		if pair != [2]uint64{3, 3} {
			t.Fatalf("an event has the generations %v", pair)
		}
	}
	cfg := settings(t, testkit.Script(t, `from drp import DataSource
for run in DataSource().runs():
    used = run.Detector("calibration").used
    assert "calibration" not in run.detnames
    for evt in run.events():
        passes = used.segments(evt)
        assert used.generation(evt) == 3 and {k: v.generation for k, v in passes.items()} == {0: 1, 1: 3}, passes
`))
	cfg.Sources, cfg.Workers = []string{file}, 1
	if s, err := run(t, cfg); err != nil || s.Received != 50 || s.Damaged != 0 {
		t.Errorf("the generations cannot be read: %v, %+v", err, s)
	}
}

// generations gives what the script and what drp says about the constants of each event.
func generations(t *testing.T, path string) (all [][2]uint64) {
	t.Helper()
	testkit.Events(t, path, func(table *xtc.Table, d xtc.Dgram) {
		var pair [2]uint64
		for it := table.Blocks(d); it.Next(); {
			if v, ok := it.Block().FieldNamed("generation"); ok {
				i := 0
				if it.Block().Names.Alg == "used" {
					i = 1
				}
				pair[i] = binary.LittleEndian.Uint64(v.Data)
			}
		}
		all = append(all, pair)
	})
	return all
}

// twoPanels is a geometry of testkit's camera: the second segment stands above the first, a row apart.
const twoPanels = `res = 1000
p0/min_fs = 0
p0/max_fs = 5
p0/min_ss = 0
p0/max_ss = 3
p0/fs = +x
p0/ss = +y
p0/corner_x = 0
p0/corner_y = 0
p1/min_fs = 0
p1/max_fs = 5
p1/min_ss = 4
p1/max_ss = 7
p1/fs = +x
p1/ss = +y
p1/corner_x = 0
p1/corner_y = 5
`

// TestImages: pictures are the corrected pixels at the places of the geometry, also when a script asks for both.
func TestImages(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, testkit.Script(t, `import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector("cam", alg="out", fields={"n": (np.uint32, 0)})
n = 0
for run in ds.runs():
    det = run.Detector("cam")
    for evt in run.events():
        n += 1
        image = det.raw.image(evt)
        pixels = det.raw.calib(evt) if n > 20 else None
        assert image.shape == (9, 6) and image.dtype == np.float32, (image.shape, image.dtype)
        assert not image[4].any(), image
        if pixels is not None:
            assert np.array_equal(image[::-1][:4], pixels[0]) and np.array_equal(image[::-1][5:], pixels[1]), (image, pixels)
        out.n = n
        evt.add(out)
`))
	cfg.Sources, cfg.OutputDir, cfg.Workers = []string{testkit.File(t, testkit.Camera{}.Run(100)...)}, t.TempDir(), 2
	cfg.Constants = &fakeConstants{set: func(q calib.Query) (*calib.Set, error) {
		s := camSet(q, 5)
		s.Geometry = twoPanels
		s.Seal()
		return s, nil
	}}
	s, err := run(t, cfg)
	if err != nil || s.Recorded != 100 || s.Damaged != 0 {
		t.Fatalf("%v, %+v", err, s)
	}
}

// TestConstantsOfRuns: each run has its own constants; those that cannot be used leave the ones before in use, or end the
// run if the user wants that; without any, a script that asks is told so.
func TestConstantsOfRuns(t *testing.T) {
	c := testkit.Camera{}
	var dgrams []xtc.Dgram
	for n, d := range append(c.Run(40), c.Run(40)[1:]...) {
		if d.Service() == xtc.BeginRun && n > 2 {
			d = c.BeginRun(2, 6)
		}
		if d.Service() != xtc.Unconfigure || n > 50 {
			dgrams = append(dgrams, d)
		}
	}
	none := fmt.Errorf("the store has %w", calib.ErrNone)
	for _, tt := range []struct {
		name    string
		second  func(q calib.Query) (*calib.Set, error)
		strict  bool
		want    [2]uint64 // generations of the two runs
		damaged int64
		log     string
		kind    drp.Kind
	}{
		{"both good", func(q calib.Query) (*calib.Set, error) { return camSet(q, 6), nil }, false, [2]uint64{1, 2}, 0, "", 0},
		{"the second wrong", func(q calib.Query) (*calib.Set, error) {
			q.Serials = q.Serials[:1]
			return camSet(q, 6), nil
		}, false, [2]uint64{1, 2}, 0, "those before stay in use", 0},
		{"the store fails", func(calib.Query) (*calib.Set, error) { return nil, context.DeadlineExceeded }, false,
			[2]uint64{1, 2}, 0, "those before stay in use", 0},
		{"the second wrong, strict", func(calib.Query) (*calib.Set, error) { return nil, context.DeadlineExceeded }, true,
			[2]uint64{1, 0}, 0, "", drp.Configuration},
		{"none for the second", func(calib.Query) (*calib.Set, error) { return nil, none }, false, [2]uint64{1, 0}, 40,
			"no constants", 0},
		{"none for the second, strict", func(calib.Query) (*calib.Set, error) { return nil, none }, true, [2]uint64{1, 0}, 0, "",
			drp.Configuration},
	} {
		t.Run(tt.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			cfg := settings(t, testkit.Script(t, strings.NewReplacer("LOOP", "events", "ADDED", "got.sum(), made.generation").Replace(corrects)))
			var log strings.Builder
			cfg.Sources, cfg.OutputDir, cfg.Workers = []string{testkit.File(t, dgrams...)}, t.TempDir(), 2
			cfg.Calibration.Strict, cfg.Log = tt.strict, slog.New(slog.NewTextHandler(&log, nil))
			cfg.Constants = &fakeConstants{set: func(q calib.Query) (*calib.Set, error) {
				if q.Run == 6 {
					return tt.second(q)
				}
				return camSet(q, 5), nil
			}}
			s, err := run(t, cfg)
			if kindOf(err) != tt.kind || s.Damaged != tt.damaged || !strings.Contains(log.String(), tt.log) {
				t.Fatalf("%v, %+v\n%s", err, s, log.String())
			}
			for i, want := range tt.want {
				if i == 1 && tt.kind != 0 {
					continue
				}
				for _, pair := range generations(t, s.Files[2*i]) {
					if pair != [2]uint64{want, want} {
						t.Fatalf("run %d: generation %d, recorded %d, want %d", i, pair[0], pair[1], want)
					}
				}
			}
		})
	}
}

// TestCorrectedThroughDeaths: a child that takes the place of another has the same constants, and what was prepared.
func TestCorrectedThroughDeaths(t *testing.T) {
	for spares := range 2 {
		testkit.NoLeaks(t)
		text := strings.NewReplacer("LOOP", "events", "ADDED", "got.sum(), made.generation").Replace(corrects) +
			"        if evt.nanoseconds % 60 == 30 and not os.path.exists(f'{sys.argv[1]}/{evt.nanoseconds}'):\n" +
			"            open(f'{sys.argv[1]}/{evt.nanoseconds}', 'w'); os._exit(3)\n"
		cfg := settings(t, testkit.Script(t, "import os\n"+text))
		cfg.Sources, cfg.OutputDir, cfg.Workers, cfg.Spares = []string{testkit.File(t, testkit.Camera{}.Run(300)...)}, t.TempDir(), 2, spares
		cfg.Args, cfg.Retries = []string{t.TempDir()}, 2
		cfg.Constants = &fakeConstants{set: func(q calib.Query) (*calib.Set, error) { return camSet(q, 5), nil }}
		s, err := run(t, cfg)
		if err != nil || s.Recorded != 300 || s.Damaged != 0 || s.Restarts != 5 {
			t.Fatalf("%v, %+v", err, s)
		}
		for _, pair := range generations(t, s.Files[0]) {
			if pair != [2]uint64{1, 1} {
				t.Fatalf("an event has the generations %v", pair)
			}
		}
	}
}

// TestConstantsChosenAtAStep: what somebody chooses while a run goes on counts from the next step on.
func TestConstantsChosenAtAStep(t *testing.T) {
	testkit.NoLeaks(t)
	c := testkit.Camera{}
	all := c.Run(60)
	var dgrams []xtc.Dgram
	for i, d := range all {
		if i == 4+30 {
			for k, s := range []xtc.TransitionID{xtc.Disable, xtc.EndStep, xtc.BeginStep, xtc.Enable} {
				dgrams = append(dgrams, testkit.Plain(s, uint64(130)<<32|uint64(k)))
			}
		}
		dgrams = append(dgrams, d)
	}
	from := &fakeConstants{set: func(q calib.Query) (*calib.Set, error) { return camSet(q, float32(q.Run)), nil }}
	from.chosen = map[string]string{}
	cfg := settings(t, testkit.Script(t, strings.NewReplacer("LOOP", "events", "ADDED", "got.sum(), made.generation").Replace(corrects)))
	cfg.Sources, cfg.OutputDir, cfg.Workers = []string{testkit.File(t, dgrams...)}, t.TempDir(), 2
	cfg.Constants = choosing{from}
	s, err := run(t, cfg)
	if err != nil || s.Recorded != 60 || s.Damaged != 0 {
		t.Fatalf("%v, %+v", err, s)
	}
	for i, pair := range generations(t, s.Files[0]) {
		want := uint64(1 + i/30)
		if pair != [2]uint64{want, want} {
			t.Fatalf("event %d has the generations %v, want %d", i, pair, want)
		}
	}
}

// TestConstantsThatAreNotThere: the run ends, and names the workers that do not hold what they were told of.
func TestConstantsThatAreNotThere(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, bundled("passthrough.py"))
	cfg.Sources, cfg.OutputDir, cfg.Workers = []string{testkit.File(t, testkit.Camera{}.Run(5)...)}, t.TempDir(), 2
	cfg.Constants = lying{&fakeConstants{set: func(q calib.Query) (*calib.Set, error) { return camSet(q, 5), nil }}}
	if _, err := run(t, cfg); kindOf(err) != drp.General || !strings.Contains(err.Error(), "workers [0 1] do not hold the constants they were told of at BeginRun: cam, generation 1") {
		t.Errorf("%v", err)
	}
}

// kindOf is the kind of failure, 0 for none.
func kindOf(err error) drp.Kind {
	var f *drp.Failure
	if errors.As(err, &f) {
		return f.Kind
	}
	return 0
}

package drp_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/drp"
	"drp/internal/invariant"
	"drp/internal/testkit"
	"drp/teb"
	"drp/xtc"
)

// counting adds the number of each event, and gives it to the trigger.
const counting = `import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector("cam", alg="first", fields={"n": (np.int64, 0), "pad": (np.uint8, 1)})
total = ds.add_detector("cam", alg="total", fields={"events": (np.int64, 0)}, reduce="sum")
for run in ds.runs():
    count = 0
    for evt in run.events():
        out.n = (evt.timestamp - 100) // 10
        out.pad = np.arange(out.n % 7, dtype=np.uint8)
        evt.trigger(n=out.n)
        evt.add(out)
        count += 1
    total.events = count
    run.add(total)
`

// judging is a second script, which checks what it sees, and adds the same in its own way.
const judging = `import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector("cam", alg="second", fields={"twice": (np.int64, 0)})
total = ds.add_detector("cam", alg="kept", fields={"events": (np.int64, 0)}, reduce="sum")
for run in ds.runs():
    det, teb = run.Detector("cam"), run.Detector("teb")
    count = 0
    for evt in run.events():
        n = det.first.n(evt)
        assert n == (evt.timestamp - 100) // 10, n
        assert det.first.pad(evt).tolist() == list(range(n % 7))
        assert teb.decision.pulse(evt) == evt.timestamp and det.raw.raw(evt).shape == (2, 24, 40)
        assert run.Detector("trigger").input.n(evt) == n
        out.twice = 2 * n
        evt.add(out)
        count += 1
    total.events = count
    run.add(total)
`

// third keeps every third event.
var third = teb.Rule{Name: "third", When: "int(sum(c.n)) % 3 == 0", Persist: true}

// posted is a run with a trigger and a second script.
func posted(t testing.TB, first, second string, args ...string) drp.Config {
	t.Helper()
	cfg := triggered(t, testkit.Script(t, first), third)
	if !strings.HasSuffix(second, ".py") {
		second = testkit.Script(t, second)
	}
	cfg.Post = &drp.Post{Script: second, Args: args}
	return cfg
}

// blocks is what a datagram has, by detector, algorithm, segment and field.
type blocks map[string][]byte

func (b blocks) number(name string) int64 {
	if len(b[name]) != 8 {
		return -1
	}
	return int64(binary.LittleEndian.Uint64(b[name]))
}

// blocksOf reads those of the datagrams of one kind.
func blocksOf(t testing.TB, path string, id xtc.TransitionID) (all []blocks, dgrams []xtc.Dgram) {
	t.Helper()
	table := xtc.NewTable()
	for _, d := range testkit.Dgrams(t, path) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		if d.Service() != id {
			continue
		}
		found := blocks{}
		it := table.Blocks(d)
		for it.Next() {
			b := it.Block()
			for i, e := range b.Names.Entries {
				name := fmt.Sprintf("%s %s %d %s", b.Names.DetName, b.Names.Alg, b.Names.Segment, e.Name)
				if found[name] != nil {
					t.Errorf("%s is there twice", name)
				}
				found[name] = slices.Clone(b.Field(i).Data)
			}
		}
		if it.Err() != nil {
			t.Fatal(it.Err())
		}
		all, dgrams = append(all, found), append(dgrams, d)
	}
	return all, dgrams
}

// TestPost: events that are recorded, and no others, have their region cut out by the script that comes with drp.
func TestPost(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := posted(t, counting, bundled("crop.py"), "3:9", "10:20")
	cfg.Trigger.Prescale[0] = 7
	s, err := run(t, cfg)
	if err != nil || s.Vetoed == 0 || s.Posted != s.Recorded || s.Damaged+s.PostFailed != 0 {
		t.Fatalf("%v, %+v", err, s)
	}
	if !strings.Contains(s.Text(), fmt.Sprint(s.Posted, " events were shown to the second script\n")) {
		t.Error(s.Text())
	}
	prescaled := map[int64]bool{}
	for _, d := range decisions(t, s.Files[0]) {
		prescaled[(d.number-100)/10] = d.prescaled
	}
	all, dgrams := blocksOf(t, s.Files[0], xtc.L1Accept)
	want := int64(0)
	for i, b := range all {
		n := b.number("cam first 0 n")
		for ; want < n; want++ {
			if want%3 == 0 || prescaled[want] {
				t.Errorf("event %d is not recorded", want)
			}
		}
		want++
		if uint64(100+10*n) != dgrams[i].Time() || n%3 != 0 && !prescaled[n] {
			t.Errorf("event %d, of the time %d, is recorded", n, dgrams[i].Time())
		}
		var image []byte
		for _, frame := range spotFrames(int(n)) {
			for row := 3; row < 9; row++ {
				for col := 10; col < 20; col++ {
					image = binary.LittleEndian.AppendUint16(image, frame[row*spots.Cols+col])
				}
			}
		}
		if string(b["cam crop 0 image"]) != string(image) {
			t.Errorf("event %d has another region: %v", n, b["cam crop 0 image"])
		}
		if whole := b["cam raw 0 raw"] != nil && b["cam raw 1 raw"] != nil; whole != prescaled[n] {
			t.Errorf("event %d was chosen by the prescaler: %v; it has its raw pixels: %v", n, prescaled[n], whole)
		}
	}
	if want < 58 {
		t.Errorf("the last recorded event is %d", want-1)
	}
}

// TestPostSees: the second script sees what the first one added and what the trigger decided, and what both gather is
// recorded; the files are the same for any number of workers.
func TestPostSees(t *testing.T) {
	testkit.NoLeaks(t)
	var first string
	for _, workers := range []int{1, 2, 8} {
		cfg := posted(t, counting, judging)
		cfg.Workers, cfg.Spares = workers, 1
		s, err := run(t, cfg)
		if err != nil || s.Recorded != 20 || s.Vetoed != 40 || s.Posted != 20 || s.PostFailed != 0 {
			t.Fatalf("%d workers: %v, %+v", workers, err, s)
		}
		all, _ := blocksOf(t, s.Files[0], xtc.L1Accept)
		for i, b := range all {
			if b.number("cam first 0 n") != int64(3*i) || b.number("cam second 0 twice") != int64(6*i) {
				t.Errorf("event %d: %v", i, b)
			}
		}
		ends, _ := blocksOf(t, s.Files[0], xtc.EndRun)
		if len(ends) != 1 || ends[0].number("cam total 0 events") != 60 || ends[0].number("cam kept 0 events") != 20 ||
			ends[0].number("drp books 0 recorded") != 20 || ends[0].number("drp books 0 vetoed") != 40 {
			t.Errorf("%d workers: %v", workers, ends)
		}
		text, err := os.ReadFile(s.Files[0])
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = string(text)
		} else if string(text) != first {
			t.Errorf("with %d workers the file is another one than with 1", workers)
		}
	}
}

// TestPostWithoutTrigger: all events that the first script leaves are shown; it may replace what that one added, and what
// it removed can still be read.
func TestPostWithoutTrigger(t *testing.T) {
	testkit.NoLeaks(t)
	first := strings.Replace(counting, "        evt.add(out)\n", `        evt.add(out)
        evt.remove("cam")
        if evt.timestamp % 50 == 0: evt.reject()
`, 1)
	cfg := posted(t, first, `import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector("cam", alg="first", fields={"n": (np.int64, 0)})
for run in ds.runs():
    det = run.Detector("cam")
    for batch in run.batches():
        raw = det.raw.raw(batch)
        out.n = -raw[:, 1, 0, 0].astype(np.int64)
        batch.add(out)
        batch.remove("cam", "first")
`)
	cfg.Trigger = nil
	s, err := run(t, cfg)
	if err != nil || s.Recorded != 48 || s.Rejected != 12 || s.Posted != 48 || s.PostFailed != 0 {
		t.Fatalf("%v, %+v", err, s)
	}
	all, dgrams := blocksOf(t, s.Files[0], xtc.L1Accept)
	for i, b := range all {
		number := int(dgrams[i].Time()-100) / 10
		if got := b.number("cam first 0 n"); got != -int64(spotFrames(number)[1][0]) || b["cam first 0 pad"] != nil || b["cam raw 0 raw"] != nil {
			t.Errorf("event %d: %v", number, b)
		}
	}
	read := readBy(t, s.Files[0], `from drp import DataSource
for run in DataSource().runs():
    for evt in run.events():
        print(evt.timestamp, run.Detector("cam").first.n(evt))
`)
	if lines := strings.Split(strings.TrimSpace(read), "\n"); len(lines) != 48 || lines[1] != fmt.Sprint("120 ", -int64(spotFrames(2)[1][0])) {
		t.Errorf("the reader says:\n%s", read)
	}
}

// readBy gives what a script prints about a file.
func readBy(t *testing.T, path, text string) string {
	t.Helper()
	cmd := exec.Command(testkit.Python(t), testkit.Script(t, text))
	cmd.Env = append(os.Environ(), "DRP_FILES="+path, "PYTHONPATH="+testkit.PythonPath())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// TestPostOfHits: the second script has the hits where the first had them, and cuts a square around each peak.
func TestPostOfHits(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := hitSettings(t, bundled("passthrough.py"), "statistics=full", spotRun(60))
	cfg.Trigger = &drp.Trigger{Rules: []teb.Rule{{Name: "hit", When: "cam_0.hit or prescale(20)", Persist: true}}, Deadline: time.Minute}
	cfg.Post = &drp.Post{Script: bundled("crop.py"), Args: []string{"hits", "2"}}
	s, err := run(t, cfg)
	if err != nil || s.Hits == 0 || s.Posted != s.Recorded || s.Vetoed == 0 || s.PostFailed != 0 {
		t.Fatalf("%v, %+v", err, s)
	}
	all, dgrams := blocksOf(t, s.Files[0], xtc.L1Accept)
	recorded := recordedEvents(t, s.Files[0])
	cut := 0
	for i, b := range all {
		peaks := recorded[i].hits.Peaks
		if recorded[i].raw != (len(peaks) == 0) || len(b["cam crop 0 images"]) != 2*25*len(peaks) {
			t.Fatalf("an event of %d peaks has %d bytes of squares, and its raw pixels: %v", len(peaks), len(b["cam crop 0 images"]), recorded[i].raw)
		}
		frames := spotFrames(int(dgrams[i].Time()-100) / 10)
		for k, p := range peaks {
			word := func(name string, at int) int { return int(binary.LittleEndian.Uint16(b["cam crop 0 "+name][2*at:])) }
			row, col := word("row", k), word("col", k)
			if float32(row) > p.Row || p.Row > float32(row+4) || float32(col) > p.Col || p.Col > float32(col+4) {
				t.Errorf("the peak at %g, %g is not in the square at %d, %d", p.Row, p.Col, row, col)
			}
			for at := range 25 {
				if got, want := word("images", 25*k+at), frames[word("segment", k)][(row+at/5)*spots.Cols+col+at%5]; got != int(want) {
					t.Fatalf("pixel %d of the square at %d, %d is %d, want %d", at, row, col, got, want)
				}
			}
			cut++
		}
	}
	if cut < 20 {
		t.Errorf("%d squares were cut", cut)
	}
}

// TestPostCorrects: corrected pixels are made for the second script, too, and the event says by which constants.
func TestPostCorrects(t *testing.T) {
	for _, both := range []bool{false, true} {
		testkit.NoLeaks(t)
		second := strings.NewReplacer("LOOP", "events", "ADDED", "got.sum(), made.generation").Replace(corrects)
		cfg := hitSettings(t, bundled("passthrough.py"), "statistics=full", spotRun(60))
		cfg.Hits, cfg.Post = nil, &drp.Post{Script: testkit.Script(t, second)}
		if both {
			cfg.Script = testkit.Script(t, strings.ReplaceAll(second, `"out"`, `"before"`))
		}
		s, err := run(t, cfg)
		if err != nil || s.Recorded != 60 || s.Posted != 60 || s.PostFailed != 0 {
			t.Fatalf("%v, %+v", err, s)
		}
		for _, pair := range generations(t, s.Files[0]) {
			if pair != [2]uint64{1, 1} {
				t.Errorf("both %v: an event was corrected with generation %d and is said to be with %d", both, pair[0], pair[1])
			}
		}
	}
}

// TestPostedPathAllocatesNothing as it does without a second script.
func TestPostedPathAllocatesNothing(t *testing.T) {
	if invariant.Enabled {
		t.Skip("the checked build makes messages it then does not need; the other build is measured")
	}
	testkit.NoLeaks(t)
	mallocs := func(events int64) uint64 {
		cfg := settings(t, bundled("passthrough.py"))
		cfg.Events, cfg.OutputDir = events, t.TempDir()
		cfg.Post = &drp.Post{Script: bundled("crop.py"), Args: []string{"1:4", "2:5"}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if s, err := run(t, cfg); err != nil || s.Recorded != events || s.Posted != events || s.PostFailed != 0 {
			t.Fatalf("%v, %+v", err, s)
		}
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs
	}
	const few, many = 4000, 24000
	base := mallocs(few)
	if per := (float64(mallocs(many)) - float64(base)) / (many - few); per >= 0.01 {
		t.Errorf("%.3f allocations per event", per)
	}
}

// TestPostReload: the second script is read anew at each Configure, as the first one is.
func TestPostReload(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, bundled("passthrough.py"))
	other := filepath.Join(t.TempDir(), "other.py")
	with := func(end, alg string) string {
		return strings.NewReplacer("MIDDLE", "pass", "END", end, "first", alg).Replace(editing)
	}
	testkit.WriteFile(t, other, with("pass", "second"))
	cfg.Sources, cfg.OutputDir = []string{smallSim + ",configs=2,events=100"}, t.TempDir()
	cfg.Post = &drp.Post{Script: testkit.Script(t, with("edit()", "first")), Args: []string{other}}
	s, err := run(t, cfg)
	if err != nil || s.Recorded != 200 || s.Posted != 200 || s.Damaged != 0 {
		t.Fatalf("%v, %+v", err, s)
	}
	for i, want := range []string{"first", "second"} {
		if got := algorithms(t, s.Files[2*i]); got[want] != 100 || len(got) != 2 {
			t.Errorf("Configure %d: %v, want 100 of %s and of the raw data", i, got, want)
		}
	}
}

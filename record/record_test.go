package record_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/record"
	"drp/xtc"
)

var camera = testkit.Camera{Segments: 6, Rows: 3, Cols: 5}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func second[T any](_ T, err error) error { return err }

func open(t testing.TB, dir string) *record.Recorder {
	t.Helper()
	r, err := record.New(record.Config{Dir: dir, Expt: "test", Run: 5, Stream: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Abandon() })
	return r
}

// put records a datagram as it is; run is the number that a BeginRun names.
func put(t testing.TB, r *record.Recorder, d xtc.Dgram, run int) {
	t.Helper()
	var err error
	if d.Service().IsEvent() {
		err = r.Event(d, nil, nil, 0)
	} else {
		err = r.Transition(d, nil, 0, run)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func closeIt(t testing.TB, r *record.Recorder) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// readFile reads all datagrams, and has the file checked if it is complete.
func readFile(t testing.TB, path string) (all []xtc.Dgram) {
	t.Helper()
	if !strings.HasSuffix(path, ".inprogress") {
		report, err := xtc.Check(path, xtc.CheckOptions{})
		if err != nil || !report.OK() || report.Explained != report.Bytes {
			t.Fatalf("%+v %v", report, err)
		}
		if report.SmallData == nil || report.SmallData.Events != report.Count["L1Accept"] {
			t.Fatalf("the small data of %s: %+v", path, report.SmallData)
		}
	}
	r, err := xtc.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	for {
		if _, err := r.Next(); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, must(r.ReadDgram(nil)))
	}
}

// letters are the datagrams of a run, as services gives them.
var letters = map[byte]xtc.TransitionID{'C': xtc.Configure, 'c': xtc.Unconfigure, 'R': xtc.BeginRun, 'r': xtc.EndRun,
	'S': xtc.BeginStep, 's': xtc.EndStep, 'E': xtc.Enable, 'e': xtc.Disable, '~': xtc.SlowUpdate, '.': xtc.L1Accept}

func services(all []xtc.Dgram) string {
	var s strings.Builder
	for _, d := range all {
		for letter, service := range letters {
			if service == d.Service() {
				s.WriteByte(letter)
			}
		}
	}
	return s.String()
}

// TestAsItIs records a run without any change: the file is what came in.
func TestAsItIs(t *testing.T) {
	testkit.NoLeaks(t)
	dir := t.TempDir()
	r := open(t, dir)
	var want bytes.Buffer
	for i, d := range camera.Run(50) {
		put(t, r, d, 5)
		want.Write(d)
		if i%7 == 0 {
			if _, err := r.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if r.Bytes() != int64(want.Len()) || len(r.Files()) > 0 {
		t.Errorf("%d bytes, want %d; complete are %v", r.Bytes(), want.Len(), r.Files())
	}
	closeIt(t, r)
	files := []string{filepath.Join(dir, "test-r0005-s002-c000.xtc2"),
		filepath.Join(dir, "smalldata", "test-r0005-s002-c000.smd.xtc2")}
	if !slices.Equal(r.Files(), files) || r.Bytes() != int64(want.Len()) {
		t.Errorf("%v, %d bytes", r.Files(), r.Bytes())
	}
	if !bytes.Equal(must(os.ReadFile(files[0])), want.Bytes()) {
		t.Error("the file differs from what was recorded")
	}
	report := must(xtc.Check(files[0], xtc.CheckOptions{}))
	if len(report.Warnings) > 0 {
		t.Error(report.Warnings)
	}
	readFile(t, files[0])
	if err := r.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

// TestRuns goes through the ways in which runs follow each other.
func TestRuns(t *testing.T) {
	tests := []struct {
		name, datagrams string
		runs            []int // that the BeginRuns name; -1: none
		want            map[string]string
	}{
		{"nothing", "", nil, nil},
		{"one run", "CRSE..esrc", []int{5}, map[string]string{"r0005": "CRSE..esrc"}},
		{"an end that is missing", "CRSE..", []int{5}, map[string]string{"r0005": "CRSE.."}},
		{"two runs of one Configure", "CRSE.esrRSE..esrc", []int{-1, -1},
			map[string]string{"r0005": "CRSE.esr", "r0006": "CRSE..esrc"}},
		{"three of them, with their numbers", "CRrRrRr", []int{5, 9, 12},
			map[string]string{"r0005": "CRr", "r0009": "CRr", "r0012": "CRr"}},
		{"a number that is taken", "CRrRrRr", []int{5, 3, 6}, map[string]string{"r0005": "CRr", "r0006": "CRr", "r0007": "CRr"}},
		{"configured again between runs", "CRE.ercCRE.erc", []int{-1, -1},
			map[string]string{"r0005": "CRE.erc", "r0006": "CRE.erc"}},
		{"configured twice between runs", "CRrcCcCRr", []int{5, 6}, map[string]string{"r0005": "CRrc", "r0006": "CRr"}},
		{"configured again within a run", "CRE.CRE.", []int{5, 5}, map[string]string{"r0005": "CRE.CRE."}},
		{"a slow update after the end", "CRSE.esr~c", []int{5}, map[string]string{"r0005": "CRSE.esr~c"}},
		{"configured for a run that does not come", "CRrcCc", []int{5}, map[string]string{"r0005": "CRrc"}},
		{"without BeginRun", "C....", nil, map[string]string{"r0005": "C...."}},
		{"steps", "CRSE.esSE.esr", []int{5}, map[string]string{"r0005": "CRSE.esSE.esr"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			r := open(t, dir)
			var configures, want int
			runs := test.runs
			for i := range len(test.datagrams) {
				d, run := testkit.Plain(letters[test.datagrams[i]], uint64(i+1)), -1
				switch test.datagrams[i] {
				case 'C': // each has a detector more
					configures++
					d = testkit.Camera{Segments: configures, Rows: 1, Cols: 1}.Configure(uint64(i + 1))
				case 'R':
					run, runs = runs[0], runs[1:]
				}
				put(t, r, d, run)
			}
			closeIt(t, r)
			for _, path := range r.Files() {
				if strings.HasSuffix(path, ".smd.xtc2") {
					continue
				}
				want++
				name, _ := xtc.ParseFileName(path)
				key := name.Data()[len("test-") : len("test-")+5]
				all := readFileLoosely(t, path)
				if got := services(all); got != test.want[key] {
					t.Errorf("%s holds %s, want %s", key, got, test.want[key])
				}
			}
			if want != len(test.want) || countFiles(t, dir) != 2*len(test.want) {
				t.Errorf("%v in a folder of %d files", r.Files(), countFiles(t, dir))
			}
		})
	}
}

// readFileLoosely is readFile for runs whose transitions are not complete.
func readFileLoosely(t *testing.T, path string) []xtc.Dgram {
	t.Helper()
	report, err := xtc.Check(path, xtc.CheckOptions{})
	if err != nil || report.Truncated != nil {
		t.Fatalf("%+v %v", report, err)
	}
	r := must(xtc.Open(path))
	defer func() { _ = r.Close() }()
	var all []xtc.Dgram
	for {
		if _, err := r.Next(); err != nil {
			return all
		}
		all = append(all, must(r.ReadDgram(nil)))
	}
}

func countFiles(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestConfigureIsRepeated has what the script declared, and the damage, at the head of each file.
func TestConfigureIsRepeated(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir)
	declared := must(camera.Names(5).AppendTo(nil))
	source := testkit.Camera{Segments: 5, Rows: 3, Cols: 5}
	if err := r.Transition(source.Configure(1), declared, xtc.DamageUserDefined, -1); err != nil {
		t.Fatal(err)
	}
	clear(declared) // it belongs to somebody else afterwards
	for i, service := range []xtc.TransitionID{xtc.BeginRun, xtc.EndRun, xtc.BeginRun, xtc.EndRun} {
		put(t, r, testkit.Plain(service, uint64(2+i)), -1)
	}
	closeIt(t, r)
	var heads []xtc.Dgram
	for _, path := range []string{r.Files()[0], r.Files()[2]} {
		heads = append(heads, readFileLoosely(t, path)[0])
	}
	if !bytes.Equal(heads[0], heads[1]) || heads[0].Damage() != xtc.DamageUserDefined {
		t.Errorf("damage %v and %v", heads[0].Damage(), heads[1].Damage())
	}
	table := xtc.NewTable()
	if err := table.Configure(heads[1]); err != nil || len(table.Find("cam", "raw")) != 6 {
		t.Errorf("%d segments, %v", len(table.Find("cam", "raw")), err)
	}
}

// TestTransitionAdditions are behind what the source sent.
func TestTransitionAdditions(t *testing.T) {
	r := open(t, t.TempDir())
	put(t, r, camera.Configure(1), -1)
	added := block(0, 1)
	for i, service := range []xtc.TransitionID{xtc.BeginRun, xtc.BeginStep, xtc.Enable, xtc.SlowUpdate, xtc.Disable, xtc.EndStep,
		xtc.EndRun} {
		if err := r.Transition(testkit.Plain(service, uint64(2+i)), added, 0, -1); err != nil {
			t.Fatal(err)
		}
	}
	closeIt(t, r)
	for _, d := range readFileLoosely(t, r.Files()[0])[1:] {
		if !bytes.Equal(d.Payload(), added) {
			t.Errorf("%v holds %d bytes", d.Service(), len(d.Payload()))
		}
	}
}

func TestNothingToRecord(t *testing.T) {
	for name, end := range map[string]func(*record.Recorder) error{
		"closed": (*record.Recorder).Close, "abandoned": (*record.Recorder).Abandon,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			r := open(t, dir)
			if _, err := r.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := end(r); err != nil {
				t.Fatal(err)
			}
			if n := countFiles(t, dir); n > 0 || len(r.Files()) > 0 || r.Bytes() > 0 {
				t.Errorf("%d files are left; %v, %d bytes", n, r.Files(), r.Bytes())
			}
			again := open(t, dir) // the names are free
			put(t, again, camera.Configure(1), -1)
			closeIt(t, again)
		})
	}
}

// TestNilRecorder is what a run without -o has.
func TestNilRecorder(t *testing.T) {
	var r *record.Recorder
	for name, err := range map[string]error{
		"transition": r.Transition(camera.Configure(1), nil, 0, 1), "event": r.Event(camera.Event(1, 1), nil, nil, 0),
		"flush": second(r.Flush()), "stalled": r.Stalled(), "close": r.Close(), "abandon": r.Abandon(),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r.Bytes() != 0 || r.Files() != nil {
		t.Error(r.Bytes(), r.Files())
	}
}

// TestChunks goes on in the file that an Enable names, and in another run in a file of its own.
func TestChunks(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir)
	info := &xtc.Names{ID: xtc.NewNamesID(1, xtc.IndexChunkInfo), DetType: "chunkinfo", DetName: "chunkinfo", Alg: "chunkinfo",
		Entries: []xtc.Name{{Name: "filename", Type: xtc.CharStr, Rank: 1}, {Name: "chunkid", Type: xtc.UInt32}}}
	if err := r.Transition(camera.Configure(1), must(info.AppendTo(nil)), 0, -1); err != nil {
		t.Fatal(err)
	}
	put(t, r, testkit.Plain(xtc.BeginRun, 2), -1)
	var b xtc.Builder
	b.Begin(nil, info)
	b.Text("data-r0001-s002-c001.xtc2")
	b.Uint(1)
	put(t, r, testkit.Plain(xtc.Enable, 3, must(b.End())...), -1)
	put(t, r, camera.Event(4, 1), -1)
	put(t, r, testkit.Plain(xtc.EndRun, 5), -1)
	put(t, r, testkit.Plain(xtc.BeginRun, 6), -1)
	put(t, r, camera.Event(7, 2), -1)
	total := r.Bytes()
	closeIt(t, r)
	in := func(name string) string { return filepath.Join(dir, name) }
	want := []string{in("test-r0005-s002-c000.xtc2"), in("data-r0001-s002-c001.xtc2"),
		in("smalldata/test-r0005-s002-c000.smd.xtc2"), in("test-r0006-s002-c000.xtc2"),
		in("smalldata/test-r0006-s002-c000.smd.xtc2")}
	if !slices.Equal(r.Files(), want) || r.Bytes() != total {
		t.Errorf("%v, %d bytes, want %d", r.Files(), r.Bytes(), total)
	}
	size := int64(0)
	for i, services := range map[int]string{0: "CRE", 1: ".r", 3: "CR."} {
		size += must(os.Stat(want[i])).Size()
		if got := lettersOf(t, want[i]); got != services {
			t.Errorf("%s holds %s, want %s", want[i], got, services)
		}
	}
	if size != total {
		t.Errorf("%d bytes, want %d", size, total)
	}
}

func lettersOf(t *testing.T, path string) string {
	t.Helper()
	return services(readFileLoosely(t, path))
}

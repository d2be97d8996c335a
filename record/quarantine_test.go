package record_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/record"
	"drp/xtc"
)

func quarantined() *record.Quarantined {
	run := camera.Run(3)
	return &record.Quarantined{Expt: "test", Run: 5, Stream: 2, State: run[:4], Event: run[5], Number: 1,
		Script: "/home/me/roi.py", Args: []string{"100", "two words"}, ScriptSHA256: strings.Repeat("0f", 32), Detector: "cam",
		Attempts: []record.Attempt{
			{Worker: 1, PID: 4711, When: time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC), Reason: "signal: segmentation fault",
				Line: 12, Traceback: "File \"<roi>\", line 12\n", Output: []string{"a < b", "bad \x1b[1m bytes \xff"}},
			{Worker: 2, PID: 4712, When: time.Date(2026, 3, 4, 5, 6, 8, 0, time.UTC), Reason: "no answer in time"},
		}}
}

// names are the services of a file.
func names(all []xtc.Dgram) string {
	var words []string
	for _, d := range all {
		words = append(words, d.Service().String())
	}
	return strings.Join(words, " ")
}

func TestQuarantineFile(t *testing.T) {
	run := camera.Run(3)
	slow := testkit.Plain(xtc.SlowUpdate, 50)
	tests := []struct {
		name  string
		state []xtc.Dgram
		want  string
		legal bool // without a warning
	}{
		{"enabled", run[:4], "Configure BeginRun BeginStep Enable L1Accept Disable EndStep EndRun", true},
		{"with a SlowUpdate", append(slices.Clone(run[:4]), slow),
			"Configure BeginRun BeginStep Enable SlowUpdate L1Accept Disable EndStep EndRun", true},
		{"without Enable", run[:3], "Configure BeginRun BeginStep L1Accept EndStep EndRun", false},
		{"without a run", run[:1], "Configure L1Accept", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := quarantined()
			q.State = tt.state
			path, err := q.Store(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if got := names(testkit.Dgrams(t, path)); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			report, err := xtc.Check(path, xtc.CheckOptions{})
			if err != nil || !report.OK() || tt.legal != (len(report.Warnings) == 0) {
				t.Errorf("%+v, %v", report, err)
			}
			if _, err := xtc.Ls(path); err != nil {
				t.Error(err)
			}
			var text bytes.Buffer
			if err := xtc.Dump(&text, path, xtc.DumpOptions{}); err != nil {
				t.Error(err)
			}
			if at := slices.IndexFunc(testkit.Dgrams(t, path), func(d xtc.Dgram) bool { return d.Service().IsEvent() }); !bytes.Equal(
				testkit.Dgrams(t, path)[at], q.Event) {
				t.Error("the event is another one")
			}
		})
	}
}

// TestQuarantineOfLaterChunk: nobody shall look for the chunk that the Enable announces.
func TestQuarantineOfLaterChunk(t *testing.T) {
	info := &xtc.Names{ID: xtc.NewNamesID(1, xtc.IndexChunkInfo), DetType: "chunkinfo", DetName: "chunkinfo", Alg: "chunkinfo",
		Entries: []xtc.Name{{Name: "filename", Type: xtc.CharStr, Rank: 1}, {Name: "chunkid", Type: xtc.UInt32}}}
	run := camera.Run(1)
	configure := append(slices.Clone(run[0]), must(info.AppendTo(nil))...)
	configure.SetSize(len(configure))
	var b xtc.Builder
	b.Begin(nil, info)
	b.Text("test-r0005-s002-c001.xtc2")
	b.Uint(1)
	q := quarantined()
	q.State = []xtc.Dgram{configure, run[1], run[2], testkit.Plain(xtc.Enable, 4, must(b.End())...)}
	path := must(q.Store(t.TempDir()))
	if listing, err := xtc.Ls(path); err != nil || listing.NextChunk != "" {
		t.Errorf("%+v, %v", listing, err)
	}
	if report, err := xtc.Check(path, xtc.CheckOptions{}); err != nil || !report.OK() || len(report.Warnings) > 0 {
		t.Errorf("%+v, %v", report, err)
	}
	if len(q.State[3]) == xtc.DgramHeaderBytes {
		t.Error("the state was changed")
	}
}

func TestQuarantineNames(t *testing.T) {
	q := quarantined()
	for expt, want := range map[string]string{
		"test": "test", "": "unknown", "../../etc/x": "_.._etc_x", "a b\x00ü": "a_b__", "...": "unknown", "a-b_c.d": "a-b_c.d",
		strings.Repeat("x", 100): strings.Repeat("x", 64),
	} {
		q.Expt = expt
		if got := q.Name(); got != want+"-r0005-s002-event-0000000000000066.xtc2" {
			t.Errorf("%q: %s", expt, got)
		}
	}
}

func TestQuarantineReport(t *testing.T) {
	q := quarantined()
	dir := filepath.Join(t.TempDir(), "a", "quarantine")
	path := must(q.Store(dir))
	for _, name := range []string{path, strings.TrimSuffix(path, ".xtc2") + ".json"} {
		r, err := record.ReadReport(name)
		if err != nil {
			t.Fatal(err)
		}
		if r.Data != filepath.Base(path) || r.Data != q.Name() || r.Expt != "test" || r.Run != 5 || r.Stream != 2 || r.Number != 1 ||
			r.Time != "0x0000000000000066" || r.Nanoseconds != 102 || r.Bytes != len(q.Event) || r.Script != q.Script ||
			!slices.Equal(r.Args, q.Args) || r.ScriptSHA256 != q.ScriptSHA256 || r.Detector != "cam" || len(r.Attempts) != 2 {
			t.Errorf("%+v", r)
		}
		if a, b := r.Attempts[0], q.Attempts[0]; !a.When.Equal(b.When) || a.Reason != b.Reason || a.Line != 12 ||
			a.Traceback != b.Traceback || a.Output[0] != "a < b" {
			t.Errorf("%+v", a)
		}
	}
	text := must(os.ReadFile(strings.TrimSuffix(path, ".xtc2") + ".json"))
	if !bytes.Equal(text, q.Report()) || !bytes.Contains(text, []byte("\n  \"script\": ")) || !bytes.Contains(text, []byte("a < b")) {
		t.Errorf("%s", text)
	}
	for _, suffix := range []string{".xtc2", ".json"} {
		info, err := os.Stat(strings.TrimSuffix(path, ".xtc2") + suffix)
		if err != nil || info.Mode().Perm()&^0o640 != 0 {
			t.Errorf("%v, %v", info, err)
		}
	}
	if info := must(os.Stat(dir)); info.Mode().Perm()&^0o750 != 0 {
		t.Errorf("the folder has the mode %v", info.Mode())
	}
	bare := &record.Quarantined{}
	if text := string(bare.Report()); !strings.Contains(text, `"attempts": []`) || !strings.Contains(text, `"args": []`) {
		t.Errorf("%s", text)
	}
}

// TestQuarantineTwice: no file is ever overwritten, whatever is in the way, and nothing is left in progress.
func TestQuarantineTwice(t *testing.T) {
	dir := t.TempDir()
	q := quarantined()
	stem := filepath.Join(dir, strings.TrimSuffix(q.Name(), ".xtc2"))
	testkit.WriteFile(t, stem+"-2.json", "mine")
	testkit.WriteFile(t, stem+"-3.xtc2.inprogress", "of somebody who was killed")
	testkit.WriteFile(t, stem+"-4.json.inprogress", "and again")
	for _, want := range []string{"", "-5", "-6"} {
		path, err := q.Store(dir)
		if err != nil || path != stem+want+".xtc2" {
			t.Errorf("%s, %v; want %s", path, err, want)
		}
		if r, err := record.ReadReport(path); err != nil || r.Data != filepath.Base(path) {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if files := testkit.FilesIn(dir); len(files) != 9 {
		t.Errorf("%v", files)
	}
	if text := must(os.ReadFile(stem + "-2.json")); string(text) != "mine" {
		t.Errorf("%s", text)
	}
}

func TestQuarantineTrouble(t *testing.T) {
	dir := t.TempDir()
	q := quarantined()
	file := filepath.Join(dir, "file")
	testkit.WriteFile(t, file, "")
	if path, err := q.Store(filepath.Join(file, "below")); err == nil {
		t.Error(path)
	}
	if _, err := record.ReadReport(filepath.Join(dir, "none.xtc2")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for _, text := range []string{"{", `{"version": 2}`, `[]`} {
		path := filepath.Join(dir, "bad.json")
		testkit.WriteFile(t, path, text)
		if r, err := record.ReadReport(path); err == nil {
			t.Errorf("%+v", r)
		}
	}
	if _, err := record.ReadReport(dir); err == nil {
		t.Error("a folder is read as a report")
	}
}

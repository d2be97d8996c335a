package page_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"drp/internal/settings"
	"drp/internal/testkit"
	"drp/page"
	"drp/watch"
)

// TestRecord writes the status of a run with what was logged, and a replay of the run shows both again at the events that were
// recorded then.
func TestRecord(t *testing.T) {
	path := testkit.File(t, testkit.Camera{}.Run(30)...)
	dir := filepath.Dir(path)
	var recorded atomic.Int64
	var set atomic.Bool
	journal := &page.Journal{}
	changes := func(after int64) []settings.Change {
		if !set.Load() || after >= 4 {
			return nil
		}
		return []settings.Change{{Generation: 4, Time: time.Now(), Who: "page 127.0.0.1", Changes: map[string][2]any{"threshold": {50, 60}}}}
	}
	declared := func() settings.Listing {
		s := settings.Setting{Parameter: settings.Parameter{Name: "threshold", Type: "int", Default: 50, Unit: "ADU"}, Value: int64(9007199254740993)}
		return settings.Listing{Settings: []settings.Setting{s}}
	}
	r := page.NewRecord(page.RecordOptions{Dir: dir, Changes: changes, Declared: declared, Journal: journal, Log: slog.New(slog.DiscardHandler), Status: func() watch.Status {
		s := nothing()
		s.Experiment, s.Run, s.State, s.Transition, s.Script = "test", 5, "enabled", "Enable", "mine.py"
		s.Events.Recorded = recorded.Load()
		s.Workers = []watch.Worker{{Script: watch.Latency{Counts: make([]uint64, 28)}}}
		return s
	}})
	log := slog.New(journal.Handler(slog.DiscardHandler))
	log.Warn("before anything")
	recorded.Store(10)
	file := filepath.Join(dir, "test-r0005-s000-status.jsonl")
	lines := func() int {
		text, _ := os.ReadFile(file)
		return bytes.Count(text, []byte("\n"))
	}
	if !testkit.Within(testkit.Patience, func() bool { return lines() >= 2 }) {
		t.Fatalf("%d lines", lines())
	}
	set.Store(true)
	recorded.Store(30)
	r.Close()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(text)) {
		if !json.Valid([]byte(l)) || strings.Contains(l, "[0,0,0") {
			t.Errorf("%s", l)
		}
	}
	if !strings.Contains(string(text), "before anything") || strings.Count(string(text), `"threshold":[50,60]`) != 1 {
		t.Errorf("%s", text)
	}
	p := play(t, page.PlayerOptions{Files: []string{path}, Paused: true})
	stream := openStream(t, p.web, "")
	p.shows(stream, 0)
	if s := p.Status(); !s.Replay || s.PID != os.Getpid() || len(s.Consumers) != 1 || s.Consumers[0].PID != os.Getpid() || s.Events.Recorded != 10 || s.Script != "mine.py" || !p.State().Recorded {
		t.Errorf("%+v", s)
	}
	if l := p.Settings(); len(l.Settings) != 1 || l.Settings[0].Value != json.Number("9007199254740993") || l.Settings[0].Unit != "ADU" || l.Generation != 0 || len(l.History) != 0 {
		t.Errorf("%+v", l)
	}
	if code, said := p.order(`{"position":25}`); code != 200 {
		t.Fatal(said)
	}
	if s := p.Status(); s.Events.Recorded != 30 {
		t.Errorf("%+v", s)
	}
	if l := p.Settings(); len(l.Settings) != 1 || l.Settings[0].Value != json.Number("60") || l.Generation != 4 || len(l.History) != 1 {
		t.Errorf("%+v", l)
	}
	if _, err := p.Set(nil, ""); err == nil {
		t.Error("settings of a replay are changed")
	}
	for said := ""; !strings.Contains(said, "threshold") || !strings.Contains(said, "before anything"); {
		f, err := readFrame(stream)
		if err != nil {
			t.Fatal(err)
		}
		if f.kind == 4 {
			said += string(f.body)
		}
	}
	if code, said := p.order(`{"position":2}`); code != 200 { // the log goes back, too
		t.Fatal(said)
	}
	for {
		f, err := readFrame(stream)
		if err != nil {
			t.Fatal(err)
		}
		if f.kind == 4 {
			if said := string(f.body); !strings.Contains(said, `"anew":true`) || strings.Contains(said, "threshold") || strings.Contains(said, "before anything") {
				t.Errorf("%s", said)
			}
			return
		}
	}
}

// TestRecordFails: a folder that cannot be written is told of once, and nothing else happens.
func TestRecordFails(t *testing.T) {
	var said testkit.Buffer
	journal := &page.Journal{}
	n := int64(0)
	r := page.NewRecord(page.RecordOptions{Dir: filepath.Join(t.TempDir(), "nowhere"), Journal: journal, Log: slog.New(slog.NewTextHandler(&said, nil)),
		Status: func() watch.Status {
			s := nothing()
			n++
			s.Experiment, s.Run, s.State, s.Transition, s.Events.Recorded = "test", int(n), "enabled", "Enable", n
			return s
		}})
	if !testkit.Within(testkit.Patience, func() bool { return strings.Contains(said.String(), "no such file") }) {
		t.Fatal("nothing is said")
	}
	r.Close()
	if strings.Count(said.String(), "is not recorded any more") != 1 || strings.Contains(said.String(), "the data are\"") {
		t.Errorf("%s", said.String())
	}
}

// TestDamagedRecord: a record that makes no sense does not keep a replay from being one.
func TestDamagedRecord(t *testing.T) {
	path := testkit.File(t, testkit.Camera{}.Run(5)...)
	file := filepath.Join(filepath.Dir(path), page.StatusName("test", 5, 0))
	testkit.WriteFile(t, file, "nonsense\n{\"status\":null}\n{\"time\":\"x\",\"status\":{\"events\":{\"recorded\":3}}}\n{\"status\":{\"events\":{\"recorded\":-9e99}}}\n{\"stat")
	r := play(t, page.PlayerOptions{Files: []string{path}, Paused: true})
	r.shows(openStream(t, r.web, ""), 0)
	if s := r.Status(); s.Run != 5 || len(r.Settings().Settings) != 0 { // what the replay tells of itself
		t.Errorf("%+v", s)
	}
}

package page

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drp/watch"
)

// TestWhoWasSlow: a browser that had not taken a picture when the last event of a replay came gets that of it all the same.
func TestWhoWasSlow(t *testing.T) {
	p := &Page{o: Options{Player: &Player{}}, streams: map[*stream]bool{}}
	e := twoMegapixels(t, false)
	p.kept.add(e)
	s := &stream{kind: kindEvent, bin: 8, frames: make(chan *picture, 1), feed: p.newFeed(false)}
	p.makeUp(s)
	if len(s.frames) != 0 {
		t.Error("it is given one before it has taken the other")
	}
	s.ready = true
	p.makeUp(s)
	if len(s.frames) != 1 {
		t.Fatal("it is given none")
	}
	p.taken(s, <-s.frames)
	p.makeUp(s)
	if len(s.frames) != 0 {
		t.Error("it is given the same one again")
	}
}

func TestTrim(t *testing.T) {
	k := kept{most: mostKept, mostBytes: restingBytes}
	for range 5 {
		k.add(&event{values: make([]float32, 3<<20)})
	}
	k.trim()
	if len(k.all) != 2 || k.all[1].seq != 5 {
		t.Errorf("%d events are kept of 12 MB each", len(k.all))
	}
	k.mostBytes = 1
	if k.trim(); len(k.all) != 1 {
		t.Errorf("%d events are kept", len(k.all))
	}
}

// TestWhenEventsWereRecorded: events have come evenly between two statuses, and not in a time in which none was recorded.
func TestWhenEventsWereRecorded(t *testing.T) {
	dir, at := t.TempDir(), time.Unix(1_000_000_000, 0)
	var text strings.Builder
	for _, s := range []struct{ seconds, recorded int64 }{{1, 10}, {2, 20}, {5, 20}, {6, 30}} {
		status := &watch.Status{}
		status.Events.Recorded = s.recorded
		line, err := json.Marshal(&recorded{Time: at.Add(time.Duration(s.seconds) * time.Second), Status: status})
		if err != nil {
			t.Fatal(err)
		}
		text.Write(append(line, '\n'))
	}
	if err := os.WriteFile(filepath.Join(dir, StatusName("test", 5, 0)), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p := openPast([]string{filepath.Join(dir, "test-r0005-s000-c000.xtc2")}, &Journal{})
	for number, want := range map[int64]float64{0: 0, 5: 0.5, 10: 1, 15: 1.5, 19: 1.9, 20: 5, 25: 5.5} {
		if got := time.Duration(p.when(number) - uint64(at.UnixNano())).Seconds(); got < want-1e-6 || got > want+1e-6 {
			t.Errorf("event %d after %g s, want %g", number, got, want)
		}
	}
	if p.when(30) != 0 {
		t.Error("an event that was not recorded has a time")
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
}

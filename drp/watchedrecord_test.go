package drp_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"drp/drp"
	"drp/internal/testkit"
	"drp/monitor"
	"drp/xtc"
)

// recordedTransitions are those of a file, by what they are; the last of each.
func recordedTransitions(t *testing.T, path string) map[xtc.TransitionID]xtc.Dgram {
	t.Helper()
	r, err := xtc.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	all := map[xtc.TransitionID]xtc.Dgram{}
	for {
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		d, err := r.ReadDgram(nil)
		if err != nil {
			t.Fatal(err)
		}
		if !d.Service().IsEvent() {
			all[d.Service()] = bytes.Clone(d)
		}
	}
}

// watchedOf are the transitions that one who watches is shown of a run, by what they are.
func watchedOf(t *testing.T, cfg drp.Config) (seen map[xtc.TransitionID]xtc.Dgram, s drp.Summary) {
	t.Helper()
	r, err := drp.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	c, err := monitor.Dial(t.Context(), cfg.Monitor.Name, monitor.Choice{Newest: true}, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	seen = map[xtc.TransitionID]xtc.Dgram{}
	ended := make(chan error, 1)
	go func() {
		for {
			it, err := c.Next(context.Background())
			if err != nil {
				ended <- err
				return
			}
			if d := it.Dgram; !d.Service().IsEvent() {
				seen[d.Service()] = bytes.Clone(d)
			}
		}
	}()
	if s, err = r.Run(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	return seen, s
}

// hasBooks tells whether a transition brings the books of a run, and of how many events.
func hasBooks(t *testing.T, configure, d xtc.Dgram) (received int64, some bool) {
	t.Helper()
	table := xtc.NewTable()
	if err := table.Configure(configure); err != nil {
		t.Fatal(err)
	}
	for it := table.Blocks(d); it.Next(); {
		if b := it.Block(); b.Names.DetName == "drp" && b.Names.Alg == "books" {
			v, _ := b.FieldNamed("received")
			received, some = v.Int64(), true
		}
	}
	return received, some
}

// TestWhoWatchesSeesTransitionsAsRecorded, EndRun with the books; so with a second script.
func TestWhoWatchesSeesTransitionsAsRecorded(t *testing.T) {
	for name, post := range map[string]*drp.Post{"one script": nil, "two scripts": {Script: bundled("sumimage.py")}} {
		t.Run(name, func(t *testing.T) {
			testkit.RuntimeFolder(t)
			cfg := settings(t, bundled("sumimage.py"))
			if cfg.Post = post; post != nil {
				cfg.Script = bundled("passthrough.py")
			}
			cfg.Events, cfg.OutputDir, cfg.Monitor = 50, t.TempDir(), &drp.Monitor{Name: "test/cam"}
			seen, s := watchedOf(t, cfg)
			file := s.Files[slices.IndexFunc(s.Files, func(f string) bool { return !strings.Contains(f, ".smd.") })]
			recorded := recordedTransitions(t, file)
			for id, want := range recorded {
				if got := seen[id]; !bytes.Equal(got, want) {
					t.Errorf("%v has %d bytes, and %d in the file", id, len(got), len(want))
				}
			}
			if n, some := hasBooks(t, seen[xtc.Configure], seen[xtc.EndRun]); !some || n != 50 || len(recorded) < 5 {
				t.Errorf("the books are there: %t, of %d events; %d kinds of transitions were recorded", some, n, len(recorded))
			}
		})
	}
}

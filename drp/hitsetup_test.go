package drp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"drp/calib"
	"drp/drp"
	"drp/hit"
	"drp/internal/testkit"
	"drp/xtc"
)

// TestHitsThatCannotBeFound: a run that cannot look for hits ends before its first event, and says what to do.
func TestHitsThatCannotBeFound(t *testing.T) {
	none := func(calib.Query) (*calib.Set, error) { return nil, fmt.Errorf("the store has %w", calib.ErrNone) }
	gone := func(calib.Query) (*calib.Set, error) { return nil, errors.New("the store is gone") }
	good := func(q calib.Query) (*calib.Set, error) { return spotSet(q), nil }
	with := func(change func(s *calib.Set)) func(calib.Query) (*calib.Set, error) {
		return func(q calib.Query) (*calib.Set, error) {
			s := spotSet(q)
			change(s)
			s.Seal()
			return s, nil
		}
	}
	two := append([]xtc.Dgram{}, spotRun(4)...)
	other := spots.Names(5)
	other.DetName = "cam2"
	more, err := other.AppendTo(two[0][xtc.DgramHeaderBytes:])
	if err != nil {
		t.Fatal(err)
	}
	two[0] = testkit.Plain(xtc.Configure, 1, more...)
	bare := append([]xtc.Dgram{testkit.Plain(xtc.Configure, 1)}, spotRun(4)[2:4]...)
	for _, tt := range []struct {
		name   string
		search string
		dgrams []xtc.Dgram
		set    func(q calib.Query) (*calib.Set, error)
		want   string
	}{
		{"no constants", "", spotRun(4), none, "hits cannot be found without constants of cam, and there are none: the store has"},
		{"a store that is gone", "", spotRun(4), gone, "the store is gone. Put them into the store"},
		{"another camera's name", "detector=epix", spotRun(4), good, "no camera has the name epix: there are cam"},
		{"several cameras", "", two, good, "there are several cameras, cam, cam2: say which one is searched, as in --hits peakfinder8:detector=cam"},
		{"no camera", "", bare, good, "no detector of the Configure has raw pixels"},
		{"all masked", "", spotRun(4), with(func(s *calib.Set) { clear(s.Mask) }), "cam: hits: no pixel is left"},
		{"a limit without a center", "max_res=10", spotRun(4), good, "cam: hits: min_res and max_res need a geometry"},
		{"a geometry of another detector", "", spotRun(4), with(func(s *calib.Set) { s.Geometry = strings.ReplaceAll(twoPanels, "max_fs = 5", "max_fs = 500") }),
			"the geometry in the constants of cam cannot be used"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			search := strings.TrimSuffix("min_snr=5,"+tt.search, ",")
			cfg := hitSettings(t, bundled("passthrough.py"), search, tt.dgrams)
			cfg.Constants = &fakeConstants{set: tt.set}
			s, err := run(t, cfg)
			if kindOf(err) != drp.Configuration || !strings.Contains(err.Error(), tt.want) || s.Received != 0 {
				t.Errorf("%v, not %s; %d events", err, tt.want, s.Received)
			}
		})
	}
}

// TestHitSettingsAreChecked: before anything is opened.
func TestHitSettingsAreChecked(t *testing.T) {
	cfg := hitSettings(t, bundled("passthrough.py"), "min_snr=5", spotRun(2))
	cfg.Constants = nil
	if _, err := drp.New(context.Background(), cfg); kindOf(err) != drp.Configuration || !strings.Contains(err.Error(), "name a store that has them with --calib") {
		t.Errorf("%v", err)
	}
	cfg = hitSettings(t, bundled("passthrough.py"), "min_snr=-5", spotRun(2))
	if _, err := drp.New(context.Background(), cfg); kindOf(err) != drp.Usage || !strings.Contains(err.Error(), "peakfinder8.min_snr is -5") {
		t.Errorf("%v", err)
	}
	cfg = hitSettings(t, bundled("passthrough.py"), "max_peaks=65536", spotRun(2))
	cfg.Slots = 1024
	if _, err := drp.New(context.Background(), cfg); kindOf(err) != drp.Configuration || !strings.Contains(err.Error(), "lower max_peaks or --slots") {
		t.Errorf("%v", err)
	}
}

// TestHitsWithConstantsOfAStep: from the step on in which constants are chosen, hits are found with them.
func TestHitsWithConstantsOfAStep(t *testing.T) {
	testkit.NoLeaks(t)
	const events = 60
	cfg := hitSettings(t, bundled("passthrough.py"), "min_snr=5", spotRun(events))
	cfg.Workers = 2
	fetched := 0
	from := &fakeConstants{set: func(q calib.Query) (*calib.Set, error) {
		s := spotSet(q)
		if fetched++; fetched > 1 {
			for i := range s.Pedestals {
				s.Pedestals[i] = 50
			}
		}
		s.Seal()
		return s, nil
	}, chosen: map[string]string{}}
	cfg.Constants = choosing{from}
	s, err := run(t, cfg)
	if err != nil || s.Recorded != events || s.Searched != events {
		t.Fatalf("%v, %+v", err, s)
	}
	for i, e := range recordedEvents(t, s.Files[0]) {
		low, high := float32(-10), float32(10)
		if i >= events/2 {
			low, high = 40, 60
		}
		if b := e.hits.Background; b < low || b > high {
			t.Fatalf("event %d has the background %v", i, b)
		}
	}
}

// TestHitsInBooks: the books tell of hits where somebody looks for them, and only there.
func TestHitsInBooks(t *testing.T) {
	s := drp.Summary{Searched: 400, Hits: 30, Passed: 370, Unsearched: 2}
	for text, there := range map[string]bool{"hits                  30 of 400 events searched: 7.50 %; 370 were not shown to the script; 2 could not be searched\n": true} {
		if strings.Contains(s.Text(), text) != there {
			t.Errorf("%s", s.Text())
		}
	}
	if text := (&drp.Summary{Received: 5}).Text(); strings.Contains(text, "hits") {
		t.Errorf("%s", text)
	}
}

// TestHitsAreDescribed: the Configure says what was looked for, and which segment is which of the detector.
func TestHitsAreDescribed(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := hitSettings(t, bundled("passthrough.py"), "min_snr=5.5", spotRun(3))
	s, err := run(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	table := xtc.NewTable()
	configure := testkit.Dgrams(t, s.Files[0])[0]
	if err := table.Configure(configure); err != nil {
		t.Fatal(err)
	}
	for it := table.Blocks(configure); it.Next(); {
		if b := it.Block(); b.Names.Alg == hit.SettingsAlg {
			segments, _ := b.FieldNamed("segments")
			text, _ := b.FieldNamed("config")
			if b.Names.DetName != "cam" || string(segments.Data) != "\x00\x00\x01\x00" || !strings.Contains(string(text.Data), `"min_snr":5.5`) {
				t.Errorf("%s: %q, %s", b.Names.DetName, segments.Data, text.Data)
			}
			return
		}
	}
	t.Error("the Configure does not say it")
}

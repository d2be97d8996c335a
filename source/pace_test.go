package source_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"drp/source"
	"drp/xtc"
)

func TestParseRate(t *testing.T) {
	for _, test := range []struct {
		text string
		want source.Rate
		ok   bool
	}{
		{"full", source.Rate{}, true},
		{"", source.Rate{}, true},
		{"recorded", source.Rate{Recorded: true}, true},
		{"120", source.Rate{PerSecond: 120}, true},
		{"0.5", source.Rate{PerSecond: 0.5}, true},
		{"2.5e4", source.Rate{PerSecond: 25000}, true},
		{"1e9", source.Rate{PerSecond: 1e9}, true},
		{"1e-6", source.Rate{PerSecond: 1e-6}, true},
		{"1e-7", source.Rate{}, false}, // longer than a time.Duration can tell, not much lower
		{"0", source.Rate{}, false},
		{"-5", source.Rate{}, false},
		{"1.1e9", source.Rate{}, false},
		{"inf", source.Rate{}, false},
		{"nan", source.Rate{}, false},
		{"120Hz", source.Rate{}, false},
		{"fast", source.Rate{}, false},
		{"Full", source.Rate{}, false},
		{" 5", source.Rate{}, false},
	} {
		t.Run(test.text, func(t *testing.T) {
			got, err := source.ParseRate(test.text)
			if got != test.want || (err == nil) != test.ok {
				t.Errorf("%+v %v", got, err)
			}
		})
	}
}

func TestFullRateIsTheSourceItself(t *testing.T) {
	s := openSource(t, source.Options{}, tiny+"events=1")
	if source.Paced(s, source.Rate{}) != s {
		t.Error("a source at full rate is wrapped")
	}
}

// TestPacedKeepsTheOrder delivers the same datagrams, and not before they are due.
func TestPacedKeepsTheOrder(t *testing.T) {
	const name = tiny + "events=20,slow=6,hz=2000"
	want := drainSim(t, 2, name)
	for _, test := range []struct {
		name  string
		rate  source.Rate
		least time.Duration // 19 distances between 20 events, less what is not worth a sleep
	}{
		{"a chosen rate", source.Rate{PerSecond: 1000}, 18 * time.Millisecond},
		{"the recorded one", source.Rate{Recorded: true}, 8 * time.Millisecond},
		{"faster than anything", source.Rate{PerSecond: 1e9}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			start := time.Now()
			all := drain(t, source.Paced(openSource(t, source.Options{}, name), test.rate), 2)
			if !equal(all, want) {
				t.Error("the datagrams differ")
			}
			if took := time.Since(start); took < test.least {
				t.Errorf("it took %v, want %v at least", took, test.least)
			}
		})
	}
}

// TestPacedJump has a gap of an hour in the recorded times, and times that run backwards: nobody waits for that.
func TestPacedJump(t *testing.T) {
	f := fakeStream{node: 1, run: 14}
	all := join(f.begin(), f.events(10, 20, 3600e9, 30, 40), f.end(4000e9))
	path := writeFile(t, filepath.Join(t.TempDir(), "run.xtc2"), all)
	s := source.Paced(openSource(t, source.Options{}, path), source.Rate{Recorded: true})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := openPool(t, s, 1)
	for range all {
		h, err := s.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := take(p, s, h); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPacedIsInterrupted waits for an event that is not due for days. The event is not lost.
func TestPacedIsInterrupted(t *testing.T) {
	s := source.Paced(openSource(t, source.Options{}, tiny+"events=3,slow=0"), source.Rate{PerSecond: 1e-6})
	p := openPool(t, s, 1)
	all, err := read(p, s, 5)
	if err != nil || services(all) != "CRSE." {
		t.Fatal(services(all), err)
	}
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		if _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if err := s.Skip(); err != nil { // what it waited for
		t.Error(err)
	}
	again, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Next(again); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestPacedTransitions are delivered at once: only events are paced.
func TestPacedTransitions(t *testing.T) {
	s := source.Paced(openSource(t, source.Options{}, tiny+"events=1,steps=50,slow=0,configs=3"), source.Rate{PerSecond: 1000})
	all := drain(t, s, 1)
	if got := len(ofService(all, xtc.L1Accept)); got != 150 {
		t.Errorf("%d events", got)
	}
}

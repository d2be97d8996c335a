package drp_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/drp"
	"drp/internal/testkit"
	"drp/teb"
	"drp/xtc"
)

// timing is the detector that knows the pulse IDs.
var timing = &xtc.Names{ID: xtc.NewNamesID(1, 9), DetType: "ts", DetName: "timing", DetID: "t", Alg: "raw", Entries: []xtc.Name{{Name: "pulseId", Type: xtc.UInt64}}}

// paused is a run of six events, with a pause after the third. It ends without EndRun. With a timing detector the pulse IDs
// leave no room for the transitions of the pause.
func paused(t *testing.T, timed bool) (all []xtc.Dgram) {
	t.Helper()
	var c testkit.Camera
	configure := c.Configure(1)
	if timed {
		payload, err := timing.AppendTo(slices.Clone(configure[xtc.DgramHeaderBytes:]))
		if err != nil {
			t.Fatal(err)
		}
		configure = testkit.Plain(xtc.Configure, 1, payload...)
	}
	all = []xtc.Dgram{configure, c.BeginRun(2, 5), testkit.Plain(xtc.BeginStep, 3), testkit.Plain(xtc.Enable, 4)}
	for i := range 6 {
		at := uint64(100 + 10*i)
		if i == 3 {
			for k, s := range []xtc.TransitionID{xtc.SlowUpdate, xtc.Disable, xtc.EndStep, xtc.BeginStep, xtc.Enable} {
				all = append(all, testkit.Plain(s, at-9+uint64(k)))
			}
		}
		e := c.Event(at, i)
		if timed {
			var b xtc.Builder
			b.Begin(slices.Clone(e[xtc.DgramHeaderBytes:]), timing)
			b.Uint(uint64(1000 + i))
			payload, err := b.End()
			if err != nil {
				t.Fatal(err)
			}
			e = testkit.Plain(xtc.L1Accept, at, payload...)
		}
		all = append(all, e)
	}
	return append(all, testkit.Plain(xtc.Disable, 1000))
}

// TestTransitionsAreBuilt in their places among the events, and recorded there.
func TestTransitionsAreBuilt(t *testing.T) {
	for _, test := range []struct {
		name, want string
		timed      bool
	}{
		{"by time", "BeginRun 2, BeginStep 3, Enable 4, L1Accept 100, L1Accept 110, L1Accept 120, SlowUpdate 121, Disable 122, EndStep 123, " +
			"BeginStep 124, Enable 125, L1Accept 130, L1Accept 140, L1Accept 150, Disable 1000", false},
		{"by pulse ID", "BeginRun 0, BeginStep 0, Enable 0, L1Accept 1000, L1Accept 1001, L1Accept 1002, SlowUpdate 1002, Disable 1002, EndStep 1002, " +
			"BeginStep 1002, Enable 1002, L1Accept 1003, L1Accept 1004, L1Accept 1005, Disable 1005", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			cfg := settings(t, bundled("passthrough.py"))
			cfg.Workers, cfg.Sources, cfg.OutputDir = 1, []string{testkit.File(t, paused(t, test.timed)...)}, t.TempDir()
			var seen []string
			cfg.Trigger = &drp.Trigger{Deadline: time.Minute, Logic: func() teb.Logic {
				return &teb.Func{Do: func(b *teb.Batch) {
					for i := range b.Len() {
						h := b.Head(i)
						seen = append(seen, fmt.Sprint(h.Service, " ", h.Pulse))
						b.Verdicts[i].Persist = h.Service == xtc.L1Accept
					}
				}}
			}}
			s, err := run(t, cfg)
			if err != nil || s.Recorded != 6 || s.Defaulted != 0 {
				t.Fatalf("%v, %+v", err, s)
			}
			if got := strings.Join(seen, ", "); got != test.want {
				t.Errorf("built:\n%s\nwant:\n%s", got, test.want)
			}
			var files []string
			for _, d := range testkit.Dgrams(t, s.Files[0])[1:] {
				files = append(files, d.Service().String())
			}
			want := strings.Split(test.want, ", ")
			for i := range want {
				want[i], _, _ = strings.Cut(want[i], " ")
			}
			if !slices.Equal(files, want) {
				t.Errorf("recorded: %v", files)
			}
		})
	}
}

package drp_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"drp/calib"
	"drp/calib/correct"
	"drp/drp"
	"drp/hit"
	"drp/internal/testkit"
	"drp/xtc"
)

// TestHitsWhilePlansChange: settings of the search that change in the middle of a run hold from one event on, whichever worker has
// which; each event has the peaks that the package hit finds with the values that are recorded with it, to the last bit.
func TestHitsWhilePlansChange(t *testing.T) {
	dgrams := spotSteps(4000, secondStep) // far more than are needed until it is let go
	for _, statistics := range []string{"full", "carried,refresh=7"} {
		for _, workers := range []int{1, 2, 4} {
			t.Run(fmt.Sprintf("%s, %d workers", statistics, workers), func(t *testing.T) {
				testkit.NoLeaks(t)
				cfg := hitSettings(t, bundled("passthrough.py"), "statistics="+statistics, dgrams)
				cfg.Workers, cfg.Rate.PerSecond = workers, 400
				r, err := drp.New(context.Background(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				ctx, enough := context.WithCancel(t.Context())
				defer enough()
				over := make(chan drp.Summary)
				go func() {
					s, err := r.Run(ctx)
					if f := (*drp.Failure)(nil); !errors.As(err, &f) || f.Kind != drp.Interrupted {
						t.Errorf("%v", err)
					}
					over <- s
				}()
				changes := changeHits(t, r)
				enough()
				s := <-over
				if t.Failed() || s.Recorded <= secondStep || s.Searched != s.Recorded || s.Received != s.Recorded || s.Damaged != 0 {
					t.Fatalf("%+v", s)
				}
				if seen := compareChanged(t, s.Files[0], cfg.Hits.Config); seen != changes+1 {
					t.Errorf("events are of %d generations; %d changes were made", seen, changes)
				}
			})
		}
	}
}

// secondStep is the first event of a step in the middle of the changes.
const secondStep = 300

// changeHits changes settings of the search now and then, and tells how often.
func changeHits(t *testing.T, r *drp.Run) (changes int) {
	all := []map[string]any{{"hits.adc_threshold": 150.0}, {"hits.min_snr": 3.5, "hits.at_least": 1}, {"hits.min_pix_count": 1},
		{"hits.adc_threshold": 20.0, "hits.min_snr": 6.0}, {"hits.max_pix_count": 4}, {"hits.adc_threshold": 60.0, "hits.at_least": 5}}
	more := func() bool {
		next := r.Snapshot().Received + 100
		return testkit.Within(testkit.Patience, func() bool { return r.Snapshot().Recorded >= next })
	}
	for _, values := range all {
		if !more() {
			break
		}
		if _, err := r.Set(values, "test"); err != nil {
			t.Error(err)
		}
		changes++
	}
	if !more() {
		t.Error("no more events come")
	}
	return changes
}

// compareChanged holds the hits of a file against what the package hit finds with the values that are recorded with each event, and
// tells how many generations of them there are.
func compareChanged(t *testing.T, path string, c hit.Config) (generations int) {
	t.Helper()
	tables, err := correct.NewTables(spotSet(calib.Query{Serials: []string{"a", "b"}}), nil)
	if err != nil {
		t.Fatal(err)
	}
	of := rowOfEvents{generation: -1}
	got, said := recordedEvents(t, path), recordedHitSettings(t, path)
	for i := range got {
		generation := said[i]["generation"]
		if generation < of.generation {
			t.Fatalf("event %d is of generation %v, and one before it of %v", i, generation, of.generation)
		}
		if generation != of.generation {
			generations++
			for _, p := range c.Live() {
				if v, some := said[i][p.Short()]; some {
					setNumber(&p, v)
				}
			}
			if of.plan, err = hit.NewPlan(c, hit.Camera{Tables: tables, Unit: calib.KeV, Numbers: []int{0, 1}}); err != nil {
				t.Fatal(err)
			}
			of.generation, of.length, of.finder = generation, 0, of.plan.NewFinder()
		}
		if want := of.search(i, c); !same(got[i].hits, &want) {
			t.Fatalf("event %d, of generation %v: %+v is recorded, and %+v was found", i, generation, *got[i].hits, want)
		}
	}
	return generations
}

func setNumber(p *hit.Parameter, v float64) {
	if _, whole := p.Number().(int64); whole {
		p.SetNumber(int64(v))
		return
	}
	p.SetNumber(v)
}

// rowOfEvents searches events as a run does, in rows of events that share thresholds where they are carried over: such a row ends
// with the step, with a change, and when it is long enough.
type rowOfEvents struct {
	generation float64
	plan       *hit.Plan
	finder     hit.Finder
	carry      *hit.Carry
	began      uint64
	length     int
}

func (o *rowOfEvents) search(number int, c hit.Config) hit.Record {
	f := hit.Frame{Raw: spotFrames(number)}
	if c.Peakfinder8.Statistics == hit.Carried {
		if o.length == c.Peakfinder8.Refresh || number == secondStep {
			o.length = 0
		}
		if o.length == 0 {
			o.carry, o.began = o.plan.NewCarry(&f), uint64(100+10*number)
		}
		o.length++
		f.Carried = o.carry
	}
	var r hit.Result
	o.finder.Find(&f, &r)
	return hit.Record{Summary: r.Summary, Thresholds: o.began, Peaks: slices.Clone(r.Peaks), Regions: slices.Clone(r.Regions)}
}

// recordedHitSettings are those of each event, by name; none before the first change.
func recordedHitSettings(t *testing.T, path string) (all []map[string]float64) {
	t.Helper()
	testkit.Events(t, path, func(table *xtc.Table, d xtc.Dgram) {
		values := map[string]float64{}
		for it := table.Blocks(d); it.Next(); {
			if b := it.Block(); b.Names.DetName == "settings" && b.Names.Alg == "hits" {
				for i, e := range b.Names.Entries {
					if e.Type == xtc.Double {
						values[e.Name] = b.Field(i).Float64()
					} else {
						values[e.Name] = float64(b.Field(i).Int64())
					}
				}
			}
		}
		all = append(all, values)
	})
	return all
}

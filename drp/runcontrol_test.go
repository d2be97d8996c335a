package drp

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"drp/xtc"
)

// follower is a script's view: it knows only which transition may come when.
type follower struct{ at level }

func (f *follower) see(id xtc.TransitionID) error {
	next := map[level]map[xtc.TransitionID]level{
		unconfigured: {xtc.Configure: configured},
		configured:   {xtc.BeginRun: running, xtc.Unconfigure: unconfigured, xtc.SlowUpdate: configured},
		running:      {xtc.BeginStep: inStep, xtc.EndRun: configured, xtc.SlowUpdate: running},
		inStep:       {xtc.Enable: enabled, xtc.EndStep: running, xtc.SlowUpdate: inStep},
		enabled: {xtc.L1Accept: enabled, xtc.L1AcceptEndOfBatch: enabled, xtc.Disable: inStep,
			xtc.SlowUpdate: enabled},
	}
	to, ok := next[f.at][id]
	if !ok {
		return fmt.Errorf("%v while %v", id, f.at)
	}
	f.at = to
	return nil
}

// follow lets a script see what a verdict delivers.
func (f *follower) follow(v verdict, id xtc.TransitionID) error {
	for _, implied := range v.implied[:v.count] {
		if err := f.see(implied); err != nil {
			return fmt.Errorf("implied: %w", err)
		}
	}
	if !v.deliver {
		return nil
	}
	return f.see(id)
}

var allLevels = []level{unconfigured, configured, running, inStep, enabled}

// TestRunControl goes over every (state, transition) pair, those with ids that do not exist included.
func TestRunControl(t *testing.T) {
	for _, at := range allLevels {
		for id := range xtc.TransitionID(16) {
			t.Run(fmt.Sprintf("%v/%v", at, id), func(t *testing.T) {
				r := runControl{at: at}
				v, err := r.take(id)
				if err != nil {
					if at != unconfigured || id == xtc.Configure || v.count > 0 || v.deliver || r.at != unconfigured {
						t.Errorf("error %v, %+v, then %v", err, v, r.at)
					}
					return
				}
				script := follower{at}
				if err := script.follow(v, id); err != nil {
					t.Fatalf("the script sees %v", err)
				}
				if script.at != r.at {
					t.Errorf("the script is %v, the run control %v", script.at, r.at)
				}
				if !v.deliver && (r.at != at || v.count > 0) {
					t.Errorf("what is not delivered moved from %v to %v", at, r.at)
				}
				if regular := v.count == 0 && v.deliver; (v.oddity == "") != regular {
					t.Errorf("%+v", v)
				}
				checkUndo(t, at, id)
			})
		}
	}
}

// checkUndo: what could not be had is taken back, but what was implied before it was shown.
func checkUndo(t *testing.T, at level, id xtc.TransitionID) {
	t.Helper()
	r, script := runControl{at: at}, follower{at}
	v, err := r.take(id)
	if err != nil {
		t.Fatal(err)
	}
	v.deliver = false
	if err := script.follow(v, id); err != nil {
		t.Fatal(err)
	}
	if r.undo(v); r.at != script.at {
		t.Errorf("after undo: the script is %v, the run control %v", script.at, r.at)
	}
}

func TestRunControlKnownOddities(t *testing.T) {
	tests := []struct {
		name    string
		at      level
		id      xtc.TransitionID
		implied []xtc.TransitionID
		deliver bool
		then    level
	}{
		{"a file without steps", configured, xtc.L1Accept, []xtc.TransitionID{xtc.BeginRun, xtc.BeginStep, xtc.Enable}, true, enabled},
		{"BeginStep again", inStep, xtc.BeginStep, []xtc.TransitionID{xtc.EndStep}, true, inStep},
		{"BeginStep while enabled", enabled, xtc.BeginStep, []xtc.TransitionID{xtc.Disable, xtc.EndStep}, true, inStep},
		{"configured again in a run", enabled, xtc.Configure,
			[]xtc.TransitionID{xtc.Disable, xtc.EndStep, xtc.EndRun, xtc.Unconfigure}, true, configured},
		{"EndRun that ends nothing", configured, xtc.EndRun, nil, false, configured},
		{"EndRun while enabled", enabled, xtc.EndRun, []xtc.TransitionID{xtc.Disable, xtc.EndStep}, true, configured},
		{"Reset", enabled, xtc.Reset, nil, false, enabled},
		{"SlowUpdate between runs", configured, xtc.SlowUpdate, nil, true, configured},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := runControl{at: tt.at}
			v, err := r.take(tt.id)
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(v.implied[:v.count]) != fmt.Sprint(tt.implied) || v.deliver != tt.deliver || r.at != tt.then {
				t.Errorf("implied %v, delivered %v, then %v", v.implied[:v.count], v.deliver, r.at)
			}
		})
	}
}

func TestClosing(t *testing.T) {
	for _, at := range allLevels {
		r, script := runControl{at: at}, follower{at}
		for _, id := range r.closing() {
			if err := script.see(id); err != nil {
				t.Error(err)
			}
		}
		if script.at != unconfigured || r.at != unconfigured {
			t.Errorf("closing from %v leads to %v, the script to %v", at, r.at, script.at)
		}
	}
}

// TestRunControlAtRandom: no order of datagrams makes a script see nonsense.
func TestRunControlAtRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var r runControl
		var script follower
		for range 100 {
			id := xtc.TransitionID(rng.IntN(16))
			v, err := r.take(id)
			if err != nil {
				continue
			}
			if rng.IntN(10) == 0 {
				v.deliver = false
				if err := script.follow(v, id); err != nil {
					t.Fatal(err)
				}
				r.undo(v)
			} else if err := script.follow(v, id); err != nil {
				t.Fatal(err)
			}
			if script.at != r.at {
				t.Fatalf("the script is %v, the run control %v", script.at, r.at)
			}
		}
	}
}

package fex

import (
	"slices"
	"testing"
)

func TestStateKeepsWhatAReplacementMustSee(t *testing.T) {
	const (
		configure, unconfigure, beginRun, endRun = 2, 3, 4, 5
		beginStep, endStep, enable, disable      = 6, 7, 8, 9
		slowUpdate                               = 10
	)
	tests := []struct {
		name  string
		given []uint8
		want  []uint8
	}{
		{"nothing", nil, nil},
		{"a run", []uint8{configure, beginRun, beginStep, enable}, []uint8{configure, beginRun, beginStep, enable}},
		{"between steps", []uint8{configure, beginRun, beginStep, enable, disable, endStep}, []uint8{configure, beginRun}},
		{"second step", []uint8{configure, beginRun, beginStep, enable, disable, endStep, beginStep},
			[]uint8{configure, beginRun, beginStep}},
		{"after the run", []uint8{configure, beginRun, slowUpdate, endRun}, []uint8{configure}},
		{"unconfigured", []uint8{configure, beginRun, slowUpdate, endRun, unconfigure}, nil},
		{"configured again", []uint8{configure, beginRun, beginStep, configure}, []uint8{configure}},
		{"the latest slow update", []uint8{configure, beginRun, slowUpdate, enable, slowUpdate},
			[]uint8{configure, beginRun, enable, slowUpdate}},
		{"a repeated step", []uint8{configure, beginRun, beginStep, beginStep}, []uint8{configure, beginRun, beginStep}},
		{"a reset", []uint8{configure, 1, beginRun}, []uint8{configure, beginRun}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s state
			for i, id := range tt.given {
				s.apply(id, uint64(i), []byte{id, byte(i)})
			}
			var got []uint8
			for _, k := range s.kept {
				got = append(got, k.id)
				if k.dgram[0] != k.id || uint64(k.dgram[1]) != k.time {
					t.Errorf("transition %d is kept with the datagram %v of another, time %d", k.id, k.dgram, k.time)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("kept %v, want %v", got, tt.want)
			}
		})
	}
}

// TestStateOwnsItsDatagrams: the slot a transition came in is somebody else's afterwards.
func TestStateOwnsItsDatagrams(t *testing.T) {
	var s state
	slot := []byte{2, 0}
	s.apply(2, 1, slot)
	slot[0] = 99
	if s.kept[0].dgram[0] != 2 {
		t.Error("the kept datagram changes with the slot")
	}
}

// TestStateAfterFailure: a replacement is not shown what a transition should have ended at which the script failed, and
// not what it should have begun.
func TestStateAfterFailure(t *testing.T) {
	tests := []struct {
		name   string
		failed uint8
		want   []uint8
	}{
		{"EndRun", 5, []uint8{2, 6, 8}}, // as it would without the failure: what was open in the run is closed by its own
		{"Unconfigure", 3, nil},
		{"Disable", 9, []uint8{2, 4, 6, 10}},
		{"BeginStep", 6, []uint8{2, 4, 8, 10}},
		{"SlowUpdate", 10, []uint8{2, 4, 6, 8, 10}}, // the one before
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s state
			for i, id := range []uint8{2, 4, 6, 8, 10} {
				s.apply(id, uint64(i), nil)
			}
			s.failed(tt.failed, 9, []byte{tt.failed}, []byte("text"))
			var got []uint8
			for _, k := range s.kept {
				if k.hides([]byte("another text")) {
					t.Errorf("%d is not shown to children of another text", k.id)
				}
				if !k.hides([]byte("text")) {
					got = append(got, k.id)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("kept %v, want %v", got, tt.want)
			}
		})
	}
}

// TestWorkerForgetsWhatAFailedTransitionEnds, as the worker's own bookkeeping sees it.
func TestWorkerForgetsWhatAFailedTransitionEnds(t *testing.T) {
	b := newBench(t)
	for _, id := range []uint8{2, 4, 5} {
		b.transition(id, "text")
		r := b.w.queue.at(0).record
		r.bytes = 0
		if id == 5 {
			r.status = uint8(Failed)
		}
		b.take(r.append(nil))
	}
	if kept := b.w.state.kept; len(kept) != 1 || kept[0].id != 2 {
		t.Errorf("after an EndRun that failed %d transitions are kept", len(kept))
	}
}

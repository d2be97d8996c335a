package drp

import (
	"testing"
	"time"

	"drp/fex"
	"drp/internal/world"
	"drp/teb"
	"drp/watch"
)

// pass lets one event through all stages.
func (t *timing) pass(tag uint64, answers []fex.Answer, decisions []teb.Decision) {
	t.filling(tag)
	t.filled(tag)
	t.preparing(tag)
	t.prepared(tag)
	answers[0].Tag = tag
	t.answered(0, answers)
	t.ask(tag)
	t.decided(tag, decisions)
	t.collected(tag)
	t.written()
}

func begun(ring int) *timing {
	t := &timing{}
	t.on.Store(&timed{world: world.Real(), stamps: make([]stamp, ring), asked: make([]time.Duration, ring),
		taken: make([]stamp, 0, batchEvents), script: make([]watch.Histogram, 1)})
	return t
}

// TestTimingChoosesOneInSixtyFour of each worker, in whatever order they take turns.
func TestTimingChoosesOneInSixtyFour(t *testing.T) {
	for workers := range uint64(66) {
		workers++
		const each = 64000
		for w := range workers {
			n := 0
			for tag := w; tag < workers*each; tag += workers {
				if chosen(tag) {
					n++
				}
			}
			if n < each/64*3/4 || n > each/64*5/4 {
				t.Errorf("of %d events of worker %d of %d, %d are timed", each, w, workers, n)
			}
		}
	}
}

// TestTimingKeepsEventsApart: what was timed in the same place a lap before is no part of the next.
func TestTimingKeepsEventsApart(t *testing.T) {
	const ring = 8
	k := begun(ring)
	answers, decisions := make([]fex.Answer, 1), make([]teb.Decision, 1)
	var first uint64
	for first = 0; !chosen(first); first++ {
	}
	k.pass(first, answers, decisions)
	other := first + ring
	for !chosen(other) {
		other += ring
	}
	k.preparing(other) // it was never filled while somebody looked
	answers[0].Tag = other
	k.answered(0, answers)
	k.collected(other)
	k.written()
	now := k.on.Load()
	if n := now.total.Latency().Count; n != 1 || now.queue.Latency().Count != 1 || now.script[0].Latency().Count != 1 {
		t.Errorf("%d events were timed", n)
	}
}

func TestTimingAllocatesNothing(t *testing.T) {
	answers, decisions := make([]fex.Answer, 1), make([]teb.Decision, 1)
	for name, k := range map[string]*timing{"off": {}, "on": begun(64)} {
		tag := uint64(0)
		if n := testing.AllocsPerRun(1000, func() { tag++; k.pass(tag, answers, decisions) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// BenchmarkTiming is what timing costs an event, when nobody looks and when somebody does.
func BenchmarkTiming(b *testing.B) {
	answers, decisions := make([]fex.Answer, 1), make([]teb.Decision, 1)
	for _, bench := range []struct {
		name   string
		timing *timing
	}{{"off", &timing{}}, {"on", begun(64)}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			tag := uint64(0)
			for b.Loop() {
				tag++
				bench.timing.pass(tag, answers, decisions)
			}
		})
	}
}

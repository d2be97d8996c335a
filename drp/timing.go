package drp

import (
	"sync/atomic"
	"time"

	"drp/fex"
	"drp/internal/world"
	"drp/teb"
	"drp/watch"
)

// timing finds out how long events spend in each stage, of one event in 64: the clock is read for these only. Which they
// are goes by their place in the window, scattered so that no worker is preferred. It begins when somebody looks at the run
// for the first time; until then each method only finds that there is nothing to do, and nothing has been allocated.
//
// A stamp belongs to whoever has the event at the moment: the dispatcher, then a worker, then the collector.
type timing struct {
	on atomic.Pointer[timed]
}

// timed is a timing that has begun.
type timed struct {
	world  world.World
	stamps []stamp         // by place in the window
	asked  []time.Duration // by place among the answers of the trigger
	began  time.Duration   // when the dispatcher began to fill a slot
	taken  []stamp         // of the events that the collector has in its batch

	fill, queue, prepare, order, post, record, total, decide watch.Histogram
	script                                                   []watch.Histogram // by worker
}

// stamp is when an event reached a stage.
type stamp struct {
	event                                       uint64 // its tag + 1; otherwise it is of another one
	began, queued, handed, answered, toRecorder time.Duration
}

// begin begins, once.
func (t *timing) begin(r *Run) {
	if t.on.Load() != nil {
		return
	}
	n := len(r.window.ring)
	t.on.CompareAndSwap(nil, &timed{world: r.world, stamps: make([]stamp, n), asked: make([]time.Duration, min(n, mostUndecided)),
		taken: make([]stamp, 0, batchEvents), script: make([]watch.Histogram, len(r.group.Workers))})
}

// chosen tells whether the datagram with a tag is timed.
func chosen(tag uint64) bool { return tag*0x9e3779b97f4a7c15>>58 == 0 }

// of gives the timing of a datagram, if there is one. It is small enough to stand where it is called.
func (t *timing) of(tag uint64) *timed {
	if k := t.on.Load(); k != nil && chosen(tag) {
		return k
	}
	return nil
}

// stamp is that of an event, if it is of no other one: then nobody looked yet when it came.
func (k *timed) stamp(tag uint64) *stamp {
	if s := &k.stamps[tag%uint64(len(k.stamps))]; s.event == tag+1 {
		return s
	}
	return nil
}

// filling says that the slot of the next event is filled now.
func (t *timing) filling(tag uint64) {
	if k := t.of(tag); k != nil {
		k.began = k.world.Now()
	}
}

// filled says that an event is ready for its worker.
func (t *timing) filled(tag uint64) {
	if k := t.of(tag); k != nil {
		k.filled(tag)
	}
}

func (k *timed) filled(tag uint64) {
	if k.began == 0 {
		return
	}
	now := k.world.Now()
	k.fill.Add(now - k.began)
	k.stamps[tag%uint64(len(k.stamps))] = stamp{event: tag + 1, began: k.began, queued: now, handed: now}
	k.began = 0
}

// preparing says that the worker begins with an event, before the script's turn.
func (t *timing) preparing(tag uint64) {
	if k := t.of(tag); k != nil {
		k.preparing(tag)
	}
}

func (k *timed) preparing(tag uint64) {
	if s := k.stamp(tag); s != nil {
		s.handed = k.world.Now()
		k.queue.Add(s.handed - s.queued)
	}
}

// prepared says that an event is handed to the script, or is answered without it.
func (t *timing) prepared(tag uint64) {
	if k := t.of(tag); k != nil {
		k.prepared(tag)
	}
}

func (k *timed) prepared(tag uint64) {
	if s := k.stamp(tag); s != nil {
		now := k.world.Now()
		k.prepare.Add(now - s.handed)
		s.handed, s.answered = now, now
	}
}

// answered takes the answers of a worker.
func (t *timing) answered(worker int, answers []fex.Answer) {
	if k := t.on.Load(); k != nil {
		k.answered(worker, answers)
	}
}

func (k *timed) answered(worker int, answers []fex.Answer) {
	for i := range answers {
		if !chosen(answers[i].Tag) {
			continue
		}
		if s := k.stamp(answers[i].Tag); s != nil {
			s.answered = k.world.Now()
			k.script[worker].Add(s.answered - s.handed)
		}
	}
}

// collected says that it is an event's turn to be recorded.
func (t *timing) collected(tag uint64) {
	if k := t.of(tag); k != nil {
		k.collected(tag)
	}
}

func (k *timed) collected(tag uint64) {
	if s := k.stamp(tag); s != nil {
		s.toRecorder = k.world.Now()
		k.order.Add(s.toRecorder - s.answered)
		k.taken = append(k.taken, *s)
	}
}

// held takes the event that was collected last out of the batch: it waits for the second script.
func (t *timing) held(tag uint64) (s stamp) {
	if k := t.of(tag); k != nil && len(k.taken) > 0 && k.taken[len(k.taken)-1].event == tag+1 {
		last := len(k.taken) - 1
		s, k.taken = k.taken[last], k.taken[:last]
	}
	return s
}

// posted says that such an event goes on to the recorder.
func (t *timing) posted(s stamp) {
	if k := t.on.Load(); k != nil && s.event != 0 {
		now := k.world.Now()
		k.post.Add(now - s.toRecorder)
		s.toRecorder = now
		k.taken = append(k.taken, s)
	}
}

// written says that all that was collected is recorded.
func (t *timing) written() {
	if k := t.on.Load(); k != nil && len(k.taken) > 0 {
		k.written()
	}
}

func (k *timed) written() {
	now := k.world.Now()
	for i := range k.taken {
		s := &k.taken[i]
		k.record.Add(now - s.toRecorder)
		k.total.Add(now - s.began)
	}
	k.taken = k.taken[:0]
}

// ask says that the trigger is asked, for the nth time.
func (t *timing) ask(n uint64) {
	if k := t.of(n); k != nil {
		k.asked[n%uint64(len(k.asked))] = k.world.Now()
	}
}

// decided says that answers came, from the nth on.
func (t *timing) decided(n uint64, answers []teb.Decision) {
	if k := t.on.Load(); k != nil {
		k.decided(n, answers)
	}
}

func (k *timed) decided(n uint64, answers []teb.Decision) {
	for i := range answers {
		if at := &k.asked[(n+uint64(i))%uint64(len(k.asked))]; chosen(n+uint64(i)) && *at > 0 {
			k.decide.Add(k.world.Now() - *at)
			*at = 0
		}
	}
}

// stages gives what is known.
func (k *timed) stages() []watch.Stage {
	script := make([]watch.Latency, len(k.script))
	for i := range k.script {
		script[i] = k.script[i].Latency()
	}
	return []watch.Stage{{Name: "fill", Latency: k.fill.Latency()}, {Name: "queue", Latency: k.queue.Latency()},
		{Name: "prepare", Latency: k.prepare.Latency()}, {Name: "script", Latency: watch.Sum(script)},
		{Name: "order", Latency: k.order.Latency()}, {Name: "post", Latency: k.post.Latency()}, {Name: "record", Latency: k.record.Latency()},
		{Name: "total", Latency: k.total.Latency()}}
}

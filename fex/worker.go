package fex

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"drp/internal/world"
	"drp/pebble"
)

// When a child has busyRequests in hand it is busy, and further records are held back until there are enough for one
// write (a part of the ring: each read costs the child as much as several events), or until it answers: so records are
// held only while an answer is due, and none is ever stuck.
const (
	busyRequests = 32
	heldPart     = 4
)

// Worker feeds one Python child from one ring and takes its answers, through any number of deaths of the child.
type Worker struct {
	id          int
	cfg         *Config
	world       world.World
	log         *slog.Logger
	group       *Group
	place       *place
	transitions *pebble.Ring
	results     *pebble.Results
	progress    atomic.Int64 // when the last sign of life came, in the time of the world
	load        atomic.Int32 // requests without an answer
	retired     atomic.Bool  // it has no child any more, and gets none

	mu       sync.Mutex // protects all below; the group's may be taken while it is held, see there
	child    Process    // nil while it is being replaced
	starting Process    // the one that shall replace it, until it is in its place
	queue    queue
	held     []byte // records of the queue that are not written yet
	solo     bool   // one request at a time: a child died, and one of these may have killed it
	closed   bool
	ending   ending
	warned   bool  // the stack of a silent child was asked for
	killed   error // why we ended the child, if we did
	recycle  bool  // the child shall be replaced as soon as it has nothing in hand
	wear     wear  // of the present child
	edition  int   // of the script that it runs from the next Configure on
	state    state // what a replacement must be told
	unrest   unrest
	wake     world.Flag // wakes a worker that waits for something else than its child
	noted    world.Flag // it became known how a child died
	stopped  world.Flag // set when run returns

	dismissed bool // the child was ended for what it lacks, and what it has in hand goes to the next one

	// For reports, over all children.
	events   int64         // answered
	deaths   int64         // of children
	replaced int64         // as planned
	busy     time.Duration // up to since
	since    time.Duration // when the queue was last looked at
}

// Load is the number of requests without an answer.
func (w *Worker) Load() int { return int(w.load.Load()) }

// Retired tells that the worker has no child any more and gets none.
func (w *Worker) Retired() bool { return w.retired.Load() }

// Event asks for the child's answer to a sealed slot of this worker's ring. It never blocks. What is in the slot, and
// what layout and time say of it, is between the caller and the child.
func (w *Worker) Event(ix pebble.Index, bytes int, layout uint32, time, tag uint64) {
	w.Work(&Work{Index: ix, Bytes: bytes, Layout: layout, Time: time, Tag: tag})
}

// Work is Event for one that something was prepared for.
func (w *Worker) Work(e *Work) {
	w.push(request{tag: e.Tag, record: record{kind: kindEvent, status: min(e.Parts, maxParts) << partsShift,
		count: e.Prepared, slot: e.Index.Slot, generation: e.Index.Generation, bytes: uint32(e.Bytes),
		layout: e.Layout | uint32(e.Settings)<<settingsShift, transition: l1Accept, time: e.Time}})
}

// l1Accept is the transition id of events; the package knows no others by number but this and those in state.go.
const l1Accept = 12

// Transition hands on a sealed slot of the transition ring. The worker must have answered the one before.
func (w *Worker) Transition(ix pebble.Index, bytes int, id uint8, implied bool, time, tag uint64) {
	w.Hand(&Work{Index: ix, Bytes: bytes, Time: time, Tag: tag}, id, implied)
}

// Hand is Transition for one that settings come with.
func (w *Worker) Hand(t *Work, id uint8, implied bool) {
	r := request{tag: t.Tag, record: record{kind: kindTransition, slot: t.Index.Slot, generation: t.Index.Generation,
		bytes: uint32(t.Bytes), layout: uint32(t.Settings) << settingsShift, transition: uint32(id), time: t.Time}}
	if implied {
		r.status |= flagImplied
	}
	w.push(r)
}

func (w *Worker) push(r request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.load.Add(1)
	if w.queue.len() == 0 {
		w.since = w.world.Now()
		w.progress.Store(int64(w.since))
	}
	w.queue.push(r)
	switch {
	case w.child == nil:
		w.wake.Set()
	case w.recycle:
	case w.solo:
		w.writeNextSolo()
	default:
		w.held = r.record.append(w.held)
		if w.queue.written < busyRequests || len(w.held) >= len(w.queue.ring)/heldPart*recordBytes {
			w.flush()
		}
	}
}

// flush writes the records held back, as far as the child shall have them. A child that takes none, though it may live
// on, is ended; the reader sees that. After Close nothing is written, though answers still come in.
func (w *Worker) flush() {
	if len(w.held) == 0 || w.child == nil || w.ending.refuses && w.queue.written > 0 {
		return
	}
	n := min(len(w.held)/recordBytes, w.room())
	if w.child.Write(w.held[:n*recordBytes]) != nil {
		w.child.Kill() // it never had them in hand
		return
	}
	w.queue.written += n
	w.held = w.held[:copy(w.held, w.held[n*recordBytes:])]
	w.recycle = w.recycle || len(w.held) > 0
}

func (w *Worker) writeNextSolo() {
	if w.queue.written > 0 || w.queue.len() == 0 || w.child == nil || w.room() == 0 {
		return
	}
	r := w.queue.at(0).record
	r.status |= flagSolo
	if w.child.Write(r.append(nil)) != nil {
		w.child.Kill()
		return
	}
	w.queue.written = 1
}

// run serves one child after another until Close.
func (w *Worker) run(p Process) {
	defer w.stopped.Set()
	for p != nil {
		err := w.serve(p)
		w.mu.Lock()
		if w.dismissed {
			w.queue.written = 0
		}
		closed, recycled := w.closed, w.recycle && w.queue.written == 0
		switch {
		case closed:
		case recycled:
			w.replaced++
		default:
			w.deaths++
		}
		if w.killed != nil {
			err = w.killed
		}
		w.child, w.killed = nil, nil
		w.mu.Unlock()
		switch {
		case closed:
			p.HangUp()
			p.Wait()
			p.Close()
			return
		case recycled:
			p.HangUp()
			p.Wait()
			p.Close()
			w.log.Info("the child was replaced as planned", "events", w.wear.answered)
			w.cfg.Recycled(w.id)
		default:
			w.bury(p, err)
		}
		p = w.replace(recycled, errors.Is(err, errTooLate))
	}
	w.refuse()
}

// serve takes answers until the child is gone or talks nonsense.
func (w *Worker) serve(p Process) error {
	buf := make([]byte, 0, 64<<10)
	answers := make([]Answer, 0, cap(buf)/recordBytes)
	for {
		n, err := p.Read(buf[len(buf):cap(buf)])
		if err != nil {
			return err
		}
		buf = buf[:len(buf)+n]
		whole := len(buf) / recordBytes * recordBytes
		for rest := buf[:whole]; len(rest) > 0; {
			answers, rest, err = w.take(rest, answers[:0])
			if len(answers) > 0 {
				w.cfg.Answered(w.id, answers)
			}
			if err == nil && len(rest) > 0 {
				err = w.want(rest)
				rest = rest[recordBytes:]
			}
			if err != nil {
				w.cfg.Late(len(rest) / recordBytes)
				p.Kill()
				return err
			}
		}
		buf = buf[:copy(buf, buf[whole:])]
	}
}

// take matches answers with the oldest requests. It stops at a record by which the child asks for something, or at one
// that makes no sense, and gives what it has not taken.
func (w *Worker) take(records []byte, answers []Answer) ([]Answer, []byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var r record
	for ; len(records) > 0; records = records[recordBytes:] {
		if r.parse(records); r.kind == kindWant {
			break
		}
		if w.queue.written == 0 {
			return answers, records, errors.New("fex: the child answered what it was not asked")
		}
		q := w.queue.at(0)
		if q.kind != r.kind || q.slot != r.slot || q.generation != r.generation || r.status > uint8(Oversize) {
			return answers, records, fmt.Errorf("fex: the child's answer does not match the request (kind %d slot %d "+
				"generation %d status %d, asked kind %d slot %d generation %d)", r.kind, r.slot, r.generation, r.status, q.kind,
				q.slot, q.generation)
		}
		answers = append(answers, w.answer(q, &r))
		w.queue.pop()
		w.load.Add(-1)
		w.unrest.worked()
	}
	if len(answers) == 0 {
		return answers, records, nil // asking is no progress
	}
	w.progress.Store(int64(w.tally()))
	w.warned = false
	w.recycleIfDue()
	answers = w.refused(answers)
	if w.solo {
		if w.queue.len() == 0 {
			w.solo = false
		} else if len(w.queue.at(0).deaths) == 0 && w.queue.written == 0 {
			w.resume()
		} else {
			w.writeNextSolo()
		}
	} else if !w.recycle {
		w.flush()
	}
	return answers, records, nil
}

// resume leaves the one-at-a-time mode: what is left was never in a dead child's hands.
func (w *Worker) resume() {
	w.solo = false
	w.held = w.held[:0]
	for i := range w.queue.len() {
		w.held = w.queue.at(i).record.append(w.held)
	}
	w.flush()
}

// answer reads what goes with an answer record. For transitions the result is copied, since the child writes the next
// one in the same place.
func (w *Worker) answer(q *request, r *record) Answer {
	a := Answer{Tag: q.tag, Status: Status(r.status), ResultBytes: int(r.bytes), SideWords: int(r.count)}
	if r.kind == kindEvent {
		if a.Status > Rejected {
			a.Failure = parseFailure(w.results.Event(q.slot), r.bytes)
		}
		w.bear(&a)
		return a
	}
	a.Constants = r.layout
	w.transitionAnswer(&a, q, r)
	if a.Status != OK {
		w.failedAt(q)
	}
	return a
}

// failedAt notes a transition that the script failed at; w.mu is held.
func (w *Worker) failedAt(q *request) {
	var dgram []byte
	if ref, err := w.transitions.Ref(pebble.Index{Slot: q.slot, Generation: q.generation}); err == nil {
		dgram = ref.Bytes()
	}
	w.state.failed(uint8(q.transition), q.time, dgram, w.group.presentScript().text)
}

func (w *Worker) transitionAnswer(a *Answer, q *request, r *record) {
	area := w.results.Transition()
	if a.Status > Rejected {
		a.Failure = parseFailure(area, r.bytes)
		return
	}
	side, fits := SideList(area, a.ResultBytes, a.SideWords, nil)
	if a.Status == Rejected {
		a.Status, a.Failure = Failed, &Failure{Type: "ProtocolError", Message: "the child rejected a transition"}
		return
	}
	if !fits {
		a.Status, a.Failure = Failed, &Failure{Type: "ProtocolError", Message: "the result does not fit in its area"}
		return
	}
	if q.transition == configure && w.child != nil {
		if err := w.cfg.tooLarge(w.child, "has taken Configure and no event yet"); err != nil {
			a.Status, a.Failure = Failed, &Failure{Type: "MemoryError", Message: strings.TrimPrefix(err.Error(), "fex: ")}
			return
		}
	}
	a.Copied = &Result{Blocks: append([]byte(nil), area[:a.ResultBytes]...), Side: side}
	if ref, err := w.transitions.Ref(pebble.Index{Slot: q.slot, Generation: q.generation}); err == nil {
		if k := w.state.apply(uint8(q.transition), q.time, ref.Bytes()); k != nil && k.id == configure {
			k.made = a.Copied.Blocks
			w.group.spares.configured(k)
		}
	}
}

// Close ends the child. Requests without an answer get none.
func (w *Worker) Close() {
	w.mu.Lock()
	w.closed = true
	if p := w.child; p != nil {
		w.child = nil // nobody writes any more
		p.HangUp()
		defer w.world.After(closeGrace, p.Kill)()
	}
	if w.starting != nil {
		w.starting.Kill()
	}
	w.mu.Unlock()
	w.wake.Set()
	w.stopped.Wait(world.ForEver)
	w.stopped.Set() // for who closes once more
}

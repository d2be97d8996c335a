package fex

import (
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"

	"drp/pebble"
)

// bench is a worker without a process: the test plays the child, at both ends of the pipe.
type bench struct {
	t        *testing.T
	w        *Worker
	pool     *pebble.Pool
	requests int // the child's end
	buf      []byte
	answers  []Answer
}

func newBench(t *testing.T) *bench {
	t.Helper()
	pool, err := pebble.Open(pebble.Sizes{Workers: 1, Slots: 128, EventBytes: 256, ResultBytes: 4096, TransitionBytes: 4096})
	if err != nil {
		t.Fatal(err)
	}
	var pipe [2]int
	if err := syscall.Pipe2(pipe[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = syscall.Close(pipe[0]), syscall.Close(pipe[1])
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg := &Config{Log: slog.New(slog.DiscardHandler)}
	cfg.complete()
	g := &Group{cfg: cfg, world: cfg.World}
	g.spares = &spares{g: g, wake: cfg.World.NewFlag()}
	w := g.newWorker(0, pool)
	w.child = &child{requests: pipe[1]}
	return &bench{t: t, w: w, pool: pool, requests: pipe[0], buf: make([]byte, 64<<10)}
}

// event asks for an event in slot i.
func (b *bench) event(i int) {
	b.w.Event(pebble.Index{Slot: uint32(i), Generation: 7}, 100, 1, uint64(1000+i), uint64(i))
}

// written gives the records that reached the child since the last call, and their slots.
func (b *bench) written() (records []byte, slots []int) {
	n, err := syscall.Read(b.requests, b.buf)
	if err == syscall.EAGAIN {
		return nil, nil
	}
	if err != nil {
		b.t.Fatal(err)
	}
	for at := 0; at < n; at += recordBytes {
		var r record
		r.parse(b.buf[at:])
		slots = append(slots, int(r.slot))
	}
	return b.buf[:n], slots
}

// take answers records as they are.
func (b *bench) take(records []byte) []Answer {
	b.t.Helper()
	var err error
	if b.answers, _, err = b.w.take(records, b.answers[:0]); err != nil {
		b.t.Fatal(err)
	}
	return b.answers
}

func upTo(n int) []int {
	var all []int
	for i := range n {
		all = append(all, i)
	}
	return all
}

func TestHandOffHoldsRecordsOnlyWhileAnAnswerIsDue(t *testing.T) {
	b := newBench(t)
	for i := range busyRequests {
		b.event(i)
		if _, slots := b.written(); !slices.Equal(slots, []int{i}) {
			t.Fatalf("request %d: %v was written at once", i, slots)
		}
	}
	held := len(b.w.queue.ring) / heldPart
	for i := range held - 1 {
		b.event(busyRequests + i)
	}
	if _, slots := b.written(); len(slots) != 0 {
		t.Errorf("%v was written to a busy child", slots)
	}
	b.event(busyRequests + held - 1)
	if _, slots := b.written(); len(slots) != held {
		t.Errorf("%d records were written when there were enough for one write, want %d", len(slots), held)
	}
	b.event(100) // held again, until an answer comes
	if _, slots := b.written(); len(slots) != 0 {
		t.Errorf("%v was written to a busy child", slots)
	}
	first := b.w.queue.at(0).record
	if answers := b.take(first.append(nil)); len(answers) != 1 || answers[0].Tag != 0 || answers[0].Status != OK {
		t.Errorf("got %+v", answers)
	}
	if _, slots := b.written(); !slices.Equal(slots, []int{100}) {
		t.Errorf("after an answer %v was written", slots)
	}
	if got := b.w.Load(); got != busyRequests+held {
		t.Errorf("load %d", got)
	}
}

func TestAnswersMatchRequests(t *testing.T) {
	b := newBench(t)
	for i := range 10 {
		b.event(i)
	}
	records, _ := b.written()
	for i, a := range b.take(records) {
		if a.Tag != uint64(i) || a.Status != OK || a.ResultBytes != 100 {
			t.Errorf("answer %d is %+v", i, a)
		}
	}
	if b.w.Load() != 0 || b.w.queue.written != 0 {
		t.Errorf("load %d, written %d after all answers", b.w.Load(), b.w.queue.written)
	}
}

func TestTakeRefusesNonsense(t *testing.T) {
	tests := []struct {
		name   string
		change func(r *record)
		want   string
	}{
		{"another slot", func(r *record) { r.slot++ }, "does not match"},
		{"another generation", func(r *record) { r.generation-- }, "does not match"},
		{"another kind", func(r *record) { r.kind = kindTransition }, "does not match"},
		{"no kind", func(r *record) { r.kind = 0 }, "does not match"},
		{"a status that is none", func(r *record) { r.status = uint8(Crashed) }, "does not match"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.event(0)
			b.event(1)
			good, bad := b.w.queue.at(0).record, b.w.queue.at(1).record
			tt.change(&bad)
			answers, _, err := b.w.take(bad.append(good.append(nil)), nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v", err)
			}
			if len(answers) != 1 || answers[0].Tag != 0 {
				t.Errorf("the good answer before it: %+v", answers)
			}
			if b.w.queue.len() != 1 || b.w.queue.at(0).tag != 1 {
				t.Error("the request answered by nonsense is gone")
			}
		})
	}
	t.Run("an answer to nothing", func(t *testing.T) {
		b := newBench(t)
		if _, _, err := b.w.take((&record{kind: kindEvent}).append(nil), nil); err == nil {
			t.Error("it was taken")
		}
	})
	t.Run("an answer to what was not written yet", func(t *testing.T) {
		b := newBench(t)
		for i := range busyRequests + 1 {
			b.event(i)
		}
		var records []byte
		for i := range busyRequests + 1 {
			records = b.w.queue.at(i).record.append(records)
		}
		if answers, _, err := b.w.take(records, nil); err == nil || len(answers) != busyRequests {
			t.Errorf("%d answers, error %v", len(answers), err)
		}
	})
}

func TestEventOfWildLengthIsLeftToTheCollector(t *testing.T) {
	b := newBench(t)
	b.event(3)
	r := b.w.queue.at(0).record
	r.bytes, r.count = 0xffffffff, 0xffff
	a := b.take(r.append(nil))[0]
	if _, fits := SideList(b.pool.Results[0].Event(3), a.ResultBytes, a.SideWords, nil); fits {
		t.Error("four gigabytes fit")
	}
}

func TestFailureOfEvent(t *testing.T) {
	for _, status := range []Status{Failed, Oversize} {
		b := newBench(t)
		b.event(5)
		text := `{"type":"ValueError","message":"no","file":"a.py","line":3}`
		copy(b.pool.Results[0].Event(5), text)
		r := b.w.queue.at(0).record
		r.status, r.bytes = uint8(status), uint32(len(text))
		a := b.take(r.append(nil))[0]
		if a.Status != status || a.Failure == nil || a.Failure.String() != "a.py:3: ValueError: no" {
			t.Errorf("%+v, %v", a, a.Failure)
		}
	}
}

// transition seals a transition in the ring and hands it on.
func (b *bench) transition(id uint8, text string) {
	b.t.Helper()
	loan, ok := b.pool.Transitions.TryLoan()
	if !ok {
		b.t.Fatal("no slot for a transition")
	}
	n := copy(loan.Bytes(), text)
	b.w.Transition(loan.Seal(n), n, id, id == 5, 77, 900)
}

func TestTransitionResult(t *testing.T) {
	tests := []struct {
		name    string
		status  Status
		bytes   uint32
		count   uint16
		want    Status
		result  string
		message string
		kept    bool
	}{
		{"added", OK, 5, 1, OK, "hello", "", true},
		{"nothing added", OK, 0, 0, OK, "", "", true},
		{"beyond the area", OK, 4097, 0, Failed, "", "does not fit", false},
		{"side list beyond the area", OK, 4096, 1, Failed, "", "does not fit", false},
		{"rejected", Rejected, 0, 0, Failed, "", "rejected a transition", false},
		{"failed without JSON", Failed, 3, 0, Failed, "", "unreadable", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.transition(2, "configure")
			area := b.pool.Results[0].Transition()
			copy(area, "hello\x00\x00\x00\x2a\x00\x00\x00")
			r := b.w.queue.at(0).record
			r.status, r.bytes, r.count = uint8(tt.status), tt.bytes, tt.count
			a := b.take(r.append(nil))[0]
			if a.Status != tt.want || string(a.Blocks()) != tt.result {
				t.Errorf("status %d, result %q", a.Status, a.Blocks())
			}
			if tt.count == 1 && tt.want == OK && !slices.Equal(a.Side(), []uint32{42}) {
				t.Errorf("side list %v", a.Side())
			}
			if tt.message != "" && (a.Failure == nil || !strings.Contains(a.Failure.Message, tt.message)) {
				t.Errorf("failure %v, want %q", a.Failure, tt.message)
			}
			if kept := len(b.w.state.kept) == 1; kept != tt.kept {
				t.Errorf("kept for a replacement: %v", kept)
			}
			if len(a.Blocks()) > 0 {
				if copy(area, "XXXXX"); string(a.Blocks()) != tt.result {
					t.Error("the result changes with the area, where the next transition's goes")
				}
			}
		})
	}
}

func TestImpliedTransitionIsMarked(t *testing.T) {
	b := newBench(t)
	b.transition(5, "end of run")
	var r record
	records, _ := b.written()
	if r.parse(records); r.kind != kindTransition || r.status != flagImplied || r.transition != 5 || r.time != 77 {
		t.Errorf("%+v", r)
	}
}

// TestSoloMode: after a death, what the dead child had in hand goes to the next one by one; what it had not, together.
func TestSoloMode(t *testing.T) {
	b := newBench(t)
	for i := range 6 {
		b.event(i)
	}
	b.written()
	b.w.queue.written, b.w.solo = 0, true // as bury does, with the first three in hand
	for i := range 3 {
		b.w.queue.at(i).deaths = []*Death{{}}
	}
	b.w.writeNextSolo()
	for i := range 3 {
		records, slots := b.written()
		if !slices.Equal(slots, []int{i}) {
			t.Fatalf("in solo mode %v was written, want %d", slots, i)
		}
		var r record
		if r.parse(records); r.status&flagSolo == 0 {
			t.Errorf("request %d is not marked solo", i)
		}
		if i == 1 {
			b.event(6) // more requests change nothing
			if _, slots := b.written(); len(slots) != 0 {
				t.Fatalf("%v was written behind a solo request", slots)
			}
		}
		b.take(records)
	}
	records, slots := b.written()
	if !slices.Equal(slots, []int{3, 4, 5, 6}) {
		t.Fatalf("after the last suspect %v was written", slots)
	}
	if b.w.solo {
		t.Error("still in solo mode")
	}
	if answers := b.take(records); len(answers) != 4 {
		t.Errorf("%d answers", len(answers))
	}
}

func TestSoloModeEndsWhenNothingIsLeft(t *testing.T) {
	b := newBench(t)
	b.w.solo = true
	b.event(0)
	records, slots := b.written()
	if !slices.Equal(slots, upTo(1)) {
		t.Fatalf("%v was written", slots)
	}
	b.take(records)
	if b.w.solo {
		t.Error("still in solo mode")
	}
}

// TestEventPathAllocatesNothing: hand-off and answer of an L1Accept.
func TestEventPathAllocatesNothing(t *testing.T) {
	b := newBench(t)
	b.answers = make([]Answer, 0, 64)
	if n := testing.AllocsPerRun(1000, func() {
		for i := range 40 {
			b.event(i)
		}
		for b.w.Load() > 0 {
			n, err := syscall.Read(b.requests, b.buf)
			if err != nil {
				t.Fatal(err)
			}
			b.take(b.buf[:n])
		}
	}); n != 0 {
		t.Errorf("%v allocations for 40 events", n)
	}
}

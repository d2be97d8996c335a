package pebble_test

import (
	"math/rand"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/internal/invariant"
	"drp/pebble"
	"drp/shm"
)

func open(t testing.TB, slots, bytes int) *pebble.Pool {
	t.Helper()
	p, err := pebble.Open(pebble.Sizes{Workers: 1, Slots: slots, EventBytes: bytes, ResultBytes: 4096, TransitionBytes: 4096})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestRoundOfASlot(t *testing.T) {
	ring := open(t, 2, 64).Events[0]
	loan, ok := ring.TryLoan()
	if !ok {
		t.Fatal("an empty ring has no slot")
	}
	copy(loan.Bytes(), "datagram")
	ix := loan.Seal(8)
	ref, err := ring.Ref(ix)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(ref.Bytes()); got != "datagram" {
		t.Fatalf("read %q", got)
	}
	ref.Release()
	if _, err := ring.Ref(ix); err == nil {
		t.Fatal("an index outlived its generation")
	}
	if ring.InUse() != 0 {
		t.Fatalf("%d slots in use", ring.InUse())
	}
}

// TestSpoiltContentsAreNotResident: a filler does not take for written what somebody has altered.
func TestSpoiltContentsAreNotResident(t *testing.T) {
	ring := open(t, 1, 64).Events[0]
	for _, spoilt := range []bool{false, true} {
		loan, _ := ring.TryLoan()
		loan.SetResident(7)
		ref, err := ring.Ref(loan.Seal(8))
		if err != nil {
			t.Fatal(err)
		}
		if spoilt {
			ref.Spoilt()
		}
		ref.Release()
		loan, _ = ring.TryLoan()
		if got := loan.Resident(); (got == 0) != (spoilt || invariant.Enabled) {
			t.Errorf("spoilt %v: the note is %d", spoilt, got)
		}
		loan.Abort()
	}
}

func TestConsumedHandlesPanic(t *testing.T) {
	for name, misuse := range map[string]func(*pebble.Ring){
		"seal twice":    func(r *pebble.Ring) { l, _ := r.TryLoan(); l.Seal(1); l.Seal(1) },
		"abort sealed":  func(r *pebble.Ring) { l, _ := r.TryLoan(); l.Seal(1); l.Abort() },
		"seal too much": func(r *pebble.Ring) { l, _ := r.TryLoan(); l.Seal(65) },
		"release twice": func(r *pebble.Ring) {
			l, _ := r.TryLoan()
			f, _ := r.Ref(l.Seal(1))
			f.Release()
			f.Release()
		},
		"two references released": func(r *pebble.Ring) {
			l, _ := r.TryLoan()
			ix := l.Seal(1)
			f, _ := r.Ref(ix)
			g, _ := r.Ref(ix)
			f.Release()
			g.Release()
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("went unnoticed")
				}
			}()
			misuse(open(t, 2, 64).Events[0])
		})
	}
}

func TestReuseIsInOrder(t *testing.T) {
	ring := open(t, 3, 64).Events[0]
	var refs []pebble.Ref
	for range 3 {
		loan, _ := ring.TryLoan()
		ref, _ := ring.Ref(loan.Seal(1))
		refs = append(refs, ref)
	}
	refs[2].Release()
	refs[1].Release()
	if _, ok := ring.TryLoan(); ok {
		t.Fatal("a slot was loaned before the oldest came back")
	}
	refs[0].Release()
	for i := range uint32(3) {
		loan, ok := ring.TryLoan()
		if !ok {
			t.Fatalf("slot %d did not come back", i)
		}
		if ix := loan.Seal(1); ix.Slot != i || ix.Generation != 1 {
			t.Fatalf("got %+v", ix)
		}
	}
}

func TestAbortFreesTheSlot(t *testing.T) {
	ring := open(t, 1, 64).Events[0]
	for range 3 {
		loan, ok := ring.TryLoan()
		if !ok {
			t.Fatal("the slot did not come back")
		}
		loan.Abort()
	}
}

func TestRefRefusesNonsense(t *testing.T) {
	ring := open(t, 2, 64).Events[0]
	loan, _ := ring.TryLoan()
	for name, ix := range map[string]pebble.Index{
		"not sealed":       {Slot: 0, Generation: 0},
		"out of range":     {Slot: 2},
		"far away":         {Slot: 1 << 31, Generation: 1 << 31},
		"wrong generation": {Slot: 1, Generation: 7},
	} {
		if _, err := ring.Ref(ix); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	loan.Abort()
}

func TestWaitIsBounded(t *testing.T) {
	p := open(t, 1, 64)
	p.Wait(time.Millisecond)
	p.Freed()
	p.Wait(time.Hour)
}

// A random walk of many generations: producer, and two consumers that release in any order.
func TestConcurrentReleaseLosesNoSlot(t *testing.T) {
	p := open(t, 7, 64)
	ring := p.Events[0]
	const events = 50000
	queue := make(chan pebble.Index, 7)
	var consumers sync.WaitGroup
	for seed := range 2 {
		consumers.Add(1)
		go func() {
			defer consumers.Done()
			rng := rand.New(rand.NewSource(int64(seed)))
			var held []pebble.Ref
			for ix := range queue {
				ref, err := ring.Ref(ix)
				if err != nil {
					t.Error(err)
					continue
				}
				held = append(held, ref)
				select {
				case more, ok := <-queue:
					if next, err := ring.Ref(more); ok && err == nil {
						held = append(held, next)
					}
				default:
				}
				// Nothing is held over the next blocking receive: the ring may be full.
				for len(held) > 0 {
					k := rng.Intn(len(held))
					held[k].Release()
					held = append(held[:k], held[k+1:]...)
				}
				p.Freed()
			}
		}()
	}
	for n := 0; n < events; {
		loan, ok := ring.TryLoan()
		if !ok {
			p.Wait(time.Second)
			continue
		}
		queue <- loan.Seal(1)
		n++
	}
	close(queue)
	consumers.Wait()
	if ring.InUse() != 0 {
		t.Fatalf("%d slots lost", ring.InUse())
	}
}

func TestSizesAreChecked(t *testing.T) {
	for name, s := range map[string]pebble.Sizes{
		"no workers":       {Slots: 1, EventBytes: 1, ResultBytes: 4096, TransitionBytes: 4096},
		"no slots":         {Workers: 1, EventBytes: 1, ResultBytes: 4096, TransitionBytes: 4096},
		"2 GiB of events":  {Workers: 1, Slots: 512, EventBytes: 4 << 20, ResultBytes: 4096, TransitionBytes: 4096},
		"overflow":         {Workers: 1, Slots: 1 << 40, EventBytes: 1 << 40, ResultBytes: 4096, TransitionBytes: 4096},
		"tiny results":     {Workers: 1, Slots: 1, EventBytes: 1, ResultBytes: 100, TransitionBytes: 4096},
		"2 GiB of results": {Workers: 1, Slots: 600, EventBytes: 1, ResultBytes: 4 << 20, TransitionBytes: 4096},
	} {
		if p, err := pebble.Open(s); err == nil {
			_ = p.Close()
			t.Errorf("%s: accepted", name)
		} else if !strings.HasPrefix(err.Error(), "pebble: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := pebble.DefaultSlots(64 << 20); n*(64<<20) > shm.MaxBytes {
		t.Errorf("%d default slots of 64 MiB", n)
	}
}

func TestNoAllocationInARound(t *testing.T) {
	ring := open(t, 4, 64).Events[0]
	if n := testing.AllocsPerRun(1000, func() {
		loan, _ := ring.TryLoan()
		ref, _ := ring.Ref(loan.Seal(10))
		_ = ref.Bytes()
		ref.Release()
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkRound(b *testing.B) {
	ring := open(b, 64, 4096).Events[0]
	b.ReportAllocs()
	for b.Loop() {
		loan, _ := ring.TryLoan()
		ref, _ := ring.Ref(loan.Seal(10))
		ref.Release()
	}
}

// TestGrow: a second stage finds behind a datagram what was written there between the two, as far as the slot goes.
func TestGrow(t *testing.T) {
	ring := open(t, 2, 64).Events[0]
	loan, _ := ring.TryLoan()
	copy(loan.Bytes(), "datagram")
	loan.SetResident(7)
	ix := loan.Seal(8)
	ref, err := ring.Ref(ix)
	if err != nil {
		t.Fatal(err)
	}
	if ref.Grow(57) != nil || len(ref.Bytes()) != 8 {
		t.Errorf("it grew beyond its slot, to %d bytes", len(ref.Bytes()))
	}
	whole := ref.Grow(56)
	copy(whole[8:], "more")
	reader, err := ring.Ref(ix)
	if err != nil || len(whole) != 64 || string(reader.Bytes()[:12]) != "datagrammore" {
		t.Errorf("%v, read %q", err, reader.Bytes())
	}
	ref.Release()
	loan, _ = ring.TryLoan()
	loan.Abort()
	if loan, _ = ring.TryLoan(); loan.Resident() != 0 {
		t.Error("what grew is taken for what the filler wrote")
	}
	loan.Abort()
}

// TestBeside: a second stage has the same rings, and results of its own.
func TestBeside(t *testing.T) {
	p := open(t, 2, 64)
	b, err := p.Beside()
	if err != nil {
		t.Fatal(err)
	}
	mine, theirs := p.Results[0], b.Results[0]
	if b.Events[0] != p.Events[0] || b.Transitions != p.Transitions || theirs.SegmentID() == mine.SegmentID() ||
		theirs.SlotBytes() != mine.SlotBytes() || theirs.TransitionBytes() != mine.TransitionBytes() {
		t.Errorf("%+v beside %+v", theirs, mine)
	}
	theirs.Event(1)[0], theirs.Transition()[0] = 1, 1
	if mine.Event(1)[0] != 0 || mine.Transition()[0] != 0 {
		t.Error("the results are the same memory")
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	loan, ok := p.Events[0].TryLoan()
	if !ok {
		t.Fatal("the ring was closed as well")
	}
	loan.Bytes()[0] = 1
	loan.Abort()
}

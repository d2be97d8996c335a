package script

import (
	"sync"
	"sync/atomic"

	"drp/fex"
	"drp/internal/world"
	"drp/pebble"
	"drp/teb"
	"drp/xtc"
)

// post is the place of a process: its slots, and the batch that it has in hand.
type post struct {
	crew    *crew
	ring    *pebble.Ring
	results *pebble.Results
	worker  *fex.Worker

	mu    sync.Mutex // held by whoever has a batch here; protects which and slots
	which []int      // the events of the batch that are in the slot

	answer fex.Answer  // valid when done
	done   atomic.Bool // it has come
	left   atomic.Bool // nobody waits any more
	came   world.Flag
}

func newPost(k *crew, i int) *post {
	return &post{crew: k, ring: k.pool.Events[i], results: k.pool.Results[i], which: make([]int, 0, k.layout.most),
		came: world.Real().NewFlag()}
}

func (p *post) answered(a fex.Answer) {
	p.answer = a
	p.done.Store(true)
	p.came.Set()
}

// leave lets whoever waits here go, and waits until he has.
func (p *post) leave() {
	p.left.Store(true)
	p.came.Set()
	p.mu.Lock()
	p.mu.Unlock() //nolint:staticcheck // nobody comes after this
}

// beginsRun tells where a script is read anew.
func beginsRun(s xtc.TransitionID) bool { return s == xtc.BeginRun || s == xtc.Configure }

// decide lets a process decide about events of a batch from one on, and gives with which to go on. A process that is out of
// service is left out: another takes its part, in turn.
func (k *crew) decide(first int, b *teb.Batch, from int) (next int) {
	for n := range k.posts {
		p := k.posts[(first+n)%len(k.posts)]
		if p.worker.Retired() {
			continue
		}
		if next, served := p.decide(k.layout, b, from); served {
			return next
		}
	}
	for next = from; next < b.Len() && !beginsRun(b.Head(next).Service); next++ {
		b.Verdicts[next] = teb.Verdict{Reason: teb.ReasonFailed}
	}
	return next
}

// decide hands the events to the process and waits. It is not served when the process has gone out of service.
func (p *post) decide(l *layout, b *teb.Batch, from int) (next int, served bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left.Load() {
		return from, false
	}
	loan, ok := p.ring.TryLoan()
	if !ok {
		return from, false
	}
	slot := loan.Bytes()
	p.which, next = l.fill(slot, b, from, p.which[:0])
	if len(p.which) == 0 {
		loan.Abort()
		return next, true
	}
	if len(p.crew.says.parameters) > 0 {
		l.set(slot, b.Settings())
	}
	n := slotHeadBytes + len(p.which)*l.eventBytes
	ix := loan.Seal(n)
	p.done.Store(false)
	p.worker.Event(ix, n, uint32(len(p.which)), b.Head(p.which[0]).Pulse, batchTag)
	p.wait(slot)
	if !p.done.Load() {
		return next, false // the slot stays with the process, and both end now
	}
	if served = p.settle(b, ix); served && b.Verdicts[p.which[0]].Reason != teb.ReasonFailed {
		p.crew.keep(slot, b, p.which[0])
	}
	if ref, err := p.ring.Ref(ix); err == nil {
		ref.Release()
	}
	return next, served
}

// wait waits for the answer. After the deadline the slot says so to the next process that sees it: that one then loses no
// time with it.
func (p *post) wait(slot []byte) {
	allowed := p.crew.c.Deadline
	for !p.done.Load() && !p.left.Load() {
		if !p.came.Wait(allowed) {
			le.PutUint32(slot[givenUpAt:], 1)
			allowed = world.ForEver
		}
	}
}

// settle applies the answer.
func (p *post) settle(b *teb.Batch, ix pebble.Index) (served bool) {
	a, n := &p.answer, len(p.which)*verdictBytes
	switch {
	case a.Status == fex.Unserved:
		return false
	case a.Status == fex.OK && a.ResultBytes >= n:
		result := p.results.Event(ix.Slot)[:a.ResultBytes]
		if undecided := take(result[:n], b, p.which, len(p.crew.says.Reasons)); len(undecided) > 0 {
			p.crew.complain(b, undecided, because(result[n:], b, undecided))
		}
		return true
	}
	fail(b, p.which)
	f := a.Failure
	if f == nil {
		f = &fex.Failure{Type: "ProtocolError", Message: "the process does not answer about all events"}
	}
	p.crew.complain(b, p.which, f)
	return true
}

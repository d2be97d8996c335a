package page

import (
	"net/http"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// thrift holds what is made for all browsers together to a tenth of a core, whatever they ask for: they wait, and the run does not.
// After some rest more is made at once. A nil one lets all through, as in a replay, where no run goes on.
type thrift struct {
	mu   sync.Mutex // protects free
	free time.Time  // from which on something may be made
}

const (
	thriftShare  = 10                     // one in so many seconds of a core is used
	thriftCredit = 300 * time.Millisecond // of rest that is made up for
	thriftGuess  = 500 * time.Microsecond // of a request, until it is known
)

// after says for how long nothing may be made.
func (t *thrift) after() time.Duration {
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Until(t.free)
}

// charge notes what was used, and gives the moment from which that was free.
func (t *thrift) charge(used time.Duration) (from time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	from = t.free
	if earliest := time.Now().Add(-thriftCredit); from.Before(earliest) {
		from = earliest
	}
	t.free = from.Add(thriftShare * used)
	return from
}

// spend does something and notes what it took of the processor.
func (t *thrift) spend(work func()) {
	if t == nil {
		work()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := threadTime()
	work()
	t.charge(threadTime() - began)
}

func threadTime() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_THREAD, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// wait returns when it is the turn of a request; false when whoever asked has gone.
func (t *thrift) wait(r *http.Request) bool {
	if t == nil {
		return true
	}
	from := t.charge(thriftGuess) // so that those who wait come one after the other
	wait := time.Until(from)
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// thrifty answers requests when it is their turn.
func (t *thrift) thrifty(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if t.wait(r) {
			t.spend(func() { h(w, r) })
		}
	}
}

// Package pace makes those who ask wait, so that what they ask for costs no more than was meant: a Pace counts what is asked, a
// Budget what that takes of the processor. Both hand out moments, one after the other, and Until waits for one. All methods may
// be called at the same time; nothing runs between them.
package pace

import (
	"context"
	"sync"
	"time"
)

// Pace lets a few through at once, and then one after each gap, however many ask. Its fields are set before it is used.
type Pace struct {
	Few int
	Gap time.Duration

	mu   sync.Mutex // protects next
	next time.Time  // moment at which the next one may go, in a row of moments
}

// Turn takes one, and gives the moment from which it may be used, which can be over.
func (p *Pace) Turn() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.from(time.Now())
	p.next = at.Add(p.Gap)
	return at
}

// Soon takes one that may be used within some time, and gives the moment; where there are too many before it, it takes none.
func (p *Pace) Soon(within time.Duration) (at time.Time, soon bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if at = p.from(now); at.Sub(now) > within {
		return at, false
	}
	p.next = at.Add(p.Gap)
	return at, true
}

// Now tells whether one may go without waiting, and lets it.
func (p *Pace) Now() bool {
	_, now := p.Soon(0)
	return now
}

func (p *Pace) from(now time.Time) time.Time {
	if earliest := now.Add(-time.Duration(p.Few) * p.Gap); p.next.Before(earliest) {
		return earliest
	}
	return p.next
}

// Wait returns when it is the turn of whoever asks; false when the context has ended before.
func (p *Pace) Wait(ctx context.Context) bool { return Until(ctx, p.Turn()) }

// Until waits for a moment; false when the context has ended before.
func Until(ctx context.Context, at time.Time) bool {
	wait := time.Until(at)
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Beat is what lies between the moments at which all of the process who look at something now and then do so. To wake costs the
// process up to a tenth of a millisecond, and what many do at once costs little more: docs/performance.md, of onlookers.
const Beat = 250 * time.Millisecond

// ToBeat is how long it is until the next of these moments.
func ToBeat(now time.Time) time.Duration { return now.Truncate(Beat).Add(Beat).Sub(now) }

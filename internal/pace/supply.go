package pace

import (
	"sync"
	"time"
)

// Supply says what may be used of a core, as a share of one: a quarter of what nobody has used of the processors in the last second, within
// bounds. The lower bound is what is used where they are full. The fields are set before it is used.
type Supply struct {
	Least, Most float64
	Spare       func() (cores float64, known bool) // since it was asked last

	mu    sync.Mutex // protects all below
	at    time.Time  // when Spare was asked
	given float64
}

// Windows of time over which is looked at what was not used.
const (
	window  = time.Second
	longest = 5 * time.Second // what was on average over more says nothing of now
)

// ofSpare is the part of spare time that is given. The rest is for whoever finds some use for it meanwhile.
const ofSpare = 4

func (s *Supply) share(now time.Time) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if since := now.Sub(s.at); s.at.IsZero() || since >= window {
		cores, known := s.Spare()
		if s.at.IsZero() || since > longest || !known {
			cores = 0
		}
		s.at, s.given = now, min(max(cores/ofSpare, s.Least), s.Most)
	}
	return s.given
}

// Full tells whether there is hardly more than the least.
func (s *Supply) Full() bool { return s.share(time.Now()) < 2*s.Least }

// Thrift is what all those get together who look at a run, and what kinds of them get of it.
type Thrift struct {
	Supply   *Supply
	Pictures *Budget // whatever the others leave
	Answers  *Budget // half at most
	Words    *Budget // a quarter at most: what is said without being asked
}

// NewThrift shares out a supply.
func NewThrift(s *Supply) *Thrift {
	all := &Budget{Supply: s, Part: 1}
	return &Thrift{Supply: s, Pictures: all, Answers: &Budget{Supply: s, Part: 0.5, Of: all}, Words: &Budget{Supply: s, Part: 0.25, Of: all}}
}

// What all who look at a run get of a core: a tenth, all but a little, where there is time to spare, and less than a hundredth where there is none.
const (
	most  = 3. / 32
	least = 1. / 160
)

// OfProcessors is for a process that shares its processors with what it must not disturb.
func OfProcessors() *Thrift {
	return NewThrift(&Supply{Least: least, Most: most, Spare: NewProcessors("/").Spare})
}

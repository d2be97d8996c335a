package fex

import (
	"slices"
	"time"

	"drp/internal/world"
)

// unrest decides how long a worker waits before it gets another child, and when it gets none any more. A child that dies
// after some work is replaced at once, however often: how often it may is for the limit on restarts to say, and pauses
// would only keep that from being reached. Pauses are for children that die and get nothing done.
type unrest struct {
	deaths int             // in a row, without a request that came to its end between them
	recent []time.Duration // deaths of the last minute
}

const (
	firstPause   = 100 * time.Millisecond
	longestPause = 10 * time.Second
)

// worked notes that a request came to its end: answered, or given up.
func (u *unrest) worked() { u.deaths = 0 }

// died notes a death, and tells whether there were more than most in the last minute; 0 is no limit.
func (u *unrest) died(now time.Duration, most int) bool {
	u.deaths++
	if most == 0 {
		return false
	}
	u.recent = slices.DeleteFunc(u.recent, func(t time.Duration) bool { return now-t >= time.Minute })
	u.recent = append(u.recent, now)
	return len(u.recent) > most
}

// pause is how long to wait before the next start: half of it fixed and half by chance, so that the workers that one
// fault brought down do not all start at once.
func (u *unrest) pause(w world.World) time.Duration {
	if u.deaths < 2 {
		return 0
	}
	most := min(longestPause, firstPause<<min(u.deaths-2, 20))
	return most/2 + time.Duration(w.Chance(int64(most/2)))
}

package watch

import (
	"testing"
	"time"
)

// TestRestAfter: lines of a flood take less than 1 % of the time, and lines of people wait for next to nothing.
func TestRestAfter(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{0: 10 * time.Millisecond, 20 * time.Microsecond: 10 * time.Millisecond,
		time.Millisecond: 300 * time.Millisecond, time.Second: 500 * time.Millisecond} {
		if got := restAfter(took); got != want {
			t.Errorf("%v after %v, want %v", got, took, want)
		}
	}
}

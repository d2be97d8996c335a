// Package invariant holds the checks of the checked build (go build -tags invariants): there a broken rule of our own
// code panics at once, and freed memory is overwritten so that late readers are caught. In the normal build Enabled is
// a false constant and the checks compile to nothing. Data, environment and users are never judged here.
package invariant

import "fmt"

// Check panics with the message when the condition does not hold, in the checked build. Guard calls in hot paths with
// Enabled, so that the arguments cost nothing.
func Check(holds bool, format string, args ...any) {
	if Enabled && !holds {
		panic("invariant broken: " + fmt.Sprintf(format, args...))
	}
}

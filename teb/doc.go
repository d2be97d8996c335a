// Package teb is the trigger event builder: it joins what several contributors extracted of each event, and decides what
// becomes of it.
//
//	contributor 0 --rows-->+---------+  events  +----------+  verdicts  +--------+
//	contributor 1 --rows-->| builder |--------->| Logic, 1 |----------->| commit |--> Next: decisions, in order
//	      ...              | (window)|--------->| or more  |----------->|        |
//	contributor n --rows-->+---------+          +----------+            +--------+
//
// What flows in are rows (contribution.go), described by a Schema of each contributor; what flows out are Decisions, one for
// each event that was built, in the order of their pulse IDs. The rows are copied into a window of a fixed number of
// places, so that a caller's bytes are his own again when Contribute returns. A Batch that a Logic gets is its own until
// Decide returns, and must not be kept.
//
// Contribute, Join, Gone and Books may be called by any number of goroutines, Contribute by one for each contributor; Next by
// one. Everything waits through a world.World. Contribute waits while the window is full, which it is for no longer than
// Config.Deadline as long as somebody takes the decisions: whoever contributes must not be the one who calls Next, unless it
// never contributes more than the window holds. Shutdown builds and decides what is there; after that Next
// gives what is left, and then says that there is no more.
//
// No input makes it panic, wait without end or take more memory than at its start: a contribution that comes late, twice, out
// of order, with a wrong schema, of another partition or of an earlier life of its contributor is counted and left out.
package teb

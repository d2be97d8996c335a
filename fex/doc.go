// Package fex runs the Python children that execute a user's script on every datagram (feature extraction).
//
//	             records (pipe)                      answers (pipe)
//	Worker.Event ------------->  child: script  ------------------->  Worker reader --> Config.Answered
//	                               |        |
//	                     raw slot (read)   result slot (write)
//
// What flows in are indices of sealed slots; what flows out are Answers, in the order of the requests of that worker.
// The payload stays in the pebble's segments, which the child attaches by id; the caller owns the slots and must not
// release one before its answer came. Every request gets exactly one Answer, whatever the child does: when it dies or
// hangs, it is replaced by another, if possible a spare, that is brought to the present state, and the requests it had in
// hand are given to that one by one; one that kills again is answered as Crashed. A Worker whose children die too often,
// or cannot be started, goes out of service: what it has is answered as Unserved, and the others go on (Config.Retired) or
// the run ends (Config.GaveUp).
//
// A Process is a child as a Worker sees it. Everything else that the package needs of the machine comes through a
// world.World, so that simtest can put simulated children and simulated time in the place of both.
//
// What is in a slot is between the caller and the child, and the child need not run a script. Another kind of child, a
// trigger say, is a module of Python (Config.Module) that calls serve of drp._child_slots with a function from the bytes of
// a slot, a batch of contributions, to those of its answer. It gets its ring from the caller's pebble like any, is given
// what its spares and replacements must know as transitions, and is started, watched, replaced and recycled the same way;
// its script, if it has one, is its first argument.
//
// The text of a script changes with SetScript, from the next Configure on; or at once with Prepare and Swap, while nothing is under
// way: then each worker gets another child, which is brought to the present state like any replacement.
//
// Finish and Refuse tell that the run shall end, so that nobody waits long for a child then.
//
// Event and Transition are called by one goroutine; Answered is called by the worker's own goroutine and must not
// block for long. Close ends the child; requests without an answer stay without.
//
// The records are drawn in docs/formats.md.
package fex

// Package drp is the assembly: the only package that knows the order of the stages.
//
//	source --Loan--> pebble --Index--> worker i: Python child i
//	   (dispatcher)    ^                        |
//	                   |                        v
//	                   +--Release--  collector: window in source order --> recorder
//
// Run opens everything, lets the datagrams through and closes everything, and returns the books: what became of every
// event. Three kinds of goroutine work on the path of an event: the dispatcher (the caller of Run), which fills slots
// and hands them to the least loaded worker; one reader per worker (package fex), which notes answers in the window; and
// the collector, which takes finished datagrams from the window in source order, decides the outcome of each, once,
// records it and releases its slot. A slow event holds nobody's work up until the window is full; a full pebble makes
// the source wait, or drop, as the user chose.
//
// Stopping begins upstream: the source ends, or the context is cancelled; the closing transitions follow, everything
// under way is finished, then the files and children are closed. Abandon stops without that.
package drp

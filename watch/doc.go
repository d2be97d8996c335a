// Package watch shows a run to those who look: as JSON, as metrics for Prometheus, and on a terminal.
//
// A run gives its Status, which is all that is known about it at a moment; everything shown is made from that. A Server
// answers who asks for it, by HTTP on an address of this machine and on a socket in the folder of the process; Ask is the
// other end. Nothing is kept, and nobody who asks is waited for: a run is asked for its Status at most so many times a
// second, however many ask.
//
// A Histogram may be added to and read by any number of goroutines. A Server runs from Listen until Close, which waits for
// its goroutines.
package watch

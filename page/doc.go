// Package page serves what a browser shows of a run: pictures with their peaks and rings, sums, rates, logs, and the control of
// a replay. docs/page.md describes what is seen, docs/formats.md what is sent.
//
// A Page is one who watches a run by its monitor (package monitor), as any other process might, so it cannot hold the run up.
// A feed takes the newest event whenever some browser is due for one, and one in a second otherwise:
//
//	ring of the run --(newest)--> feed: copy of the pixels --> kept events, sums
//	                                 |                               |
//	                                 v  rendered once for all        v  rendered when asked for
//	                              streams of browsers             event, pixel, mask
//
// An event's pixels are copied once out of the ring, into memory that the kept events share and use again; a picture is
// rendered once for each size that somebody wants, into buffers that are used again when the last browser has it. Nobody
// who reads slowly is waited for: he is due for a picture when he has taken the one before, and who takes none for ten
// seconds is dropped.
//
// A Viewer makes the same pictures for one who has no browser.
//
// A Player replays files into a monitor of its own, so that all who can watch a run can watch a replay. A Record writes the
// status of a run beside its files, line by line, and a Player shows it again.
//
// A Page is used by any number of goroutines at once; Close ends its streams and its goroutines, and so does the Close of a
// Player and of a Record.
package page

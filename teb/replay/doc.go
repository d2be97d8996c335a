// Package replay lets a trigger decide again about events that were recorded: what would have been kept, beside what was.
//
// What flows in are XTC2 files with contributions (docs/teb.md), of one process or of several of a partition; what flows out
// are Events, in the order of their pulse IDs, and a Report. Between them is a teb.TEB that builds and decides as it does in a
// run; only nothing is waited for, since it is known what the files have. Files are read once, from beginning to end, and
// memory is bounded by a batch of events. A file is not trusted: what makes no sense in it is counted and left out.
//
// Run works on the goroutine of its caller, who also gets the events; the TEB has its own, which are gone when Run returns. It
// ends early when its context does, or with the first error of whoever takes the events.
package replay

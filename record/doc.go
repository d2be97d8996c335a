// Package record writes what is kept of a run: XTC2 data and small data, one pair of files per run.
//
// What flows in are datagrams in their slots, with the list of blocks to leave out and the bytes to add. Nothing large
// is copied: the writer refers to the slots until Flush, so the caller releases a slot only after the Flush that follows
// its datagram. A Recorder is used by one goroutine. Close ends the files under their final names; Abandon leaves what
// was written as .inprogress.
package record

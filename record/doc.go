// Package record writes what is kept of a run: XTC2 data and small data, one pair of files per run, in chunks when they
// get large.
//
// What flows in are datagrams in their slots, with the list of blocks to leave out and the bytes to add. Nothing large
// is copied: the writer refers to the slots until Flush, so the caller releases a slot only after the Flush that follows
// its datagram. Flush tells how many events are in the files.
//
// A full disk, or a failing one, does not end the recording: events are refused until it takes them again, transitions
// wait in memory, and what is in the files is a legal sequence all the time. Files that nobody can write on any more are
// left as they are and the run goes on in others. Config.News is told.
//
// A Recorder is used by one goroutine. Close ends the files under their final names; Abandon leaves what was written as
// .inprogress.
package record

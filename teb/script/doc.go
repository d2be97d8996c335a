// Package script lets a trigger script in Python decide what is recorded: it makes a teb.Logic for each of several
// processes that run the script, which are started, watched and replaced as those of fex are.
//
//	             a slot: events, with the rows of all contributors
//	teb.Batch --Decide--> | head | event | event | ... |  ------->  child: script
//	                      | verdict | verdict | ...    |  <-------
//	             the result slot of it
//
// What flows in are batches of a TEB, one at a time for each process; what flows out are their verdicts. The rows are copied
// into a slot of shared memory, and a record of 32 bytes goes each way. The slots belong to the package, from Configure until
// Close; a batch stays its TEB's, and is not looked at once Decide has returned.
//
// The TEB puts the batches in order, so that the number of processes changes nothing but the speed, as long as the script
// keeps nothing from one event to the next. With one process it may.
//
// Decide always returns. A batch at which the script fails, or that no process can answer, gets no verdict: teb.ReasonFailed.
// One for which a process takes longer than Config.Deadline costs that process. One in whose midst a process dies is tried
// once more. A process that dies too often is not replaced, and the others go on; without any, all batches fail at once.
//
// The script is read at Configure, and anew when a run begins. A text that does not compile, fails at once or declares other
// reasons is not taken, and the log says so.
//
// A Logic is used by one goroutine; Close may be called by any, at any time, and ends all of them.
package script

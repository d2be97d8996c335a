// Package control brings the processes of a partition through a run together: Configure, BeginRun, … Unconfigure.
//
//	drp ctl --REST--> Service: Partition, journal <--REST-- Agent of each process
//
// A Partition is the state machine. Each transition becomes an Order with a number and a time, goes to the journal, and from
// there to a queue for each process, which follows its orders one by one and says so. A process that did not in time is
// named, and follows when it can; one that is started again gets the orders that hold first. Service puts a Partition
// behind HTTP, Client asks it, and Agent is a process's side of it. docs/control.md has the protocol.
//
// A Partition and a Client may be used by anybody at the same time. Nothing here knows what a transition does.
package control

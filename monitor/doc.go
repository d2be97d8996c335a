// Package monitor lets other processes of this machine watch the events of a run, without the run ever waiting for them.
//
// A Server has a ring of slots in shared memory, which everybody may read and nobody else may write, and listens at a socket
// of this user. Who connects says what he chooses to see, and becomes a consumer with a queue of his own: a small segment
// that the server writes entries to, and he his cursor and what he holds. Transitions come by the socket, each with the
// place in the queue that it belongs to, so that none is lost and all come in order; those that hold are repeated to who
// comes late.
//
//	collector --Offer, Publish--> slots ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~> views of consumers
//	                     |                                                            ^
//	                     +--> queue of consumer 0: entry, entry, ... head | tail, held
//	                     +--> queue of consumer 1                         | tail, held
//	          --Transition--> socket of each consumer, in order
//
// An event is copied once, into the next slot that nobody holds, and only when somebody wants it who has room in his queue. What
// is chosen is counted once for all who chose the same, and who has no room is left alone for a millisecond: so a consumer
// that is stopped or slow costs next to nothing. What he misses that way, or since a slot was overwritten
// before he came to it, he can tell exactly, since each entry has its number among all that he chose.
//
// Offer, Publish and Transition belong to one goroutine. The rest may be called concurrently. A goroutine for each direction
// of each socket ends with it; Close ends all. What a consumer writes is taken for what it may be worth: it can harm
// what he himself sees, and keep one slot from being overwritten for a while.
//
// A Client is such a consumer. Its items are views of the slots, held until the next is asked for.
package monitor

// Package publish brings constants to all who need them: one copy in shared memory, and an announcement to everybody.
//
// A Publisher, of which a process has one, writes a checked calib.Set once into a Segment that others attach read-only,
// and announces it on a socket whose name says partition, detector and segments. The announcement is kept there: who
// subscribes late, or again, gets it at once, since the publisher answers the subscription itself. That works for every
// SUB of ZeroMQ and needs no second socket to ask at. Over TCP, where there is no memory to share, the constants
// themselves follow the announcement, in chunks. A Subscriber receives both.
//
// A generation is one state of the constants of a detector; its number grows, also from one process to the next.
//
// The memory of a Segment belongs to whoever holds it: the publisher until its successor is announced, and each caller of
// Publish until Release. The arrays of its Set must not be touched after that. All methods may be called concurrently, but
// Subscriber.Next, which has one caller at a time.
package publish

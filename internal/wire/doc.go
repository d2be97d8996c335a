// Package wire carries small messages between processes: publishers, subscribers and pairs that speak ZeroMQ's
// protocol, and msgpack. It is the only importer of zmq4 and of msgpack, and stands between them and what a peer may send.
//
// A Pub sends messages to all who have subscribed, on a socket of this user and, where that is asked for, on TCP. What was
// sent with Keep is sent again to each who subscribes later, so that nobody has to be there in time. Each subscriber has
// a queue of its own with a bound, and a deadline for each message: one that does not read loses its connection and
// harms nobody else. A Sub receives, and connects again by itself.
//
// Pairs lets peers in over which both sides send when they like; each has its connection (Pair) for itself, and blocks
// nobody but itself.
//
// An Outlet gives large messages away, as a REP, PUB or PUSH of ZeroMQ with a high-water mark of 1 does: it writes them from
// where they lie, and copies only what a peer has not taken after a moment, so that whoever lends the memory has it back soon.
//
// Of zmq4 the connection is used (zmq4.Open, Conn.RecvMsg), and not its sockets: see
// docs/decisions/0013-zmq4-connections.md. Every byte that a peer sends passes a check of the framing first, since zmq4
// believes each length that it reads. Bytes for Unmarshal pass Scan first, since msgpack does the same.
//
// A message belongs to its sender until it is written, and must not be changed before; what Recv gives belongs to the
// caller. All methods may be called concurrently, but Sub.Recv, which has one caller at a time. Shutdown sends what is
// queued, Close does not; after either, all goroutines have ended.
package wire

// Package serve puts a teb.TEB behind a socket: a Server for many contributors, and the Client that each of them has.
//
//	Client: pending rows --batches--> Server: teb.TEB --decisions--> Client: one decision for each row, in order
//
// A Client keeps each row until it is decided, in a window of fixed size. When the connection is lost, or the server dies,
// it connects again with the next generation and sends again what has no decision; the server sends again the decisions that
// the client may have missed, as far as it remembers them. What was decided without the client's row, or is not decided in
// time, gets the default decision. So each row gets exactly one decision, whatever happens to either process. A server that was
// started again first asks its clients what was decided before. Several servers can share the events of a partition.
//
// Both sides send at least an empty batch every Heartbeat; who hears nothing for three of them gives the connection up. A
// client that is gone is not waited for. One that does not read loses its connection and harms nobody else.
//
// Contribute and Next of a Client may be called by one goroutine each. Close ends at once and waits for all goroutines. All wait
// through a world.World, and speak over a Conn, which in a simulation is no socket.
package serve

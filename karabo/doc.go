// Package karabo shows the events of a run to programs that speak the Karabo bridge protocol 2.2, as those of the European XFEL
// do: karabo_bridge and all that is built on it.
//
//	Stream (a run that is watched) --> Encoder --> wire.Outlet (REP, PUB or PUSH) --> clients
//
// An Encoder makes of a datagram the frames of a message: for each source a header and its values, and for each of its arrays a
// header and the bytes. Arrays are views of the datagram, one for each segment, and are written from there; docs/karabo.md says
// which sources and values there are. What a datagram does not tell is left out: no bytes make it fail.
//
// A Server has a goroutine for each socket. It takes an event from its stream when somebody is ready for one, gives it, and
// releases it when nothing of it is needed any more, which is after a moment however slow a client is. When nobody is connected
// it does not watch the run. It never ends because of a run that ends or dies, or of a client; it ends with its context.
//
// An Encoder belongs to one goroutine. Consumers and Books of a Server may be called at any time.
package karabo

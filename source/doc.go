// Package source is where datagrams come from: the simulator and XTC2 files.
//
// A Source announces one datagram at a time (Next) and then either reads it straight into a slot of the pebble (Fill)
// or leaves it out (Skip): the payload is written once, where everybody will read it. It owns no slot; the caller gives
// a Loan and seals it. A Source is used by one goroutine, ends with io.EOF, and is closed by Close.
//
// A datagram whose inside is damaged is delivered as it is: judging it is the caller's work. An error from Next or Fill
// other than io.EOF ends the source; everything before it was delivered.
package source

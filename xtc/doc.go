// Package xtc is the XTC2 format: the nouns of the whole pipeline (datagram, transition, damage, Names, ShapesData), a
// sequential reader of files, a writer of files with their small data, and the checks and listings made from them.
//
//	file      = datagram ...                         no file header, no index, no padding
//	datagram  = time 8 | env 4 | Xtc(Parent) 12 | payload
//	payload   = { Names | ShapesData | Parent } ...
//	ShapesData = Xtc 12 | { Shapes, Data }           in either order
//
// A Dgram is a view of bytes that somebody else owns: a slot, a read buffer, a mapped file. The accessors read it in
// place and nothing here keeps it, with one exception: a Writer refers to the large parts handed to it until its next
// Flush. Iterators, Blocks and Values are views too and live as long as the bytes below them.
//
// What runs once per event (reading, Structure, the Blocks walk, Builder, AppendParts) allocates nothing. Input is
// never trusted: no sequence of bytes makes this package panic or allocate more than the input is long, plus a
// constant. Trouble with the bytes is a *FormatError with the place, or a *TruncatedError when the input ends inside a
// datagram; trouble with the file system is wrapped with errno reachable by errors.Is.
//
// A Table is read-only after Configure and may then be shared between goroutines. Reader, Writer, Builder and the
// iterators belong to one goroutine at a time.
package xtc

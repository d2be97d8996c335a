package monitor

import (
	"encoding/binary"
	"fmt"
	"io"

	"drp/xtc"
)

// Kinds of what the server says on a socket.
const (
	frameHello      = 1 + iota // JSON, first of all
	frameRefused               // why nothing more comes
	frameTransition            // a datagram
	frameReplay                // one that holds, for who is late
	frameRestart               // as frameReplay, the first of several: what was sent before is of no more use
	frameWake                  // there is something in the queue
	frameEnd                   // the run has ended, and nothing more comes
)

// frame is what goes over a socket, behind a head of 24 bytes.
//
//	0      4       8        16       24
//	| kind | bytes | number | at     | payload ...
type frame struct {
	kind    byte
	number  uint64 // of a transition
	at      uint64 // entries of the queue that come before it
	payload []byte
}

const (
	frameHeadBytes = 24
	maxFrameBytes  = 1 << 30
	maxHelloBytes  = 4096 // of who connects
)

func (f *frame) write(w io.Writer) error {
	head := make([]byte, frameHeadBytes, frameHeadBytes+min(len(f.payload), maxHelloBytes))
	head[0] = f.kind
	binary.LittleEndian.PutUint32(head[4:], uint32(len(f.payload)))
	binary.LittleEndian.PutUint64(head[8:], f.number)
	binary.LittleEndian.PutUint64(head[16:], f.at)
	_, err := w.Write(append(head, f.payload...))
	return err
}

func readFrame(r io.Reader) (f frame, err error) {
	var head [frameHeadBytes]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return f, err
	}
	f.kind = head[0]
	n := binary.LittleEndian.Uint32(head[4:])
	f.number = binary.LittleEndian.Uint64(head[8:])
	f.at = binary.LittleEndian.Uint64(head[16:])
	if f.kind == 0 || f.kind > frameEnd || n > maxFrameBytes {
		return f, fmt.Errorf("monitor: a frame of kind %d with %d bytes is none", f.kind, n)
	}
	f.payload, err = io.ReadAll(io.LimitReader(r, int64(n))) // which takes memory by what comes, not by what is announced
	if err == nil && len(f.payload) < int(n) {
		err = io.ErrUnexpectedEOF
	}
	return f, err
}

// sound tells whether what should be a transition is one.
func (f *frame) sound() bool {
	if f.kind < frameTransition || f.kind > frameRestart {
		return true
	}
	d := xtc.Dgram(f.payload)
	return len(d) >= xtc.DgramHeaderBytes && d.Check() == nil && d.Size() == len(d) && !d.Service().IsEvent()
}

// hello is what a consumer is told first.
type hello struct {
	Version   int    `json:"version"`
	Publisher string `json:"publisher"` // of constants
	Data      place  `json:"data"`
	Queue     place  `json:"queue"`
}

// place is slots, or entries, in a segment.
type place struct {
	ID     int `json:"id"`
	Offset int `json:"offset"`
	Count  int `json:"count"`
	Bytes  int `json:"bytes"` // of each
}

// request is what a consumer says first, in one line.
type request struct {
	Version int    `json:"version"`
	Choose  Choice `json:"choose"`
	Name    string `json:"name"` // what he calls himself
}

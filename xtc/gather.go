package xtc

import "fmt"

const (
	gatherCopyBytes   = 16 << 10 // parts below are copied: cheaper than one more iovec, and the caller is free at once
	gatherBufferBytes = 1 << 20
)

// A gatherFile collects parts of datagrams, which then go to the disk in one write. To flush, drop or roll back a nil one
// is to do nothing: that of checksums which nobody wants.
//
// Invariant: parts holds what is not in the file yet, in order; each is either a piece of buf or the caller's memory.
// written is the length of the file up to the last whole datagram, to which a failed write is rolled back.
type gatherFile struct {
	disk    Disk
	file    DiskFile
	path    string // name it has while it is written
	final   string // name it gets on Close
	parts   [][]byte
	buf     []byte
	pending int64
	written int64
}

// size is the length of the file once all is written: the offset of the next datagram.
func (g *gatherFile) size() int64 { return g.written + g.pending }

// room tells whether that many parts, of which so many bytes are to be copied, can be added without a flush.
func (g *gatherFile) room(parts, copied int) bool {
	return g == nil || len(g.parts)+parts <= maxIovecs && cap(g.buf)-len(g.buf) >= copied
}

// reserve makes room after a flush for what is larger than the buffer.
func (g *gatherFile) reserve(copied int) {
	if g != nil && cap(g.buf)-len(g.buf) < copied {
		g.buf = make([]byte, 0, copied)
	}
}

// add takes one part; the caller saw to room. Memory on the caller's stack must go through copy, or it would escape.
func (g *gatherFile) add(p []byte) {
	if len(p) < gatherCopyBytes {
		g.copy(p)
		return
	}
	g.pending += int64(len(p))
	g.parts = append(g.parts, p)
}

// copy takes a part by value; it becomes one with the part before if that was copied too.
func (g *gatherFile) copy(p []byte) {
	if len(p) == 0 {
		return
	}
	at := len(g.buf)
	g.pending += int64(len(p))
	g.buf = append(g.buf, p...)
	if n := len(g.parts); n > 0 && at > 0 {
		if last := g.parts[n-1]; &last[len(last)-1] == &g.buf[at-1] {
			g.parts[n-1] = g.buf[at-len(last):]
			return
		}
	}
	g.parts = append(g.parts, g.buf[at:])
}

// write hands everything to the disk. It drops nothing yet, because the other file may fail.
func (g *gatherFile) write() error {
	if g == nil || len(g.parts) == 0 {
		return nil
	}
	return g.file.WriteParts(g.parts)
}

// commit forgets what write wrote.
func (g *gatherFile) commit() {
	if g != nil {
		g.written += g.pending
		g.drop()
	}
}

// drop forgets what is pending.
func (g *gatherFile) drop() {
	if g == nil {
		return
	}
	clear(g.parts) // so that the memory of others is not held
	g.parts, g.buf, g.pending = g.parts[:0], g.buf[:0], 0
}

// rollBack cuts the file to the last whole datagram.
func (g *gatherFile) rollBack() error {
	if g == nil {
		return nil
	}
	if err := g.file.Cut(g.written); err != nil {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

// publish gives the file its final name unless that is taken.
func (g *gatherFile) publish() error {
	if g == nil {
		return nil
	}
	err := g.disk.Publish(g.path, g.final)
	if err == nil {
		g.path = g.final
	}
	return err
}

// sync makes what is written durable.
func (g *gatherFile) sync() error {
	if g == nil {
		return nil
	}
	return g.file.Sync()
}

// discard removes a file that was made in vain.
func (g *gatherFile) discard() {
	if g == nil {
		return
	}
	_ = g.file.Close()
	_ = g.disk.Remove(g.path)
}

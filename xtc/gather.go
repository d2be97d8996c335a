package xtc

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"unsafe"
)

const (
	gatherCopyBytes   = 16 << 10 // parts below are copied: cheaper than one more iovec, and the caller is free at once
	gatherBufferBytes = 1 << 20
	maxIovecs         = 1024 // IOV_MAX of Linux
)

// A gatherFile collects parts of datagrams and writes them with writev: large parts go from the memory of their owner
// to the kernel, without a copy in between.
//
// Invariant: parts holds what is not in the file yet, in order; each is either a piece of buf or the caller's memory.
// written is the length of the file up to the last whole datagram, to which a failed write is rolled back.
type gatherFile struct {
	file    *os.File
	final   string // name the file gets on Close
	parts   [][]byte
	buf     []byte
	iovecs  []syscall.Iovec
	pending int64
	written int64
}

// size is the length of the file once all is written: the offset of the next datagram.
func (g *gatherFile) size() int64 { return g.written + g.pending }

// room tells whether that many parts, of which so many bytes are to be copied, can be added without a flush.
func (g *gatherFile) room(parts, copied int) bool {
	return len(g.parts)+parts <= maxIovecs && cap(g.buf)-len(g.buf) >= copied
}

// reserve makes room after a flush for what is larger than the buffer.
func (g *gatherFile) reserve(copied int) {
	if cap(g.buf)-len(g.buf) < copied {
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

// write hands everything to the kernel. It drops nothing yet, because the other file may fail.
func (g *gatherFile) write() error {
	rest, done := g.parts, 0 // done counts the bytes of rest[0] that are written
	for len(rest) > 0 {
		n, err := g.writev(rest[:min(len(rest), maxIovecs)], done)
		if err != nil {
			return err
		}
		done += n
		for len(rest) > 0 && done >= len(rest[0]) {
			done -= len(rest[0])
			rest = rest[1:]
		}
	}
	return nil
}

// writev writes parts, of which the first skip bytes are written already, and returns how far the kernel came.
func (g *gatherFile) writev(parts [][]byte, skip int) (int, error) {
	g.iovecs = g.iovecs[:0]
	for i, p := range parts {
		if i == 0 {
			p = p[skip:]
		}
		v := syscall.Iovec{Base: unsafe.SliceData(p)}
		v.SetLen(len(p))
		g.iovecs = append(g.iovecs, v)
	}
	defer clear(g.iovecs)
	for {
		n, _, errno := syscall.Syscall(syscall.SYS_WRITEV, g.file.Fd(), uintptr(unsafe.Pointer(&g.iovecs[0])),
			uintptr(len(g.iovecs)))
		switch {
		case errno == syscall.EINTR:
		case errno != 0:
			return 0, &os.PathError{Op: "writev", Path: g.file.Name(), Err: errno}
		case n == 0:
			return 0, &os.PathError{Op: "writev", Path: g.file.Name(), Err: io.ErrShortWrite}
		default:
			return int(n), nil
		}
	}
}

// commit forgets what write wrote.
func (g *gatherFile) commit() {
	g.written += g.pending
	g.drop()
}

// drop forgets what is pending.
func (g *gatherFile) drop() {
	clear(g.parts) // so that the memory of others is not held
	g.parts, g.buf, g.pending = g.parts[:0], g.buf[:0], 0
}

// rollBack cuts the file to the last whole datagram.
func (g *gatherFile) rollBack() error {
	if err := g.file.Truncate(g.written); err != nil {
		return err
	}
	if _, err := g.file.Seek(g.written, io.SeekStart); err != nil {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

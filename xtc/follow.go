package xtc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// A Follower reads a file while a Writer writes it, and waits at its end for more, until the file has its final name. It
// gives whole datagrams only: what a full disk leaves of one, the Writer cuts off again.
type Follower struct {
	// Aborted is set at the end of a file whose writer died.
	Aborted bool

	ctx   context.Context //nolint:containedctx // io.Reader has no other way to hear of it
	file  *os.File
	path  string // in progress
	at    int64  // read so far
	limit int64  // datagrams before this are whole
	last  [DgramHeaderBytes]byte
	begun int64 // where the last whole datagram begins, -1 if there is none
}

// followTick is how often a Follower looks for more.
const followTick = 50 * time.Millisecond

// Follow opens a file in progress, by that name or by its final one.
func Follow(ctx context.Context, path string) (*Follower, error) {
	path = strings.TrimSuffix(path, inProgressSuffix) + inProgressSuffix
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("xtc: follow: %w", err)
	}
	return &Follower{ctx: ctx, file: file, path: path, begun: -1}, nil
}

// FinalName is the name that a file in progress will have.
func FinalName(path string) string { return strings.TrimSuffix(path, inProgressSuffix) }

// Read implements io.Reader.
func (f *Follower) Read(p []byte) (int, error) {
	for f.at == f.limit {
		over := f.over() // asked first: what is written before the end is seen after it
		if err := f.look(); err != nil {
			return 0, err
		}
		if f.at < f.limit {
			break
		}
		if over {
			return 0, io.EOF
		}
		select {
		case <-f.ctx.Done():
			return 0, context.Cause(f.ctx)
		case <-time.After(followTick):
		}
	}
	n, err := f.file.ReadAt(p[:min(int64(len(p)), f.limit-f.at)], f.at)
	f.at += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// look finds the datagrams that have become whole.
func (f *Follower) look() error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	var header [DgramHeaderBytes]byte
	if f.begun >= 0 {
		if _, err := f.file.ReadAt(header[:], f.begun); err != nil || header != f.last || info.Size() < f.limit {
			return fmt.Errorf("xtc: follow %s: its writer has taken back what was read at %d, as it does when a disk is full: "+
				"begin again when the file is complete", f.path, f.begun)
		}
	}
	for info.Size()-f.limit >= DgramHeaderBytes {
		if _, err := f.file.ReadAt(header[:], f.limit); err != nil {
			return err
		}
		d := Dgram(header[:])
		if d.implausible() != "" { // the Reader says so
			f.limit = info.Size()
			return nil
		}
		if info.Size()-f.limit < int64(d.Size()) {
			return nil
		}
		f.last, f.begun = header, f.limit
		f.limit += int64(d.Size())
	}
	return nil
}

// over tells that nobody writes to the file any more: it has its final name, or its writer is dead.
func (f *Follower) over() bool {
	there, err := os.Stat(f.path)
	if err != nil {
		return os.IsNotExist(err)
	}
	if held, err := f.file.Stat(); err != nil || !os.SameFile(held, there) {
		return true
	}
	if syscall.Flock(int(f.file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil {
		return false // its writer holds it, or there are no locks on this file system
	}
	_ = syscall.Flock(int(f.file.Fd()), syscall.LOCK_UN)
	// Between its last two looks the file may have got its final name.
	_, err = os.Stat(f.path)
	f.Aborted = err == nil
	return true
}

// Close closes the file.
func (f *Follower) Close() error { return f.file.Close() }

package xtc

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"
)

// A Writer writes one big file and its small data. Both are named .inprogress until Close.
//
// Parts below 16 KiB are copied when they are appended. Larger ones are referred to until the next Flush, so their
// owner must leave them alone until then. Datagrams are written whole or not at all: when a Flush fails, both files are
// cut back to the last good one, everything since stays pending, and Flush may be tried again (after somebody made
// space on the disk, say) or Drop called.
type Writer struct {
	disk       Disk
	big, small *gatherFile
	crc        *gatherFile // checksums of the big file, or nil
	index      smallIndex
	sums       crcIndex
	// configurePending says that index belongs to a Configure that is not flushed.
	configurePending bool
	pending, done    Counts
	err              error    // sticks once a file is in an unknown state or closed
	chunks           []string // big files that are complete
	former           int64    // bytes in them
	one              [1][]byte
}

// Create makes dir, dir/smalldata and the two files. It refuses names that are taken, and says whether another process
// is still writing them.
func Create(dir string, name FileName) (*Writer, error) {
	return CreateWith(WriterOptions{}, dir, name)
}

// WriterOptions choose what a Writer writes to and what beside the data. The zero value is what Create takes.
type WriterOptions struct {
	Disk Disk // nil: that of the machine
	CRC  bool // write checksums beside each big file
}

// CreateWith is Create with options.
func CreateWith(o WriterOptions, dir string, name FileName) (*Writer, error) {
	if o.Disk == nil {
		o.Disk = osDisk{}
	}
	big, small, err := createPair(o.Disk, dir, name)
	if err != nil {
		return nil, fmt.Errorf("xtc: create: %w", err)
	}
	w := &Writer{disk: o.Disk, big: big, small: small}
	if !o.CRC {
		return w, nil
	}
	w.sums.table = crcTable()
	if w.crc, err = w.beginCRC(big.final); err != nil {
		big.discard()
		small.discard()
		return nil, fmt.Errorf("xtc: create: %w", err)
	}
	return w, nil
}

// Append appends a whole datagram. On an error nothing of it was taken.
func (w *Writer) Append(d Dgram) error {
	if err := d.checkWhole(); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	w.one[0] = d[DgramHeaderBytes:]
	err := w.AppendParts(d[:DgramHeaderBytes], w.one[:]...)
	w.one[0] = nil
	return err
}

// AppendParts appends the datagram made of a header, whose size is computed here, and the parts of its payload. hdr is
// not changed. On an error nothing of it was taken.
func (w *Writer) AppendParts(hdr Dgram, parts ...[]byte) error {
	if w.err != nil {
		return w.err
	}
	var head [DgramHeaderBytes]byte
	payload, err := sumParts(hdr, parts)
	if err != nil {
		return err
	}
	copy(head[:], hdr)
	d := Dgram(head[:])
	d.SetSize(DgramHeaderBytes + payload)
	if reason := d.implausible(); reason != "" {
		return fmt.Errorf("xtc: append: %s", reason)
	}
	if err := w.makeRoom(parts); err != nil {
		return err
	}
	return w.take(d, parts)
}

func sumParts(hdr Dgram, parts [][]byte) (int, error) {
	if len(hdr) < DgramHeaderBytes {
		return 0, errors.New("xtc: append: the header of the datagram is not complete")
	}
	payload := 0
	for _, p := range parts {
		payload += len(p)
	}
	if payload > MaxExtent-XtcHeaderBytes {
		return 0, fmt.Errorf("xtc: append: a payload of %d bytes is too large for a datagram", payload)
	}
	return payload, nil
}

// makeRoom flushes if the datagram would not fit: never in the middle of one.
func (w *Writer) makeRoom(parts [][]byte) error {
	copied := max(DgramHeaderBytes, smallEventBytes)
	for _, p := range parts {
		if len(p) < gatherCopyBytes {
			copied += len(p)
		}
	}
	n := 2*len(parts) + 2
	if w.big.room(n, copied) && w.small.room(n, copied) && w.crc.room(1, crcRecordBytes) {
		return nil
	}
	if err := w.Flush(); err != nil {
		return err
	}
	w.big.reserve(copied)
	w.small.reserve(copied)
	return nil
}

// take adds the datagram to both files.
func (w *Writer) take(d Dgram, parts [][]byte) error {
	switch s := d.Service(); {
	case s.IsEvent():
		if !w.index.ready {
			return fmt.Errorf("xtc: append: %v before any Configure", s)
		}
		w.small.copy(w.index.event(d, w.big.size()))
	case s == Configure:
		whole, err := w.configure(d, parts)
		if err != nil {
			return err
		}
		w.small.add(whole)
		w.configurePending = true
	case s == EndRun:
		head := *(*[DgramHeaderBytes]byte)(d)
		Dgram(head[:]).SetSize(DgramHeaderBytes)
		w.small.copy(head[:])
	default:
		w.small.copy(d)
		for _, p := range parts {
			w.small.add(p)
		}
	}
	if w.crc != nil {
		w.crc.copy(w.sums.datagram(w.big.size(), d, parts))
	}
	w.big.copy(d)
	for _, p := range parts {
		w.big.add(p)
	}
	w.pending.Last = d.Time()
	if d.Service().IsEvent() {
		w.pending.Events++
	} else {
		w.pending.Transitions++
	}
	return nil
}

// configure makes the small-data form of a Configure. The buffer of the last one may still be referred to.
func (w *Writer) configure(d Dgram, parts [][]byte) ([]byte, error) {
	if err := w.Flush(); err != nil {
		return nil, err
	}
	size := d.Size()
	whole := make([]byte, 0, size+namesHeadBytes+2*nameBytes)
	whole = append(whole, d...)
	for _, p := range parts {
		whole = append(whole, p...)
	}
	whole, err := w.index.configure(whole)
	if err != nil {
		return nil, fmt.Errorf("append: %w", err)
	}
	w.small.reserve(len(whole))
	return whole, nil
}

// Flush hands everything appended to the operating system and lets go of the callers' memory. The error is a
// *WriteError.
func (w *Writer) Flush() error {
	if w.err != nil {
		return w.err
	}
	err := w.big.write()
	if err == nil {
		err = w.small.write()
	}
	if err == nil {
		err = w.crc.write()
	}
	if err == nil {
		w.big.commit()
		w.small.commit()
		w.crc.commit()
		w.sums.commit()
		w.configurePending = false
		w.done.Events += w.pending.Events
		w.done.Transitions += w.pending.Transitions
		if w.pending != (Counts{}) {
			w.done.Last = w.pending.Last
		}
		w.pending = Counts{}
		return nil
	}
	undone := errors.Join(w.big.rollBack(), w.small.rollBack(), w.crc.rollBack())
	if undone != nil || errors.Is(err, syscall.EIO) { // after EIO nobody knows what the disk has of the pages before
		return w.spoil("write", errors.Join(err, undone))
	}
	return &WriteError{Op: "write", Err: err}
}

// spoil notes that the files are in an unknown state.
func (w *Writer) spoil(op string, err error) error {
	w.err = &WriteError{Op: op, Err: err, Unknown: true}
	return w.err
}

// Written counts the datagrams that are wholly in the files.
func (w *Writer) Written() Counts { return w.done }

// Counts are numbers of datagrams.
type Counts struct {
	Events, Transitions int64
	Last                uint64 // time of the last of them
}

// Removed tells that one of the files has lost its name: what is written to it will be gone after Close.
func (w *Writer) Removed() bool {
	return !errors.Is(w.err, fs.ErrClosed) && (w.big.file.Removed() || w.small.file.Removed())
}

// Drop forgets what was appended since the last Flush that succeeded. If a Configure was among it, events are
// refused until the next one.
func (w *Writer) Drop() {
	if w.configurePending {
		w.index.ready, w.configurePending = false, false
	}
	w.big.drop()
	w.small.drop()
	w.dropCRC()
	w.pending = Counts{}
}

// Bytes is the size of the big files with what is pending.
func (w *Writer) Bytes() int64 { return w.former + w.big.size() }

// ChunkBytes is the size of the present big file with what is pending.
func (w *Writer) ChunkBytes() int64 { return w.big.size() }

// Files gives the names the files have after Close: the chunks in order, then the small data.
func (w *Writer) Files() []string { return append(slices.Clone(w.chunks), w.big.final, w.small.final) }

// NextChunk completes the big file and goes on in another in the same folder, whose name an Enable has announced. The
// small data goes on; its offsets begin again at 0.
func (w *Writer) NextChunk(name string) error {
	if name == "" || name != filepath.Base(name) || len(name) > maxNameBytes {
		return fmt.Errorf("xtc: next chunk: %q is no file name", name)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	next, err := createOutput(w.disk, filepath.Join(filepath.Dir(w.big.final), name))
	if err != nil {
		return &WriteError{Op: "next chunk", Err: err}
	}
	crc, err := w.nextCRC(next.final)
	if err != nil {
		next.discard()
		return &WriteError{Op: "next chunk", Err: err}
	}
	if err := w.endChunk(); err != nil {
		next.discard()
		crc.discard()
		return err
	}
	w.chunks, w.former = append(w.chunks, w.big.final), w.former+w.big.size()
	w.big, w.crc = next, crc
	w.sums.begin()
	return nil
}

// endChunk completes the big file and its checksums.
func (w *Writer) endChunk() error {
	err := errors.Join(w.big.file.Sync(), w.endCRC())
	if err != nil { // a second sync would say nothing about what the first has lost
		return w.spoil("sync "+w.big.path, err)
	}
	if err := errors.Join(w.big.publish(), w.crc.publish()); err != nil {
		return w.spoil("close "+w.big.final, err)
	}
	_ = w.big.file.Close() // all of it is on the disk, so nothing it says matters
	if w.crc != nil {
		_ = w.crc.file.Close()
	}
	return nil
}

// maxNameBytes is what a file system takes, with the suffix of an unfinished file.
const maxNameBytes = 255 - len(inProgressSuffix)

// Close flushes, makes both files durable and gives them their final names. What fails before that
// leaves the name .inprogress; the Writer is closed in any case.
func (w *Writer) Close() error {
	if errors.Is(w.err, fs.ErrClosed) {
		return w.err
	}
	err := w.Flush()
	if err == nil {
		err = errors.Join(w.big.file.Sync(), w.small.file.Sync(), w.endCRC())
	}
	if err == nil {
		// The big one first: tools look for the small one and then expect the other.
		if err = w.big.publish(); err == nil {
			err = errors.Join(w.crc.publish(), w.small.publish())
		}
	}
	if err == nil {
		err = errors.Join(w.disk.SyncDir(filepath.Dir(w.big.final)), w.disk.SyncDir(filepath.Dir(w.small.final)))
	}
	return w.closeFiles("close", err)
}

// Abort closes both files as they are after the last Flush, under the names they have.
func (w *Writer) Abort() error {
	if errors.Is(w.err, fs.ErrClosed) {
		return w.err
	}
	w.Drop()
	return w.closeFiles("abort", nil)
}

func (w *Writer) closeFiles(op string, err error) error {
	err = errors.Join(err, w.big.file.Close(), w.small.file.Close())
	if w.crc != nil {
		err = errors.Join(err, w.crc.file.Close())
	}
	w.err = fmt.Errorf("xtc: %s: %w", w.big.final, fs.ErrClosed)
	if err != nil {
		return fmt.Errorf("xtc: %s %s: %w", op, w.big.final, err)
	}
	return nil
}

// Discard closes both files and removes them, for a run that never began.
func (w *Writer) Discard() error {
	if errors.Is(w.err, fs.ErrClosed) {
		return w.err
	}
	w.Drop()
	err := errors.Join(w.disk.Remove(w.big.path), w.disk.Remove(w.small.path))
	if w.crc != nil {
		err = errors.Join(err, w.disk.Remove(w.crc.path))
	}
	return w.closeFiles("discard", err)
}

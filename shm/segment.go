package shm

import (
	"fmt"
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	shmtool "github.com/ghetzel/shmtool/shm"
)

// MaxBytes is the largest segment: sizes pass through a C int in shmtool.
const MaxBytes = math.MaxInt32

// HeaderBytes is the size of the header page at the start of every segment.
const HeaderBytes = 4096

// Segment is an attached shared-memory segment. The zero value is no segment; id 0 is a valid id.
type Segment struct {
	id    int
	addr  unsafe.Pointer
	bytes []byte
}

// Create makes a segment with room for payloadBytes after the header page, mode 0600, attached and already removed
// from the system's table. The memory is zero. It fails when the size is out of range or the system refuses.
func Create(payloadBytes int) (*Segment, error) {
	seg, err := create(payloadBytes)
	if err != nil {
		return nil, err
	}
	if err := shmtool.DestroySegment(seg.id); err != nil {
		_ = seg.Close()
		return nil, fmt.Errorf("shm: remove segment %d after attaching it: %w", seg.id, err)
	}
	return seg, nil
}

// create attaches a new segment and writes its header, but leaves it in the system's table.
func create(payloadBytes int) (*Segment, error) {
	if payloadBytes < 1 {
		return nil, fmt.Errorf("shm: create segment: a payload of %d bytes is no size", payloadBytes)
	}
	if payloadBytes > MaxBytes-HeaderBytes {
		return nil, fmt.Errorf("shm: create segment of %d bytes: one segment holds at most %d bytes (2 GiB - 1): "+
			"use fewer or smaller slots", payloadBytes, MaxBytes-HeaderBytes)
	}
	// Who makes it is found out before: a process that is killed between here and the end of the header leaves a segment
	// that nobody can tell to be ours, so that this has to be short.
	owner, err := Self()
	if err != nil {
		return nil, err
	}
	size := payloadBytes + HeaderBytes
	raw, err := shmtool.Create(size)
	if err != nil {
		return nil, fmt.Errorf("shm: create segment of %d bytes: %w", size, err)
	}
	// shmtool reports a failed size query as a size of -1, so the size is checked before it is believed.
	if raw.Size < int64(size) {
		_ = raw.Destroy()
		return nil, fmt.Errorf("shm: create segment %d: the system gave %d bytes instead of %d", raw.Id, raw.Size, size)
	}
	addr, err := raw.Attach()
	if err != nil {
		_ = raw.Destroy()
		return nil, fmt.Errorf("shm: attach segment %d: %w", raw.Id, err)
	}
	seg := &Segment{id: raw.Id, addr: addr, bytes: unsafe.Slice((*byte)(addr), size)}
	putHeader(seg.bytes, owner)
	return seg, nil
}

// ID is what another process attaches by, while the owner lives.
func (s *Segment) ID() int { return s.id }

// ForReaders lets others attach the segment from now on only to read it. The kernel holds all but root to it.
func (s *Segment) ForReaders() error {
	var d unix.SysvShmDesc
	_, err := unix.SysvShmCtl(s.id, unix.IPC_STAT, &d)
	if err == nil {
		d.Perm.Mode = 0o400
		_, err = unix.SysvShmCtl(s.id, unix.IPC_SET, &d)
	}
	if err != nil {
		return fmt.Errorf("shm: make segment %d read-only for others: %w", s.id, err)
	}
	return nil
}

// Bytes is the payload, after the header page, valid until Close.
func (s *Segment) Bytes() []byte { return s.bytes[HeaderBytes:] }

// Prefault stores into every page of a new segment, so that a lack of memory shows now and not in the middle of a run.
func (s *Segment) Prefault() {
	payload := s.Bytes()
	for i := 0; i < len(payload); i += HeaderBytes {
		payload[i] = 0
	}
}

// Close detaches. The memory is freed once every process has detached. A second Close does nothing.
func (s *Segment) Close() error {
	if s.addr == nil {
		return nil
	}
	addr := s.addr
	s.addr, s.bytes = nil, nil
	if err := (&shmtool.Segment{Id: s.id}).Detach(addr); err != nil {
		return fmt.Errorf("shm: detach segment %d: %w", s.id, err)
	}
	return nil
}

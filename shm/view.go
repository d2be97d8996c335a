package shm

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// View is a segment of another process of this user. Where it was attached to be read, a write to it ends the program.
type View struct {
	Owner Owner // as its header says
	bytes []byte
}

// Attach attaches a segment of ours by its id, while its owner lives. One of another user is refused, since he could
// change it, and so is one without our header.
func Attach(id int) (*View, error) { return attach(id, unix.SHM_RDONLY) }

// AttachWritable is Attach of a segment that both sides write to.
func AttachWritable(id int) (*View, error) { return attach(id, 0) }

func attach(id, flags int) (*View, error) {
	var d unix.SysvShmDesc
	if _, err := unix.SysvShmCtl(id, unix.IPC_STAT, &d); err != nil {
		return nil, fmt.Errorf("shm: look at segment %d: %w", id, err)
	}
	if int(d.Perm.Uid) != os.Getuid() {
		return nil, fmt.Errorf("shm: segment %d belongs to user %d and not to %d", id, d.Perm.Uid, os.Getuid())
	}
	b, err := unix.SysvShmAttach(id, 0, flags)
	if err != nil {
		return nil, fmt.Errorf("shm: attach segment %d: %w", id, err)
	}
	owner, ours := parseHeader(b[:min(len(b), HeaderBytes)])
	if !ours || len(b) <= HeaderBytes {
		_ = unix.SysvShmDetach(b)
		return nil, fmt.Errorf("shm: segment %d is not one of drp", id)
	}
	return &View{Owner: owner, bytes: b}, nil
}

// Bytes is the payload, after the header page, valid until Close.
func (v *View) Bytes() []byte { return v.bytes[HeaderBytes:] }

// Close detaches. A second Close does nothing.
func (v *View) Close() error {
	if v.bytes == nil {
		return nil
	}
	b := v.bytes
	v.bytes = nil
	if err := unix.SysvShmDetach(b); err != nil {
		return fmt.Errorf("shm: detach: %w", err)
	}
	return nil
}

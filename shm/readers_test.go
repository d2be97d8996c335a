package shm

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// nobody is a user without rights.
const nobody = 65534

// TestForReaders: who attaches by the id may read and not write. Root may all the same, and so tries it as nobody.
func TestForReaders(t *testing.T) {
	if os.Getuid() == 0 {
		again := exec.Command("/proc/self/exe", "-test.run=^TestForReaders$")
		again.Dir = "/"
		again.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		if out, err := again.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	s, err := Create(4096)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.ForReaders(); err != nil {
		t.Fatal(err)
	}
	s.Bytes()[0] = 7 // we still may
	if _, err := unix.SysvShmAttach(s.ID(), 0, 0); !errors.Is(err, unix.EACCES) {
		t.Errorf("attached to write: %v", err)
	}
	b, err := unix.SysvShmAttach(s.ID(), 0, unix.SHM_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	if b[HeaderBytes] != 7 {
		t.Error("what was written cannot be read")
	}
	if err := unix.SysvShmDetach(b); err != nil {
		t.Error(err)
	}
}

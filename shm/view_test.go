package shm

import (
	"errors"
	"syscall"
	"testing"

	shmtool "github.com/ghetzel/shmtool/shm"
)

func TestAttach(t *testing.T) {
	s, err := Create(10_000)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	s.Bytes()[9_999] = 7
	v, err := Attach(s.ID())
	if err != nil {
		t.Fatal(err)
	}
	if self, _ := Self(); v.Owner != self {
		t.Errorf("the owner is %+v", v.Owner)
	}
	if b := v.Bytes(); len(b) < 10_000 || b[9_999] != 7 {
		t.Errorf("%d bytes", len(b))
	}
	if err := errors.Join(v.Close(), v.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := Attach(s.ID()); !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EIDRM) {
		t.Errorf("a segment that is gone: %v", err)
	}
	foreign, err := shmtool.Create(1 << 16)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = foreign.Destroy() }()
	if _, err := Attach(foreign.Id); err == nil {
		t.Error("a segment of another program was attached")
	}
}

package shm

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	shmtool "github.com/ghetzel/shmtool/shm"
	"golang.org/x/sys/unix"
)

// TestMain doubles as the process that dies with a segment in the table.
func TestMain(m *testing.M) {
	if os.Getenv("SHM_TEST_LEAVE") != "" {
		seg, err := create(1 << 16)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(seg.ID())
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	os.Exit(m.Run())
}

func listed(t *testing.T, id int) bool {
	t.Helper()
	data, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(data), "\n") {
		f := strings.Fields(line)
		if len(f) > 2 && f[1] == fmt.Sprint(id) {
			return true
		}
	}
	return false
}

func TestOneSegmentSeenThroughTwoLibraries(t *testing.T) {
	seg, err := Create(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(seg.Bytes()); got != 1<<20 {
		t.Fatalf("payload of %d bytes", got)
	}
	copy(seg.Bytes(), "from Go")
	other, err := unix.SysvShmAttach(seg.ID(), 0, unix.SHM_RDONLY)
	if err != nil {
		t.Fatalf("a removed segment must stay attachable while its owner lives: %v", err)
	}
	if got := string(other[HeaderBytes : HeaderBytes+7]); got != "from Go" {
		t.Fatalf("the other attachment reads %q", got)
	}
	if err := unix.SysvShmDetach(other); err != nil {
		t.Fatal(err)
	}
	if err := seg.Close(); err != nil {
		t.Fatal(err)
	}
	if listed(t, seg.ID()) {
		t.Fatal("the segment is still there after the last detach")
	}
	if err := seg.Close(); err != nil {
		t.Fatalf("second Close: %v", err)
	}
}

func TestSizesOutOfRangeAreRefused(t *testing.T) {
	for _, size := range []int{-1, 0, MaxBytes, MaxBytes - HeaderBytes + 1, 1 << 40} {
		if seg, err := Create(size); err == nil {
			_ = seg.Close()
			t.Errorf("a segment of %d bytes was made", size)
		}
	}
	if _, err := Create(1 << 32); err == nil || !strings.Contains(err.Error(), "2 GiB - 1") {
		t.Errorf("no clear sentence for 4 GiB: %v", err)
	}
}

func TestErrnoStaysReachable(t *testing.T) {
	seg := &Segment{id: 1 << 30, addr: nil}
	if err := seg.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := (&shmtool.Segment{Id: 1 << 30}).Attach()
	if !errors.Is(err, syscall.EINVAL) {
		t.Fatalf("attach of an id that is none: %v", err)
	}
}

func TestStaleFindsOnlyOurDead(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SHM_TEST_LEAVE=1")
	out, _ := cmd.Output()
	var dead int
	if _, err := fmt.Sscan(string(out), &dead); err != nil {
		t.Fatalf("the helper said %q: %v", out, err)
	}
	living, err := create(1 << 16) // ours and in the table, but alive
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shmtool.DestroySegment(living.ID()); _ = living.Close() }()
	foreign, err := shmtool.Create(1 << 16) // no magic, nobody attached
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = foreign.Destroy() }()

	stale, err := Stale()
	if err != nil {
		t.Fatal(err)
	}
	var mine *Leftover
	for i := range stale {
		switch stale[i].ID {
		case dead:
			mine = &stale[i]
		case living.ID(), foreign.Id:
			t.Errorf("segment %d is listed as stale", stale[i].ID)
		}
	}
	if mine == nil {
		t.Fatalf("segment %d of a killed process is not found", dead)
	}
	if err := mine.Remove(); err != nil {
		t.Fatal(err)
	}
	if listed(t, dead) {
		t.Fatal("not removed")
	}
	if err := (Leftover{ID: living.ID(), Owner: mine.Owner}).Remove(); err == nil {
		t.Fatal("a living owner's segment was removed")
	}
}

func TestOwner(t *testing.T) {
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	if !self.Alive() {
		t.Error("this process counts as dead")
	}
	for name, o := range map[string]Owner{
		"other start time": {PID: self.PID, StartTime: self.StartTime + 1, BootID: self.BootID},
		"other boot":       {PID: self.PID, StartTime: self.StartTime, BootID: "x"},
		"no process":       {PID: 1 << 22, StartTime: 1, BootID: self.BootID},
	} {
		if o.Alive() {
			t.Errorf("%s counts as alive", name)
		}
	}
}

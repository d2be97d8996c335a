package xtc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

// followed writes a run while it is read, one datagram after the other.
type followed struct {
	t        *testing.T
	w        *xtc.Writer
	path     string
	follower *xtc.Follower
	r        *xtc.Reader
}

func follow(t *testing.T, ctx context.Context) *followed { //nolint:revive // t comes first here
	dir, name := t.TempDir(), xtc.FileName{Expt: "test", Run: 5}
	f := &followed{t: t, w: must(xtc.Create(dir, name)), path: filepath.Join(dir, name.Data()+".inprogress")}
	f.follower = must(xtc.Follow(ctx, strings.TrimSuffix(f.path, ".inprogress")))
	t.Cleanup(func() { _ = f.follower.Close(); _ = f.w.Abort() })
	f.r = xtc.NewReader(f.follower, f.path)
	return f
}

func (f *followed) write(d xtc.Dgram) {
	if err := errors.Join(f.w.Append(d), f.w.Flush()); err != nil {
		f.t.Fatal(err)
	}
}

func (f *followed) read(want xtc.Dgram) {
	f.t.Helper()
	if _, err := f.r.Next(); err != nil {
		f.t.Fatal(err)
	}
	if got := must(f.r.ReadDgram(nil)); !bytes.Equal(got, want) {
		f.t.Fatalf("%v at %d was read, and not %v at %d", got.Service(), got.Time(), want.Service(), want.Time())
	}
}

func (f *followed) ends(want error) {
	f.t.Helper()
	if _, err := f.r.Next(); !errors.Is(err, want) {
		f.t.Fatalf("%v, want %v", err, want)
	}
}

func TestFollow(t *testing.T) {
	run := testkit.Camera{Segments: 2, Rows: 100, Cols: 200}.Run(5)
	f := follow(t, context.Background())
	for _, d := range run { // the reader waits for each
		f.write(d)
		f.read(d)
	}
	waiting := make(chan error)
	go func() { _, err := f.r.Next(); waiting <- err }()
	if err := f.w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; err != io.EOF || f.follower.Aborted {
		t.Errorf("%v, aborted %v", err, f.follower.Aborted)
	}
}

// TestFollowOnlyWhole: half a datagram is not shown, and what is cut off again and written anew is read as it is then.
func TestFollowOnlyWhole(t *testing.T) {
	run := testkit.Camera{}.Run(2)
	f := follow(t, context.Background())
	f.write(run[0])
	f.read(run[0])
	whole := must(os.Stat(f.path)).Size()
	file := must(os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND, 0))
	defer func() { _ = file.Close() }()
	must(file.Write(run[4][:len(run[4])-1]))
	seen := make(chan error)
	go func() { _, err := f.r.Next(); seen <- err }()
	if err := os.Truncate(f.path, whole); err != nil {
		t.Fatal(err)
	}
	f.write(run[1])
	if err := <-seen; err != nil {
		t.Fatal(err)
	}
	if got := must(f.r.ReadDgram(nil)); !bytes.Equal(got, run[1]) {
		t.Errorf("%v was read", got.Service())
	}
}

// TestFollowTakenBack has the writer take a whole datagram back that was read.
func TestFollowTakenBack(t *testing.T) {
	run := testkit.Camera{}.Run(3)
	f := follow(t, context.Background())
	f.write(run[0])
	whole := must(os.Stat(f.path)).Size()
	f.write(run[4])
	f.read(run[0])
	f.read(run[4])
	if err := os.Truncate(f.path, whole); err != nil {
		t.Fatal(err)
	}
	file := must(os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND, 0))
	defer func() { _ = file.Close() }()
	must(file.Write(append(append([]byte{}, run[5]...), run[6]...)))
	if _, err := f.r.Next(); err == nil || !strings.Contains(err.Error(), "has taken back what was read") {
		t.Errorf("%v", err)
	}
}

func TestFollowAborted(t *testing.T) {
	run := testkit.Camera{}.Run(2)
	f := follow(t, context.Background())
	f.write(run[0])
	f.read(run[0])
	file := must(os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND, 0))
	defer func() { _ = file.Close() }()
	must(file.Write(run[4][:30])) // what a kill leaves
	if err := f.w.Abort(); err != nil {
		t.Fatal(err)
	}
	f.ends(io.EOF)
	if !f.follower.Aborted {
		t.Error("nobody says that the writer is dead")
	}
}

func TestFollowStops(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	f := follow(t, ctx)
	enough := errors.New("enough")
	cancel(enough)
	f.ends(enough)
	if _, err := xtc.Follow(ctx, filepath.Join(t.TempDir(), "none.xtc2")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

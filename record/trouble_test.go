package record_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/record"
	"drp/xtc"
)

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	busy := open(t, filepath.Join(dir, "busy"))
	put(t, busy, camera.Configure(1), -1)
	left := open(t, filepath.Join(dir, "left"))
	put(t, left, camera.Configure(1), -1)
	if err := left.Abandon(); err != nil {
		t.Fatal(err)
	}
	done := open(t, filepath.Join(dir, "done"))
	put(t, done, camera.Configure(1), -1)
	closeIt(t, done)
	tests := []struct {
		name, dir, expt, want string
		errno                 error
	}{
		{"another recorder writes there", dir + "/busy", "test", "is writing", fs.ErrExist},
		{"what was left by another", dir + "/left", "test", "was left by a run that was aborted", fs.ErrExist},
		{"what another has recorded", dir + "/done", "test", "exists already", fs.ErrExist},
		{"a file where the folder should be", file, "test", "not a directory", syscall.ENOTDIR},
		{"a file above the folder", file + "/out", "test", "not a directory", syscall.ENOTDIR},
		{"a bad name", dir, "../test", `experiment "../test" cannot begin a file name`, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := record.New(record.Config{Dir: test.dir, Expt: test.expt, Run: 5, Stream: 2})
			if err == nil {
				_ = r.Close()
				t.Fatal("it was opened")
			}
			if !strings.HasPrefix(err.Error(), "record: ") || !strings.Contains(err.Error(), test.want) ||
				test.errno != nil && !errors.Is(err, test.errno) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	put(t, busy, camera.Event(2, 0), -1) // it was not disturbed
	closeIt(t, busy)
	readFile(t, busy.Files()[0])
}

func TestFolderWithoutPermission(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if os.Mkdir(filepath.Join(dir, "probe"), 0o700) == nil {
		t.Skip("this user may write everywhere")
	}
	if _, err := record.New(record.Config{Dir: filepath.Join(dir, "out"), Expt: "test", Run: 5}); !errors.Is(err, syscall.EACCES) {
		t.Error(err)
	}
}

// TestNextRunIsTaken has the file of the second run in the way: it goes beside it, nothing is overwritten.
func TestNextRunIsTaken(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "test-r0006-s002-c000.xtc2")
	if err := os.WriteFile(taken, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir)
	put(t, r, camera.Configure(1), -1)
	put(t, r, camera.BeginRun(2, 5), 5)
	put(t, r, testkit.Plain(xtc.EndRun, 3), -1)
	put(t, r, camera.BeginRun(4, 6), 6)
	closeIt(t, r)
	if got := lettersOf(t, r.Files()[0]); got != "CRr" || len(r.Files()) != 4 {
		t.Errorf("%s in %v", got, r.Files())
	}
	if beside := filepath.Join(dir, "part2", "test-r0006-s002-c000.xtc2"); r.Files()[2] != beside || lettersOf(t, beside) != "CR" {
		t.Error(r.Files())
	}
	if string(must(os.ReadFile(taken))) != "precious" {
		t.Error("a file of somebody else was overwritten")
	}
}

// TestAbandon leaves what was flushed, under the names of unfinished files.
func TestAbandon(t *testing.T) {
	testkit.NoLeaks(t)
	dir := t.TempDir()
	r := open(t, dir)
	all := camera.Run(3)
	for _, d := range all[:6] {
		put(t, r, d, 5)
	}
	if _, err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	flushed := r.Bytes()
	put(t, r, all[6], -1)
	if err := r.Abandon(); err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, "test-r0005-s002-c000.xtc2.inprogress"),
		filepath.Join(dir, "smalldata/test-r0005-s002-c000.smd.xtc2.inprogress")}
	if !slices.Equal(r.Files(), want) || r.Bytes() != flushed {
		t.Errorf("%v, %d bytes, want %d", r.Files(), r.Bytes(), flushed)
	}
	if got := readFile(t, want[0]); services(got) != "CRSE.." {
		t.Error(services(got))
	}
	if err := r.Abandon(); err != nil {
		t.Errorf("abandoned again: %v", err)
	}
}

// alone runs a test in a process of its own, and tells whether this is that process. go test keeps a log of the files that
// tests open; it is larger than the limits below, and a write of it that meets them fails the whole package.
func alone(t *testing.T) bool {
	t.Helper()
	const mark = "RECORD_TEST_ALONE"
	if os.Getenv(mark) == t.Name() {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), mark+"="+t.Name())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// limitFiles limits the size of files, in place of a full disk, until the function it returns is called.
func limitFiles(t *testing.T, limit uint64) (restore func()) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Skip(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: old.Max}); err != nil {
		t.Skip(err)
	}
	restore = func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(restore)
	return restore
}

// TestDiskFull ends in a file with all that was flushed before, whole, whatever the caller does then.
func TestDiskFull(t *testing.T) {
	if !alone(t) {
		return
	}
	for name, end := range map[string]func(*record.Recorder) error{
		".inprogress": (*record.Recorder).Abandon, ".xtc2": (*record.Recorder).Close,
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, t.TempDir())
			all := testkit.Camera{Segments: 2, Rows: 100, Cols: 200}.Run(20)
			for _, d := range all[:8] {
				put(t, r, d, 5)
			}
			if n, err := r.Flush(); err != nil || n != 4 {
				t.Fatal(n, err)
			}
			flushed := r.Bytes()
			restore := limitFiles(t, 700<<10)
			for _, d := range all[8:20] {
				put(t, r, d, -1)
			}
			n, err := r.Flush()
			if !errors.Is(err, syscall.EFBIG) || !strings.HasPrefix(err.Error(), "record: ") || n != 0 {
				t.Errorf("%d, %v, want EFBIG", n, err)
			}
			var stalled *record.StalledError
			if err := r.Event(all[20], nil, nil, 0); !errors.As(err, &stalled) || !errors.Is(r.Stalled(), syscall.EFBIG) {
				t.Error(err)
			}
			if err := end(r); err != nil {
				t.Error(err)
			}
			restore()
			path := r.Files()[0]
			if !strings.HasSuffix(path, name) || r.Bytes() != flushed || must(os.Stat(path)).Size() != flushed {
				t.Errorf("%s of %d bytes, want %d", path, r.Bytes(), flushed)
			}
			if got := services(readFile(t, path)); got != "CRSE...." {
				t.Error(got)
			}
		})
	}
}

// TestDiskFullForAWhile goes on when there is room again: the transitions are all there, the events that were refused
// are not.
func TestDiskFullForAWhile(t *testing.T) {
	if !alone(t) {
		return
	}
	var news []string
	now := time.Unix(0, 0)
	r, err := record.New(record.Config{Dir: t.TempDir(), Expt: "test", Run: 5, Stream: 2, Now: func() time.Time { return now },
		News: func(n record.News) { news = append(news, n.String()) }})
	if err != nil {
		t.Fatal(err)
	}
	all := testkit.Camera{Segments: 2, Rows: 100, Cols: 200}.Run(20)
	restore := limitFiles(t, 300<<10)
	for _, d := range all[:20] {
		put(t, r, d, 5)
	}
	if n, err := r.Flush(); !errors.Is(err, syscall.EFBIG) || n != 0 {
		t.Errorf("%d, %v, want EFBIG", n, err)
	}
	restore()
	if err := r.Event(all[20], nil, nil, 0); !errors.Is(err, syscall.EFBIG) {
		t.Errorf("%v, want EFBIG", err)
	}
	now = now.Add(time.Second)
	for _, d := range all[21:] {
		put(t, r, d, -1)
	}
	if n, err := r.Flush(); n != 3 || !errors.Is(err, syscall.EFBIG) { // three are, one was refused
		t.Error(n, err)
	}
	closeIt(t, r)
	want := slices.Concat(all[:4], all[21:])
	got := readFile(t, r.Files()[0])
	if !slices.EqualFunc(got, want, func(a, b xtc.Dgram) bool { return string(a) == string(b) }) {
		t.Error(services(got))
	}
	if len(news) != 2 || !strings.Contains(news[0], "file too large") || !strings.HasSuffix(news[1], "; 17 events were not recorded") {
		t.Errorf("%q", news)
	}
}

// TestTooLarge refuses one event; what comes after it is recorded.
func TestTooLarge(t *testing.T) {
	r := open(t, t.TempDir())
	put(t, r, camera.Configure(1), -1)
	d := camera.Event(2, 0)
	huge := make([]byte, 1<<20)
	parts := make([]byte, 0)
	if err := r.Event(d, nil, parts, 0); err != nil {
		t.Fatal(err)
	}
	d[xtc.DgramHeaderBytes-5] = 0xff // contains what no datagram does
	if err := r.Event(d, nil, huge, 0); err == nil || !strings.HasPrefix(err.Error(), "record: xtc: append: ") {
		t.Error(err)
	}
	put(t, r, camera.Event(3, 1), -1)
	closeIt(t, r)
	if got := services(readFile(t, r.Files()[0])); got != "C.." {
		t.Error(got)
	}
}

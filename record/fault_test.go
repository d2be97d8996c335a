package record_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"drp/internal/memdisk"
	"drp/internal/testkit"
	"drp/record"
	"drp/xtc"
)

// A faultRun records two runs of two steps on a disk in memory, on which one operation fails, and does the books of a
// caller: which events are in the files as Flush says.
type faultRun struct {
	t       *testing.T
	crc     bool
	disk    *memdisk.Disk
	r       *record.Recorder
	now     time.Time
	news    []record.News
	batch   []uint64 // times of events taken since the last Flush
	written []uint64
	others  map[uint64]bool // not written
}

const batchOfTest = 3

// events are at the times 100, 110, ...: the room between them is for what is made up.
func twoRuns(chunkInfo bool) (all []xtc.Dgram) {
	time := uint64(100)
	add := func(d xtc.Dgram) {
		d.SetTime(time)
		time += 10
		all = append(all, d)
	}
	c := testkit.Camera{Segments: 2, Rows: 2, Cols: 3}
	configure := c.Configure(1)
	if chunkInfo {
		configure = must(xtc.ChunkInfoNames(xtc.NewNamesID(1, xtc.IndexChunkInfo)).AppendTo(configure))
		configure.SetSize(len(configure))
	}
	add(configure)
	for run := range 2 {
		add(c.BeginRun(1, 5+run))
		for range 2 {
			add(testkit.Plain(xtc.BeginStep, 1))
			add(testkit.Plain(xtc.Enable, 1))
			for i := range 10 {
				if i%5 == 3 {
					add(testkit.Plain(xtc.SlowUpdate, 1))
				}
				add(c.Event(1, i))
			}
			add(testkit.Plain(xtc.Disable, 1))
			add(testkit.Plain(xtc.EndStep, 1))
		}
		add(testkit.Plain(xtc.EndRun, 1))
	}
	return all
}

func (f *faultRun) flush() {
	n, err := f.r.Flush()
	if n > len(f.batch) || n < len(f.batch) && err == nil {
		f.t.Fatalf("%d of %d events are written, %v", n, len(f.batch), err)
	}
	f.written = append(f.written, f.batch[:n]...)
	for _, time := range f.batch[n:] {
		f.others[time] = true
	}
	f.batch = f.batch[:0]
}

func (f *faultRun) run(all []xtc.Dgram) error {
	for i, d := range all {
		f.now = f.now.Add(300 * time.Millisecond)
		if !d.Service().IsEvent() {
			if err := f.r.Transition(d, nil, 0, -1); err != nil {
				f.t.Fatalf("%v: %v", d.Service(), err)
			}
			continue
		}
		var stalled *record.StalledError
		switch err := f.r.Event(d, nil, nil, 0); {
		case err == nil:
			f.batch = append(f.batch, d.Time())
		case errors.As(err, &stalled):
			f.others[d.Time()] = true
		default:
			f.t.Fatal(err)
		}
		if i%batchOfTest == 0 {
			f.flush()
		}
	}
	f.flush()
	return f.r.Close()
}

// verify reads all files: what was written is there once and in order, and nothing else, but for the end of a file that
// could not be cut back.
func (f *faultRun) verify(lossy bool) (files []string) {
	dir := f.t.TempDir()
	if err := f.disk.Save(dir, nil); err != nil {
		f.t.Fatal(err)
	}
	times := map[uint64]int{}
	for _, file := range f.disk.Files() {
		path := filepath.Join(dir, file.Path)
		if strings.Contains(path, ".smd.") || strings.Contains(path, ".crc") {
			continue
		}
		complete := strings.HasSuffix(path, ".xtc2")
		files = append(files, must(filepath.Rel(dir, path)))
		if complete {
			report, err := xtc.Check(path, xtc.CheckOptions{})
			if f.crc && report.CRC == "" {
				f.t.Fatalf("%s has no checksums", path)
			}
			if err != nil || !report.OK() || report.Explained != report.Bytes || len(report.Warnings) > 0 {
				f.t.Fatalf("%s: %+v %v", path, report, err)
			}
		}
		r := must(xtc.Open(writeNonEmpty(path)))
		last := uint64(0)
		for {
			if _, err := r.Next(); err != nil {
				break
			}
			d, err := r.ReadDgram(nil)
			if err != nil {
				break
			}
			if d.Time() <= last {
				f.t.Errorf("%s: time %d after %d", path, d.Time(), last)
			}
			if last = d.Time(); !d.Service().IsEvent() || !complete && f.others[last] {
				continue
			}
			times[last]++
			if f.others[last] {
				f.t.Errorf("%s: the event at %d counts as not written", path, last)
			}
		}
		_ = r.Close()
	}
	if lossy {
		return files
	}
	for _, time := range f.written {
		if times[time] != 1 {
			f.t.Errorf("the event at %d is there %d times", time, times[time])
		}
	}
	if got := slices.Sorted(maps.Keys(times)); !slices.Equal(got, f.written) {
		f.t.Errorf("%v are in the files, %v were written", got, f.written)
	}
	return files
}

// writeNonEmpty makes a file readable that has nothing in it yet.
func writeNonEmpty(path string) string {
	if info, err := os.Stat(path); err == nil && info.Size() == 0 {
		_ = os.WriteFile(path, []byte{0}, 0o600)
	}
	return path
}

// TestFaults lets every operation fail in every way, once or for two seconds.
func TestFaults(t *testing.T) {
	faults := []struct {
		name  string
		errno error
		only  memdisk.Op // -1: any
		lasts time.Duration
		part  int // of a write that is taken, in tenths
		lossy bool
	}{
		{"no space", syscall.ENOSPC, memdisk.Write, 0, 0, false},
		{"a short write", syscall.ENOSPC, memdisk.Write, 0, 7, false},
		{"no space for a while", syscall.ENOSPC, -1, 2 * time.Second, 3, false},
		{"quota", syscall.EDQUOT, memdisk.Write, time.Second, 10, false},
		{"a read-only disk", syscall.EROFS, -1, 3 * time.Second, 0, false},
		{"an error of the disk", syscall.EIO, -1, 0, 5, false},
		{"errors for a while", syscall.EIO, -1, 2 * time.Second, 5, false},
		{"an error that stays", syscall.EIO, -1, time.Hour, 5, false},
	}
	for _, fault := range faults {
		for _, chunkInfo := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, chunks and checksums %v", fault.name, chunkInfo), func(t *testing.T) {
				for at := 0; ; at++ {
					f := &faultRun{t: t, crc: chunkInfo, disk: memdisk.New(), now: time.Unix(1000, 0), others: map[uint64]bool{}}
					f.r = must(record.New(record.Config{Dir: "out", Expt: "test", Run: 5, Stream: 2, Disk: f.disk,
						CRC: chunkInfo, Now: func() time.Time { return f.now }, News: func(n record.News) { f.news = append(f.news, n) }}))
					n, since := 0, time.Time{}
					f.disk.Fault = func(op memdisk.Op, path string, bytes int) (int, error) {
						if fault.only >= 0 && op != fault.only || op == memdisk.Close || op == memdisk.Remove {
							return 0, nil
						}
						if n++; n-1 == at {
							since = f.now
						}
						if n-1 == at || !since.IsZero() && f.now.Sub(since) < fault.lasts {
							return bytes * fault.part / 10, fault.errno
						}
						return 0, nil
					}
					err := f.run(twoRuns(chunkInfo))
					files := f.verify(fault.lossy)
					if n <= at {
						if err != nil || len(f.others) > 0 || len(f.news) > 0 {
							t.Error(err, f.others, f.news)
						}
						return
					}
					if t.Failed() {
						t.Fatalf("operation %d; %v; %v; %v", at, err, files, f.news)
					}
				}
			})
		}
	}
}

// TestRemovedFile goes on in other files, and says that those that were removed are gone.
func TestRemovedFile(t *testing.T) {
	for _, small := range []bool{false, true} {
		f := &faultRun{t: t, disk: memdisk.New(), now: time.Unix(1000, 0), others: map[uint64]bool{}}
		f.r = must(record.New(record.Config{Dir: "out", Expt: "test", Run: 5, Stream: 2, Disk: f.disk,
			Now: func() time.Time { return f.now }, News: func(n record.News) { f.news = append(f.news, n) }}))
		n := 0
		f.disk.Fault = func(op memdisk.Op, _ string, _ int) (int, error) {
			if n++; n == 4 {
				name := xtc.FileName{Expt: "test", Run: 5, Stream: 2}
				path := name.Data()
				if small {
					path = name.SmallData()
				}
				if err := f.disk.Remove("out/" + path + ".inprogress"); err != nil {
					t.Fatal(err)
				}
			}
			return 0, nil
		}
		if err := f.run(twoRuns(false)); !errors.Is(err, syscall.ENOENT) {
			t.Error(err)
		}
		files := f.verify(true)
		if !slices.Contains(files, "out/part2/test-r0005-s002-c000.xtc2") || len(f.news) != 3 || f.news[1].Kind != record.Incomplete {
			t.Error(files, f.news)
		}
	}
}

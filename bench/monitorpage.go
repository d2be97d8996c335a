package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"drp/calib"
	"drp/internal/pace"
	"drp/page"
	"drp/watch"
)

// What was promised: the time of the processor that a picture may take, in ms, which is a tenth of a core at ten pictures a second;
// how many come in a second, and what part of a core they take, where there is a core to spare.
const (
	promisedPage  = 10.
	promisedRate  = 10.
	promisedShare = 0.1
)

// aCoreToSpare is what has to be idle for that: the page and who looks at it take less than a fifth of the two that there are at the least.
const aCoreToSpare = 0.5

// readingScript reads pictures of a page as a browser does: so many first, and then some more each time.
const readingScript = `
import struct, sys, urllib.request
stream = urllib.request.urlopen(sys.argv[1])
def pictures(n):
    while n > 0:
        length, kind = struct.unpack("<IB", stream.read(5))
        assert len(stream.read(length - 1)) == length - 1
        n -= kind == 2
pictures(int(sys.argv[2]))
print("there", flush=True)
while sys.stdin.readline():
    pictures(int(sys.argv[3]))
    print("enough", flush=True)
`

// page measures what a picture costs where all are made that are asked for, and how many come, and at what cost, where the page looks at
// what the machine has to spare.
func (w *watching) page(ctx context.Context) error {
	warm, pictures := max(3, min(keptPictures, int(2*keptPictures*w.o.Seconds))), max(3, int(40*w.o.Seconds))
	err := w.shown(ctx, nil, reading{warm, pictures, func(used, _ time.Duration) {
		w.report.add("page_picture", "ms", "time of the processor for a picture of 2 megapixels on the page, corrected and placed",
			1e3*used.Seconds()/float64(pictures))
	}})
	if err != nil || len(w.o.Only) > 0 { // who wants some onlookers does not wait for a page that has no time of the processor to spare
		return err
	}
	machine := pace.NewProcessors("/")
	_, _ = machine.Spare() // from now on
	pictures = max(1, int(10*w.o.Seconds))
	err = w.shown(ctx, pace.OfProcessors(), reading{max(1, min(2*promisedRate, int(4*promisedRate*w.o.Seconds))), pictures, func(used, took time.Duration) {
		w.report.add("page_rate", "1/s", "pictures that come when ten a second are asked for", float64(pictures)/took.Seconds())
		w.report.add("page_share", "cores", "what the server of the page takes for them", used.Seconds()/took.Seconds())
	}})
	w.spare, _ = machine.Spare()
	return err
}

// judgePage adds what the page has to show, and at what cost, where that can be judged.
func (w *watching) judgePage() {
	if len(w.o.Only) > 0 {
		return
	}
	if w.spare < aCoreToSpare {
		w.report.Notes = append(w.report.Notes, fmt.Sprintf("%.2f cores were idle: ten pictures a second are promised where there are %g", w.spare, aCoreToSpare))
		return
	}
	w.report.bar("pictures on the page with a core to spare", "page_rate", "promised_rate", 0.95, false)
	w.report.bar("what they take of a core", "page_share", "promised_share", 1, true)
}

// reading is how a page is looked at: so many pictures first, and then some in each round, whose time of the processor and whose time are noted.
type reading struct {
	warm, pictures int
	note           func(used, took time.Duration)
}

// shown measures what the server of the page takes of the processor for a picture of two megapixels: corrected, placed by a
// geometry, 2 x 2 pixels together, ten a second. First it is looked at until the page keeps as many events as it ever does: the
// memory of each of those is touched for the first time, which takes as long as half a picture.
func (w *watching) shown(ctx context.Context, thrift *pace.Thrift, how reading) (err error) {
	c := frameCamera()
	p, err := newPublished(c, 8)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	shown := page.New(page.Options{Monitor: p.name, Status: func() watch.Status { return watch.Status{} }, Store: pageStore{c: c}, Thrift: thrift})
	defer shown.Close()
	server, err := watch.Listen(watch.Options{Address: "127.0.0.1:0", Status: func() watch.Status { return watch.Status{} }, Root: shown, Thrift: thrift})
	if err != nil {
		return err
	}
	defer server.Close()
	publishing, stop := context.WithCancel(ctx)
	spent := make(chan time.Duration)
	go p.slowly(publishing, spent)
	defer func() {
		stop()
		<-spent
	}()
	return w.read(ctx, strings.Replace(server.URL(), "/?", "/v1/page/stream?bin=2&rate=10&", 1), how, spent)
}

// keptPictures is more than a page keeps.
const keptPictures = 64

// read lets a process read pictures, and notes what they take of the processor here, but for the publishing.
func (w *watching) read(ctx context.Context, address string, how reading, spent <-chan time.Duration) (err error) {
	cmd := exec.CommandContext(ctx, w.o.Python, "-c", readingScript, address, fmt.Sprint(how.warm), fmt.Sprint(how.pictures))
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	var complained strings.Builder
	cmd.Stderr = &complained
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	lines, before, began := bufio.NewScanner(out), time.Duration(0), time.Now()
	for round := range w.o.Rounds + 1 {
		if !lines.Scan() {
			return fmt.Errorf("bench: the reader failed: %w\n%s", cmd.Wait(), complained.String())
		}
		took := processorTime(unix.RUSAGE_SELF) - <-spent
		if round > 0 {
			how.note(took-before, time.Since(began))
		}
		before, began = took, time.Now()
		if round < w.o.Rounds {
			if _, err := fmt.Fprintln(in); err != nil {
				return err
			}
		}
	}
	return errors.Join(in.Close(), cmd.Wait())
}

// slowly publishes twenty events a second, and tells what this took of the processor to who asks.
func (p *published) slowly(ctx context.Context, spent chan<- time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(spent)
	began := processorTime(unix.RUSAGE_THREAD)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case spent <- processorTime(unix.RUSAGE_THREAD) - began:
		case <-tick.C:
			p.one()
		case <-ctx.Done():
			return
		}
	}
}

// processorTime is what this thread, or process, has taken.
func processorTime(who int) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(who, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// pageStore has constants of a camera, with a geometry.
type pageStore struct {
	calib.Store // which has nothing else
	c           camera
}

// Get implements calib.Store.
func (s pageStore) Get(context.Context, calib.Query) (*calib.Set, error) {
	rows, cols := int(s.c.rows), int(s.c.cols)
	set := &calib.Set{Detector: s.c.names.DetName, Model: s.c.names.DetType, Serials: []string{"0"}, Rows: rows, Cols: cols, Unit: calib.KeV,
		Pedestals: make([]float32, rows*cols), Gains: make([]float32, rows*cols)}
	for i := range set.Gains {
		set.Pedestals[i], set.Gains[i] = 100, 10
	}
	set.Geometry = fmt.Sprintf("clen = 0.1\nres = 10000\np/min_fs = 0\np/max_fs = %d\np/min_ss = 0\np/max_ss = %d\np/fs = +x\np/ss = +y\n"+
		"p/corner_x = %d\np/corner_y = %d\n", cols-1, rows-1, -cols/2, -rows/2)
	return set, set.Check()
}

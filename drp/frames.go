package drp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"drp/calib"
	"drp/hit"
	"drp/xtc"
)

// Frames reads the pictures of a camera, and the hits that were recorded with them, from an XTC2 file and the chunks
// after it, outside of the pipeline. It belongs to one goroutine; what it gives may be used by others.
type Frames struct {
	o        FramesOptions
	ctx      context.Context //nolint:containedctx // for as long as the file is read
	path     string          // of the present chunk
	seen     []string
	next     string // chunk
	r        *xtc.Reader
	follower *xtc.Follower
	table    *xtc.Table
	camera   *camera
	hits     *hitsReader
	pulse    fieldPlace
	energy   fieldPlace
	rings    *xtc.Names // nil without

	Rows, Cols int // of a segment; 0 before the first event with pixels

	constants *FrameConstants
	none      string // why there are no constants
	run       int
	known     bool // the constants of this run were asked for
	number    int64
	before    int64 // bytes of the chunks before
}

// FramesOptions say what to read.
type FramesOptions struct {
	Detector string                  // by name; empty: the only camera that there is
	First    bool                    // of several cameras the first, or that with hits, where none is named
	Store    calib.Store             // of constants; nil is none
	Follow   bool                    // the file is being written
	Skip     func(number int64) bool // events that are not read; nil is none
	Warn     func(string)
}

// Frame is an event. Its memory is used again when it is given to Next again.
type Frame struct {
	Number   int64 // among the events of the file, from 0 on
	Time     uint64
	Pulse    uint64  // pulse ID; its time where the file says none
	Energy   float64 // of the photons, eV; NaN where the file says none
	Damage   xtc.Damage
	End      int64      // of its datagram, over all chunks
	Raw      [][]uint16 // of each segment of the camera; nil where the event lacks it
	Hits     hit.Record
	Recorded bool  // Hits were
	Rings    Rings // that somebody had set

	Constants *FrameConstants // nil where there are none
	Made      any             // by EachFrame.Work, for Done
	buf       xtc.Dgram
	plan      *hit.Plan // of a FrameSearch
	carry     *hit.Carry
	carried   uint64
}

// OpenFrames opens a file, up to its Configure.
func OpenFrames(ctx context.Context, path string, o FramesOptions) (*Frames, error) {
	f := &Frames{o: o, ctx: ctx, number: -1}
	if o.Warn == nil {
		f.o.Warn = func(string) {}
	}
	if err := f.open(path); err != nil {
		return nil, err
	}
	return f, nil
}

// open opens a chunk; the first one up to its Configure.
func (f *Frames) open(path string) (err error) {
	final := xtc.FinalName(path)
	f.path, f.next, f.seen = path, "", append(f.seen, filepath.Base(final))
	if f.o.Follow && !exists(final) {
		f.follower, err = xtc.Follow(f.ctx, path)
		if errors.Is(err, os.ErrNotExist) && exists(final) { // it was completed just now
			f.seen = f.seen[:len(f.seen)-1]
			return f.open(path)
		}
		if err != nil {
			return err
		}
		f.r = xtc.NewReader(f.follower, path)
	} else {
		if f.o.Follow {
			f.path = final
		}
		if f.r, err = xtc.Open(f.path); err != nil {
			return err
		}
	}
	if f.camera != nil {
		return nil // what a Configure said holds on
	}
	if err = f.begin(); err != nil {
		_ = f.Close() // the other error says more
	}
	return err
}

// begin reads the Configure.
func (f *Frames) begin() error {
	d, err := f.r.Next()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: there is nothing in it", f.path)
	}
	if err == nil && d.Service() != xtc.Configure {
		return fmt.Errorf("%s begins with %v, as later chunks do: name the first chunk of the run", f.path, d.Service())
	}
	if err == nil {
		d, err = f.r.ReadDgram(nil)
	}
	if err != nil {
		return err
	}
	return f.configure(d)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Close closes the file.
func (f *Frames) Close() error {
	var err error
	if f.follower != nil {
		err, f.follower = f.follower.Close(), nil
	}
	if f.r != nil {
		err, f.r = errors.Join(err, f.r.Close()), nil
	}
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// Name is that of the camera.
func (f *Frames) Name() string { return f.camera.name }

// Numbers are those that its segments have in the data, in the order of the frames.
func (f *Frames) Numbers() []int { return f.camera.numbers }

// Run is the number of the run that the last frame is of.
func (f *Frames) Run() int { return f.run }

// Events is how many were read or skipped.
func (f *Frames) Events() int64 { return f.number + 1 }

// Path is the file that is read.
func (f *Frames) Path() string { return f.path }

// Recorded tells whether hits were recorded in the file, and how they were searched, as JSON.
func (f *Frames) Recorded() (recorded bool, config string) {
	if f.hits == nil {
		return false, ""
	}
	return true, f.hits.config
}

// NoConstants says why there are none.
func (f *Frames) NoConstants() string { return f.none }

// configure takes the names of a Configure.
func (f *Frames) configure(d xtc.Dgram) error {
	f.table = xtc.NewTable()
	if err := f.table.Configure(d); err != nil {
		if f.r == nil {
			return err
		}
		return xtc.Locate(err, f.path, f.r.Count(), f.r.Offset()-int64(len(d)))
	}
	f.known, f.constants, f.Rows, f.Cols = false, nil, 0, 0
	return f.choose(d)
}

// Next reads the next event; io.EOF is the end.
func (f *Frames) Next(e *Frame) error {
	for {
		if err := context.Cause(f.ctx); err != nil {
			return err
		}
		d, err := f.r.Next()
		if err == nil && d.Service() == xtc.L1Accept && f.o.Skip != nil && f.o.Skip(f.number+1) {
			f.number++
			continue
		}
		if cut := (*xtc.TruncatedError)(nil); errors.As(err, &cut) {
			f.o.Warn(fmt.Sprintf("%s ends inside a datagram; the events before it are used", f.path))
			return io.EOF
		}
		if errors.Is(err, io.EOF) {
			if err = f.goOn(); err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		if e.buf, err = f.r.ReadDgram(e.buf[:0]); err != nil {
			return err
		}
		event, err := f.datagram(e)
		e.End = f.before + f.r.Offset()
		if err != nil || event {
			return xtc.Locate(err, f.path, f.r.Count(), f.r.Offset()-int64(len(e.buf)))
		}
	}
}

// goOn opens the next chunk; io.EOF where there is none.
func (f *Frames) goOn() error {
	if f.follower != nil && f.follower.Aborted {
		f.o.Warn(fmt.Sprintf("%s: its writer has died; what it had written is used", f.path))
	}
	if f.next == "" {
		return io.EOF
	}
	path := filepath.Join(filepath.Dir(f.path), filepath.Base(f.next))
	if slices.Contains(f.seen, filepath.Base(path)) {
		return fmt.Errorf("%s goes on in %s, which came before it", f.path, path)
	}
	if !exists(path) && !(f.o.Follow && exists(path+".inprogress")) {
		f.o.Warn(fmt.Sprintf("%s goes on in %s, which is not there", f.path, path))
		return io.EOF
	}
	f.before += f.r.Offset()
	if err := f.Close(); err != nil {
		return err
	}
	return f.open(path)
}

// datagram takes one; it tells whether it is an event.
func (f *Frames) datagram(e *Frame) (event bool, err error) {
	switch id := e.buf.Service(); id {
	case xtc.Configure:
		return false, f.configure(e.buf)
	case xtc.BeginRun:
		if _, run, ok := xtc.RunInfo(f.table, e.buf); ok {
			f.known = f.known && run == f.run
			f.run = run
		}
	case xtc.Enable:
		if name, _, ok := xtc.ChunkInfo(f.table, e.buf); ok {
			f.next = name
		}
	case xtc.L1Accept:
		return true, f.event(e)
	}
	if f.camera.configure(f.table, e.buf) {
		f.known = false
	}
	return false, nil
}

// event takes pixels and hits of an event.
func (f *Frames) event(e *Frame) error {
	f.number++
	e.Number, e.Time, e.Pulse, e.Energy, e.Damage = f.number, e.buf.Time(), e.buf.Time(), math.NaN(), e.buf.Damage()
	e.Recorded, e.Rings = false, Rings{}
	n := len(f.camera.numbers)
	e.Raw = slices.Grow(e.Raw[:0], n)[:n]
	clear(e.Raw)
	if err := f.ask(); err != nil {
		return err
	}
	e.Constants = f.constants
	it := f.table.Blocks(e.buf)
	for it.Next() {
		b := it.Block()
		switch {
		case f.hits.is(b.Names):
			var err error
			if e.Hits, err = f.hits.read(b); err != nil {
				return err
			}
			e.Recorded = true
		case b.Names == f.pulse.names:
			e.Pulse = b.Field(f.pulse.entry).Uint64()
		case b.Names == f.energy.names:
			e.Energy = b.Field(f.energy.entry).Float64()
		case b.Names == f.rings:
			e.Rings = ringsIn(b)
		default:
			f.take(e, b)
		}
	}
	return it.Err()
}

// take takes the pixels of a block, where it has any of the camera.
func (f *Frames) take(e *Frame, b *xtc.Block) {
	at := slices.Index(f.camera.names, b.Names)
	raw, ok := b.FieldNamed("raw")
	if at < 0 || !ok || b.Damage != 0 || len(raw.Data) == 0 || raw.Rank < 2 {
		return
	}
	panels, rows, cols := 1, int(raw.Shape[0]), int(raw.Shape[1])
	if raw.Rank == 3 {
		panels, rows, cols = int(raw.Shape[0]), int(raw.Shape[1]), int(raw.Shape[2])
	}
	if len(f.camera.names) != len(e.Raw) {
		at = 0 // one Names for all panels
	}
	if f.Rows == 0 {
		f.Rows, f.Cols = rows, cols
	}
	if rows != f.Rows || cols != f.Cols {
		return
	}
	for k := 0; k < panels && at+k < len(e.Raw); k++ {
		e.Raw[at+k] = words(raw.Data[2*rows*cols*k : 2*rows*cols*(k+1)])
	}
}

// Complete tells whether an event has the pixels of all segments.
func (e *Frame) Complete() bool {
	return !slices.ContainsFunc(e.Raw, func(raw []uint16) bool { return raw == nil })
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"unsafe"

	"drp/calib"
	"drp/calib/correct"
	"drp/drp"
	"drp/hit"
	"drp/hit/cxi"
)

// conversion is one under way.
type conversion struct {
	f         *convertFlags
	frames    *drp.Frames
	w         *cxi.Writer
	pixels    func(to []byte, raw []uint16, segment int, k *drp.FrameConstants)
	kind      string // of a pixel, as NumPy writes it
	rows      int    // of a frame
	numbers   []int  // of the segments in it
	constants *drp.FrameConstants
	searched  bool
	energy    float64 // of the photons by the geometry, eV, for events that do not say it; 0 where it does not, either

	written, hits, without, partly int64
	assumed                        int64           // events that have the energy of the geometry
	ctx                            context.Context //nolint:containedctx // for as long as it goes on
	bar                            *bar
}

// The most goroutines that make frames: more would only wait for the disk.
const maxConverters = 8

func (f *convertFlags) run(ctx context.Context, path string) error {
	search, config, err := f.source.search()
	if err != nil {
		return err
	}
	python, err := f.interpreter()
	if err != nil {
		return err
	}
	e, frames, err := f.first(ctx, path)
	if err != nil {
		return err
	}
	c := &conversion{f: f, frames: frames, searched: search != nil, constants: e.Constants, ctx: ctx}
	settings, err := c.plan(e, config)
	recorded, how := frames.Recorded()
	f.source.close(frames)
	if err != nil {
		return err
	}
	if !recorded && search == nil {
		if f.hitsOnly {
			return mustHaveHits(frames, false)
		}
		warn(fmt.Sprintf("no hits of %s are recorded in %s, so the peak lists are empty: --find searches now", frames.Name(), path))
	}
	if search != nil {
		how = config.JSON()
	}
	settings.Python, settings.PythonPath, settings.Path, settings.Force = python, drp.PythonPath(), f.cxi, f.force
	settings.Attributes = map[string]string{"creator": "drp " + version, "source_file": filepath.Base(path), "detector": frames.Name(), "hits": how}
	if c.frames, err = f.source.open(ctx, path); err != nil {
		return err
	}
	defer func() { f.source.close(c.frames) }()
	if c.w, err = cxi.Start(ctx, *settings); err != nil {
		return writeError(err)
	}
	defer c.w.Abort()
	return c.run(search, settings)
}

// interpreter is that of --python, by its absolute path.
func (f *convertFlags) interpreter() (string, error) {
	python, err := drp.FindPython(f.python)
	if err != nil {
		return "", err
	}
	return filepath.Abs(python) // links stay, which virtual environments go by
}

// noFrame explains that there is no event to begin with.
func noFrame(frames *drp.Frames, err error) error {
	if errors.Is(err, io.EOF) {
		return fileError(fmt.Errorf("%s: no event has pixels of %s", frames.Path(), frames.Name()))
	}
	return frameError(err)
}

// writeError gives the exit code of what writing may meet.
func writeError(err error) error {
	f := (*drp.Failure)(nil)
	switch {
	case err == nil || errors.As(err, &f):
		return err
	case errors.Is(err, context.Canceled):
		return frameError(err)
	case errors.Is(err, cxi.ErrPython):
		return configuration(err)
	}
	return general(err)
}

// plan decides what the file is like.
func (c *conversion) plan(e *drp.Frame, config *hit.Config) (*cxi.Config, error) {
	f, k := c.f, c.constants
	if k == nil && (f.calibrated || f.adu || f.mask || config != nil) {
		return nil, mustHaveConstants(c.frames, e)
	}
	numbers := c.frames.Numbers()
	if k != nil { // the file is to fit its geometry
		numbers = k.Camera.Numbers
	}
	c.numbers = numbers
	if k != nil && k.Camera.Geometry != nil {
		c.energy = k.Camera.Geometry.Energy
	}
	c.rows = (slices.Max(numbers) + 1) * c.frames.Rows
	workers := max(1, min(maxConverters, runtime.NumCPU()))
	s := &cxi.Config{Rows: c.rows, Cols: c.frames.Cols, Slots: workers + 4, MaxPeaks: 1 << 14, Run: c.frames.Run(),
		Energy: f.energy > 0 || e.Energy > 0 || c.energy > 0}
	if config != nil {
		s.MaxPeaks = config.MaxPeaks
		warnOfCenter(config, k)
	}
	c.choose()
	s.Type = c.kind
	if f.mask {
		s.Mask = make([]uint8, c.rows*c.frames.Cols)
		n := c.frames.Rows * c.frames.Cols
		for i, number := range numbers {
			copy(s.Mask[number*n:], k.Set.Mask[i*n:(i+1)*n])
		}
	}
	if f.distance != "" {
		s.Distance, _ = correct.Metres(f.distance) // it was checked
	} else if k != nil && k.Camera.Geometry != nil {
		if d, err := k.Camera.Geometry.Distance(); err == nil {
			s.Distance = d
		}
	}
	return s, nil
}

// choose decides what pixels are written.
func (c *conversion) choose() {
	switch {
	case c.f.raw || c.constants == nil:
		if !c.f.raw {
			warn("pixels are written raw, since there are no constants: " + c.frames.NoConstants())
		}
		c.kind, c.pixels = "<u2", func(to []byte, raw []uint16, _ int, _ *drp.FrameConstants) { copy(viewed[uint16](to), raw) }
	case c.f.adu:
		c.kind, c.pixels = "<i2", func(to []byte, raw []uint16, s int, k *drp.FrameConstants) {
			k.Camera.Tables.ADU16(viewed[int16](to), raw, s)
		}
	default:
		c.kind, c.pixels = "<f4", func(to []byte, raw []uint16, s int, k *drp.FrameConstants) {
			k.Camera.Tables.Float32(viewed[float32](to), raw, s)
		}
	}
}

func viewed[T uint16 | int16 | float32](b []byte) []T {
	var one T
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), len(b)/int(unsafe.Sizeof(one)))
}

func (c *conversion) run(search *drp.FrameSearch, s *cxi.Config) error {
	c.bar = newByteBar("writing " + filepath.Base(c.f.cxi))
	err := c.frames.Each(&drp.EachFrame{Workers: s.Slots - 4, Search: search, Work: c.fill, Done: c.write})
	c.bar.end()
	if err != nil && !errors.Is(err, errEnough) {
		return c.blame(err)
	}
	geometry, err := c.geometry(s)
	if err != nil {
		return configuration(err)
	}
	if err := c.w.Finish(c.ctx); err != nil {
		return writeError(err)
	}
	if geometry != "" {
		if err := c.writeGeometry(geometry); err != nil {
			return general(err)
		}
	}
	c.report(s, geometry != "")
	return nil
}

// blame tells trouble with the file that is written from that with the one that is read.
func (c *conversion) blame(err error) error {
	if w := (*writeTrouble)(nil); errors.As(err, &w) {
		return writeError(err)
	}
	return frameError(err)
}

// writeTrouble is what went wrong with the file that is written.
type writeTrouble struct{ error }

func (w *writeTrouble) Unwrap() error { return w.error }

// fill makes what is written of a frame, on one of several goroutines.
func (c *conversion) fill(ctx context.Context, _ int, e *drp.Frame) error {
	e.Made = nil
	none := !slices.ContainsFunc(e.Raw, func(raw []uint16) bool { return raw != nil })
	if none || c.f.hitsOnly && !(e.Recorded && e.Hits.Hit) {
		return nil
	}
	if e.Constants == nil && c.constants != nil {
		return configuration(fmt.Errorf("event %d has no constants, as those before it have: %s", e.Number, c.frames.NoConstants()))
	}
	slot, err := c.w.Slot(ctx)
	if err != nil {
		return &writeTrouble{err}
	}
	n := c.frames.Cols * c.frames.Rows * len(slot.Pixels) / (c.rows * c.frames.Cols)
	if len(e.Raw) < c.rows/c.frames.Rows || !e.Complete() {
		clear(slot.Pixels) // of segments that are not there
	}
	for i, raw := range e.Raw {
		if raw != nil {
			at := c.numbers[i] * n
			c.pixels(slot.Pixels[at:at+n], raw, i, e.Constants)
		}
	}
	e.Made = slot
	return nil
}

// write hands a frame on, in the order of the file.
func (c *conversion) write(e *drp.Frame) error {
	c.bar.show(e.End, max(c.f.source.total, e.End+1))
	slot, ok := e.Made.(*cxi.Slot)
	if !ok {
		if !slices.ContainsFunc(e.Raw, func(raw []uint16) bool { return raw != nil }) {
			c.without++
		}
		return nil
	}
	energy := e.Energy
	switch {
	case c.f.energy > 0:
		energy = c.f.energy
	case !(energy > 0) && c.energy > 0:
		energy = c.energy
		c.assumed++
	}
	event := cxi.Event{Number: e.Number, Time: e.Time, Pulse: e.Pulse, Energy: energy}
	for i := range e.Hits.Peaks {
		if !e.Recorded {
			break
		}
		p := &e.Hits.Peaks[i]
		event.Peaks = append(event.Peaks, cxi.Peak{FS: p.Col, SS: p.Row + float32(c.numbers[p.Segment]*c.frames.Rows),
			Total: p.Total, Max: p.Max, SNR: p.SNR, NPix: float32(p.NPix)})
	}
	if err := c.w.Write(c.ctx, slot, &event); err != nil {
		return &writeTrouble{err}
	}
	c.written++
	if e.Recorded && e.Hits.Hit {
		c.hits++
	}
	if !e.Complete() {
		c.partly++
	}
	if c.written == c.f.most {
		return errEnough
	}
	return nil
}

// geometry is the text of the file that fits; empty where the constants have none.
func (c *conversion) geometry(s *cxi.Config) (string, error) {
	k := c.constants
	if k == nil || k.Camera.Geometry == nil {
		return "", nil
	}
	g := cxi.Geometry{Rows: c.frames.Rows, Mask: s.Mask != nil, Energy: s.Energy}
	if c.f.distance != "" {
		g.Distance = s.Distance
	}
	if c.kind == "<f4" {
		switch k.Set.Unit {
		case calib.Photon:
			g.PerPhoton = 1
		case calib.KeV:
			g.PerEV = 1e-3
		}
	}
	return g.Text(k.Set.Geometry)
}

// writeGeometry puts it beside the CXI file, which is complete.
func (c *conversion) writeGeometry(text string) error {
	path := geometryName(c.f.cxi)
	return writeOver(path, c.f.force, func(w *bufio.Writer) error {
		_, err := w.WriteString(text)
		return err
	})
}

func (c *conversion) report(s *cxi.Config, geometry bool) {
	said := fmt.Sprintf("wrote %s: %d events", c.f.cxi, c.written)
	if there, _ := c.frames.Recorded(); there || c.searched {
		said += fmt.Sprintf(", %d hits", c.hits)
	}
	if info, err := os.Stat(c.f.cxi); err == nil {
		said += fmt.Sprintf(", %.4g MB", float64(info.Size())/1e6)
	}
	printLine(said)
	if geometry {
		printf("wrote %s, the geometry that fits\n", geometryName(c.f.cxi))
	} else {
		printf("segments are below each other: segment n begins at row n*%d; the constants have no geometry to say more\n", c.frames.Rows)
	}
	lacking(s, geometry)
	if c.assumed > 0 {
		printf("  the photon energy, %g eV, is that of the geometry for %d events, which have none: --energy gives another\n", c.energy, c.assumed)
	}
	if c.without > 0 {
		printf("%d events have no pixels of %s and are not in it\n", c.without, c.frames.Name())
	}
	if c.partly > 0 {
		printf("%d events lack segments, which are 0 there\n", c.partly)
	}
}

// lacking says what CrystFEL needs to know and nobody has said.
func lacking(s *cxi.Config, geometry bool) {
	switch {
	case !geometry && s.Distance == 0:
		printLine("  the distance of the detector is not known: give --distance, or write clen into the geometry file that you use")
	case s.Distance == 0:
		printLine("  its clen is to be found in the data, which have none: give --distance, or edit it")
	}
	if !s.Energy {
		printLine("  the photon energy is not in the data: give --energy, or write photon_energy into the geometry file")
	}
}

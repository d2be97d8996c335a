package darks

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"drp/calib"
	"drp/calib/correct"
	"drp/xtc"
)

// kind of a pass over the files.
type kind int

const (
	sampling kind = iota
	clipping
)

// walk goes over all events of the files.
type walk struct {
	ctx      context.Context
	files    []string
	detector string
	progress func(done, total int64)

	total, done int64
	model       calib.Model
	rows, cols  int
	segments    map[uint32]*segment
	runs        []int
	slots       reservoir

	events, left int
	cut          []string // files that end inside a datagram
	special      int64
}

// segment is what is known of one.
type segment struct {
	id     string
	from   string // file that named it
	ranges []*accumulator
	config correct.Config
	table  *[2][]int8 // the range by the gain bit, of a configured model
}

// measure finds how much there is to read.
func (w *walk) measure() error {
	for _, path := range w.files {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		w.total += 2 * info.Size()
	}
	return nil
}

func (w *walk) pass(k kind) error {
	for _, path := range w.files {
		if err := w.file(path, k); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) file(path string, k kind) error {
	r, table, err := xtc.OpenWithNames(path, "")
	if err != nil {
		return err
	}
	defer r.Close()
	if err := w.choose(path, table); err != nil {
		return err
	}
	before := w.done
	var buf xtc.Dgram
	for {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		_, err := r.Next()
		if cut := (*xtc.TruncatedError)(nil); err == io.EOF || errors.As(err, &cut) { // all before is good
			if err != io.EOF && k == sampling {
				w.cut = append(w.cut, path)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if buf, err = r.ReadDgram(buf[:0]); err != nil {
			return err
		}
		w.done = before + r.Offset()
		if w.progress != nil {
			w.progress(w.done, w.total)
		}
		if err := w.datagram(path, table, buf, k); err != nil {
			return xtc.Locate(err, path, r.Count(), r.Offset()-int64(len(buf)))
		}
	}
}

// choose finds the detector in the names of a file.
func (w *walk) choose(path string, t *xtc.Table) error {
	var cameras []string
	var chosen *xtc.Names
	for _, n := range t.All() {
		if !isCamera(n) {
			continue
		}
		if !slices.Contains(cameras, n.DetName) {
			cameras = append(cameras, n.DetName)
		}
		if n.DetName == w.detector || w.detector == "" {
			chosen = n
		}
	}
	switch {
	case len(cameras) == 0:
		return fmt.Errorf("%s: it has no camera: no detector whose raw is an array of UINT16", path)
	case w.detector == "" && len(cameras) > 1:
		return fmt.Errorf("%s: it has the cameras %s: name one with --detector", path, strings.Join(cameras, ", "))
	case chosen == nil:
		return fmt.Errorf("%s: it has no camera %s, but %s", path, w.detector, strings.Join(cameras, ", "))
	}
	w.detector = chosen.DetName
	model := calib.ModelOf(chosen.DetType)
	if w.model.Name != "" && w.model.Name != model.Name {
		return fmt.Errorf("%s: %s is of type %s there and %s in others", path, w.detector, model.Name, w.model.Name)
	}
	w.model = model
	for _, n := range t.Find(w.detector, chosen.Alg) {
		s := w.segments[n.Segment]
		if s == nil {
			s = &segment{id: n.DetID, from: path, ranges: make([]*accumulator, len(model.Ranges))}
			w.segments[n.Segment] = s
		}
		if s.id != n.DetID {
			return fmt.Errorf("segment %d of %s is %s in %s and %s in %s: constants are of one piece of hardware", n.Segment,
				w.detector, s.id, s.from, n.DetID, path)
		}
	}
	return nil
}

// isCamera tells whether the raw data are pictures.
func isCamera(n *xtc.Names) bool {
	at := n.Index("raw")
	return n.Alg == "raw" && at >= 0 && n.Entries[at].Type == xtc.UInt16 && n.Entries[at].Rank >= 2
}

func (w *walk) datagram(path string, t *xtc.Table, d xtc.Dgram, k kind) error {
	switch d.Service() {
	case xtc.Configure:
		if err := t.Configure(d); err != nil {
			return err
		}
		if err := w.choose(path, t); err != nil {
			return err
		}
	case xtc.BeginRun:
		if _, run, ok := xtc.RunInfo(t, d); ok && !slices.Contains(w.runs, run) {
			w.runs = append(w.runs, run)
		}
	case xtc.L1Accept:
		return w.event(t, d, k)
	}
	if w.model.Coding != calib.Configured {
		return nil
	}
	return w.configure(t, d)
}

// configure takes the configuration of pixels, which a scan changes from step to step.
func (w *walk) configure(t *xtc.Table, d xtc.Dgram) error {
	it := t.Blocks(d)
	for it.Next() {
		b := it.Block()
		s := w.segments[b.Names.Segment]
		if b.Names.DetName != w.detector || s == nil {
			continue
		}
		if v, ok := b.FieldNamed("asicPixelConfig"); ok && v.Type == xtc.UInt8 {
			s.config.Pixels, s.table = slices.Clone(v.Data), nil
		}
		if v, ok := b.FieldNamed("trbit"); ok && v.Type == xtc.UInt8 && v.Len() <= len(s.config.TRBits) {
			s.config.TRBits, s.table = [4]uint8{}, nil
			copy(s.config.TRBits[:], v.Data)
		}
	}
	return it.Err()
}

// event takes the pixels of all segments. An event that is damaged or makes no sense is left out.
func (w *walk) event(t *xtc.Table, d xtc.Dgram, k kind) error {
	used := false
	bad := d.Damage() != 0
	it := t.Blocks(d)
	for !bad && it.Next() {
		b := it.Block()
		if b.Names.DetName != w.detector || !isCamera(b.Names) || b.Damage != 0 {
			continue
		}
		raw, _ := b.FieldNamed("raw")
		rows, cols, ok := size(raw)
		if !ok {
			continue
		}
		if w.rows == 0 {
			if err := w.take(rows, cols); err != nil {
				return err
			}
		}
		if rows != w.rows || cols != w.cols {
			continue
		}
		if err := w.pixels(w.segments[b.Names.Segment], raw.Data, k); err != nil {
			return fmt.Errorf("segment %d of %s: %w", b.Names.Segment, w.detector, err)
		}
		used = true
	}
	if k == sampling {
		if used {
			w.events++
		} else {
			w.left++
		}
	}
	return nil
}

// size is that of a picture; a leading axis of one panel is left out.
func size(v xtc.Value) (rows, cols int, ok bool) {
	shape := v.Shape[:v.Rank]
	for len(shape) > 2 && shape[0] == 1 {
		shape = shape[1:]
	}
	if len(shape) != 2 || shape[0] == 0 || shape[1] == 0 {
		return 0, 0, false
	}
	return int(shape[0]), int(shape[1]), true
}

// take makes the size of the first picture that of all.
func (w *walk) take(rows, cols int) error {
	switch {
	case w.model.Rows > 0 && (rows != w.model.Rows || cols != w.model.Cols):
		return fmt.Errorf("the pictures of %s have %d x %d pixels, and those of a %s have %d x %d", w.detector, rows, cols,
			w.model.Name, w.model.Rows, w.model.Cols)
	case rows*cols*len(w.segments) > maxPixels:
		return fmt.Errorf("%d segments of %d x %d pixels are more than can be held in memory", len(w.segments), rows, cols)
	}
	w.rows, w.cols = rows, cols
	return nil
}

// pixels adds one picture.
func (w *walk) pixels(s *segment, raw []byte, k kind) error {
	n := w.rows * w.cols
	if w.model.Coding == calib.Configured && s.table == nil {
		if s.config.Pixels == nil {
			return errors.New("no asicPixelConfig came before the first event, which says the gain range")
		}
		table, err := s.config.Ranges(&w.model, w.rows, w.cols)
		if err != nil {
			return err
		}
		s.table = &table
	}
	mask := uint16(1)<<w.model.DataBits - 1
	var special int64
	for i := range n {
		v := binary.LittleEndian.Uint16(raw[2*i:])
		r := w.rangeOf(s, i, v)
		if r < 0 {
			special++
			continue
		}
		a := s.ranges[r]
		if a == nil {
			a = newAccumulator(n)
			s.ranges[r] = a
		}
		if k == sampling {
			if slot := w.slots.slot(a.count[i]); slot >= 0 {
				a.kept[i*samples+int(slot)] = v & mask
			}
			a.count[i]++
		} else if d := float32(v&mask) - a.middle[i]; d <= a.width[i] && d >= -a.width[i] {
			a.inside[i]++
			a.sum[i] += float64(d)
			a.sum2[i] += float64(d) * float64(d)
		}
	}
	if k == sampling {
		w.special += special
	}
	return nil
}

// Codes of JUNGFRAU that are no values: saturation, error, saturation of G1.
const (
	codeSaturated   = 0xC000
	codeError       = 0xFFFF
	codeSaturatedG1 = 0x4000
)

// rangeOf is the gain range of a raw pixel, -1 if it is no value.
func (w *walk) rangeOf(s *segment, i int, v uint16) int {
	switch w.model.Coding {
	case calib.TwoBits:
		if v == codeSaturated || v == codeError || v == codeSaturatedG1 {
			return -1
		}
		return [4]int{0, 1, -1, 2}[v>>14]
	case calib.Configured:
		return int(s.table[v>>w.model.GainBit()&1][i])
	}
	return 0
}

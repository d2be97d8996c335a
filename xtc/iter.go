package xtc

// MaxDepth bounds how deep Parents may be nested below the one of the datagram.
const MaxDepth = 8

// An Iter walks over sibling Xtcs.
//
//	for it := xtc.NewIter(d.Payload()); it.Next(); { ... }
//
// It does not descend. A child that is too short or longer than what is left ends the walk with an error.
type Iter struct {
	b         []byte
	off, next int
	header    Header
	err       error
}

// NewIter starts a walk over the Xtcs that fill payload.
func NewIter(payload []byte) Iter { return Iter{b: payload} }

// Next goes to the next sibling.
func (it *Iter) Next() bool {
	if it.err != nil || it.next >= len(it.b) {
		return false
	}
	it.header, it.err = parseChild(it.b, it.next, len(it.b))
	if it.err != nil {
		return false
	}
	it.off = it.next
	it.next += int(it.header.Extent)
	return true
}

// Header is the header of the Xtc Next went to.
func (it *Iter) Header() Header { return it.header }

// Offset is where that Xtc begins in the payload.
func (it *Iter) Offset() int { return it.off }

// Bytes is the whole Xtc.
func (it *Iter) Bytes() []byte { return it.b[it.off:it.next:it.next] }

// Payload is the Xtc without its header.
func (it *Iter) Payload() []byte { return it.b[it.off+XtcHeaderBytes : it.next : it.next] }

// Err is a *FormatError if the walk ended before all bytes were explained. Its offset counts from the payload.
func (it *Iter) Err() error { return it.err }

// parseChild reads the Xtc at off of a container that ends at end.
func parseChild(b []byte, off, end int) (Header, error) {
	if end-off < XtcHeaderBytes {
		return Header{}, formatErrorf(off, "%d bytes are left, too few for an Xtc header", end-off)
	}
	h := ParseHeader(b[off:])
	if h.Extent < XtcHeaderBytes {
		return h, formatErrorf(off, "extent %d of %v is smaller than its header (%d)", h.Extent, h.Type, XtcHeaderBytes)
	}
	if int64(h.Extent) > int64(end-off) {
		return h, formatErrorf(off, "extent %d of %v exceeds the %d bytes left in its container", h.Extent, h.Type,
			end-off)
	}
	return h, nil
}

// A walker goes over the Xtcs of a whole datagram in file order and enters Parents, which are shown before their
// children. Because children lie inside their parent, the ends of the open Parents are all the stack it needs, and its
// offsets are those in the datagram. ShapesData are not entered, nor what is marked Corrupted.
type walker struct {
	b         []byte
	off, next int
	header    Header
	depth     int
	ends      [MaxDepth + 1]int
	err       error
}

func newWalker(d Dgram) walker {
	w := walker{b: d, next: DgramHeaderBytes}
	w.ends[0] = len(d)
	if d.Damage().Has(DamageCorrupted) {
		w.next = len(d)
	}
	return w
}

func (w *walker) Next() bool {
	for w.next == w.ends[w.depth] {
		if w.depth == 0 {
			return false
		}
		w.depth--
	}
	if w.err != nil {
		return false
	}
	w.header, w.err = parseChild(w.b, w.next, w.ends[w.depth])
	if w.err != nil {
		return false
	}
	w.off = w.next
	end := w.off + int(w.header.Extent)
	if w.header.Type != TypeParent || w.header.Damage.Has(DamageCorrupted) {
		w.next = end
		return true
	}
	if w.depth == MaxDepth {
		w.err = formatErrorf(w.off, "Parents are nested deeper than %d", MaxDepth)
		return false
	}
	w.depth++
	w.ends[w.depth] = end
	w.next = w.off + XtcHeaderBytes
	return true
}

// bytes is the whole Xtc Next went to.
func (w *walker) bytes() []byte {
	end := w.off + int(w.header.Extent)
	return w.b[w.off:end:end]
}

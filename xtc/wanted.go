package xtc

import "slices"

// ReadWanted is ReadDgram for one who looks at few of the Xtcs that lie directly in the datagram announced by Next: of a large
// one, those that are not wanted are passed over, and the datagram that it gives lacks them. A small one, and one that is not
// in a file or whose Xtcs make no sense, it gives whole.
func (r *Reader) ReadWanted(buf []byte, want func(Header) bool) (Dgram, error) {
	if err := r.announced(); err != nil {
		return nil, err
	}
	if r.file == nil || r.size < 0 || r.pending <= readBufferBytes {
		return r.ReadDgram(buf)
	}
	start, at := r.base+r.offset, DgramHeaderBytes
	buf = slices.Grow(buf[:0], readBufferBytes)[:DgramHeaderBytes]
	if _, err := r.file.ReadAt(buf, start); err != nil {
		return nil, r.brokeOff(0, err)
	}
	for at < r.pending {
		n := len(buf)
		buf = slices.Grow(buf, XtcHeaderBytes)[:n+XtcHeaderBytes]
		if at+XtcHeaderBytes > r.pending {
			return r.ReadDgram(buf[:0])
		}
		if _, err := r.file.ReadAt(buf[n:], start+int64(at)); err != nil {
			return nil, r.brokeOff(int64(at), err)
		}
		h := ParseHeader(buf[n:])
		extent := int(h.Extent)
		if extent < XtcHeaderBytes || extent > r.pending-at {
			return r.ReadDgram(buf[:0])
		}
		if buf = buf[:n]; want(h) {
			buf = slices.Grow(buf, extent)[:n+extent]
			if _, err := r.file.ReadAt(buf[n:], start+int64(at)); err != nil {
				return nil, r.brokeOff(int64(at), err)
			}
		}
		at += extent
	}
	putExtent(buf[DgramHeaderBytes-XtcHeaderBytes:], len(buf)-DgramHeaderBytes+XtcHeaderBytes)
	return Dgram(buf), r.Skip()
}

package record

import (
	"bytes"
	"encoding/binary"
	"testing"

	"drp/xtc"
)

// FuzzEdit compares the stretches that are kept with a plain copy that leaves blocks out, for any bytes.
func FuzzEdit(f *testing.F) {
	xtcOf := func(t xtc.TypeID, src uint32, children ...[]byte) []byte {
		b := make([]byte, xtc.XtcHeaderBytes)
		for _, c := range children {
			b = append(b, c...)
		}
		xtc.Header{Src: src, Type: t, Extent: uint32(len(b))}.Put(b)
		return b
	}
	one, two := xtcOf(xtc.TypeShapesData, 1, []byte("one")), xtcOf(xtc.TypeShapesData, 2, []byte("twice two"))
	f.Add(bytes.Join([][]byte{one, two, one}, nil), uint32(1), uint32(3))
	f.Add(xtcOf(xtc.TypeParent, 0, one, xtcOf(xtc.TypeParent, 0, two, one), two), uint32(2), uint32(1))
	f.Add(append(xtcOf(xtc.TypeParent, 0, two, []byte("rest")), "garbage"...), uint32(2), uint32(2))
	var e edit
	f.Fuzz(func(t *testing.T, payload []byte, first, second uint32) {
		d := make(xtc.Dgram, xtc.DgramHeaderBytes, xtc.DgramHeaderBytes+len(payload))
		xtc.PutDgramHeader(d, 1, xtc.EnvOf(xtc.L1Accept, 1), 0, 0, len(payload))
		d = append(d, payload...)
		removed := []uint32{first, second}
		_, parts := e.apply(d, removed, []byte("added"), 0)
		want := append(plainCopy(payload, removed), "added"...)
		if got := bytes.Join(parts, nil); !bytes.Equal(got, want) {
			t.Errorf("%x, want %x", got, want)
		}
		if !bytes.Equal(d.Payload(), payload) {
			t.Error("the datagram was changed")
		}
	})
}

// plainCopy copies a payload but for some blocks, and all that follows the first thing that is no Xtc.
func plainCopy(payload []byte, removed []uint32) []byte {
	kept, end := []byte{}, 0
	for it := xtc.NewIter(payload); it.Next(); {
		h, b := it.Header(), bytes.Clone(it.Bytes())
		end = it.Offset() + len(b)
		if h.Type == xtc.TypeShapesData && (uint32(h.NamesID()) == removed[0] || uint32(h.NamesID()) == removed[1]) {
			continue
		}
		if h.Type == xtc.TypeParent && !h.Damage.Has(xtc.DamageCorrupted) {
			b = append(b[:xtc.XtcHeaderBytes], plainCopy(it.Payload(), removed)...)
			binary.LittleEndian.PutUint32(b[8:], uint32(len(b)))
		}
		kept = append(kept, b...)
	}
	return append(kept, payload[end:]...)
}

package xtc_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"drp/xtc"
)

// piece is an Xtc of a number, with so many bytes.
func piece(number uint32, payload int) []byte {
	b := make([]byte, xtc.XtcHeaderBytes+payload)
	for i := range b {
		b[i] = byte(number + uint32(i))
	}
	xtc.Header{Src: number, Type: xtc.TypeShapesData, Extent: uint32(len(b))}.Put(b)
	return b
}

func datagram(time uint64, pieces ...[]byte) []byte {
	payload := bytes.Join(pieces, nil)
	d := make([]byte, xtc.DgramHeaderBytes, xtc.DgramHeaderBytes+len(payload))
	xtc.PutDgramHeader(d, time, xtc.EnvOf(xtc.L1Accept, 3), 7, xtc.DamageTimedOut, len(payload))
	return append(d, payload...)
}

// TestReadWanted: large datagrams come with what is wanted of them alone, small ones and senseless ones whole, and what comes
// next is where it was.
func TestReadWanted(t *testing.T) {
	const large = 100 << 10
	senseless := datagram(5, piece(1, large), piece(2, 50))
	binary.LittleEndian.PutUint32(senseless[len(senseless)-62+8:], 63) // beyond its end
	whole := [][]byte{
		datagram(1, piece(1, large), piece(2, 50), piece(1, 10), piece(3, large), piece(2, 1)),
		datagram(2, piece(1, 20), piece(2, 30)),
		datagram(3, piece(1, large)),
		datagram(4, piece(2, large)),
		senseless,
		datagram(6, piece(1, large), piece(2, 50), make([]byte, 5)),
		datagram(7, piece(2, 8), piece(1, large)),
	}
	want := [][]byte{datagram(1, piece(2, 50), piece(2, 1)), whole[1], datagram(3), whole[3], whole[4], whole[5], datagram(7, piece(2, 8))}
	path := filepath.Join(t.TempDir(), "a.xtc2")
	if err := os.WriteFile(path, bytes.Join(whole, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	second := func(h xtc.Header) bool { return h.Src == 2 }
	for _, from := range []string{"a file", "memory"} {
		r, err := xtc.Open(path)
		if from == "memory" {
			_ = r.Close()
			r = xtc.NewReader(bytes.NewReader(bytes.Join(whole, nil)), path)
			want = whole
		}
		if err != nil {
			t.Fatal(err)
		}
		var buf xtc.Dgram
		for i := range whole {
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
			if buf, err = r.ReadWanted(buf, second); err != nil || !bytes.Equal(buf, want[i]) {
				t.Errorf("%s, datagram %d: %v, %d bytes, want %d", from, i, err, len(buf), len(want[i]))
			}
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", from, err)
		}
		if _, err := r.ReadWanted(buf, second); err == nil {
			t.Error("nothing was announced")
		}
		_ = r.Close()
	}
}

// TestReadWantedOfAFileThatShrinks ends in an error.
func TestReadWantedOfAFileThatShrinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.xtc2")
	if err := os.WriteFile(path, datagram(1, piece(1, 1<<20), piece(2, 1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := xtc.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<20+1000); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadWanted(nil, func(h xtc.Header) bool { return h.Src == 2 }); !errors.As(err, new(*xtc.TruncatedError)) {
		t.Errorf("%v", err)
	}
}

package drp

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/pebble"
	"drp/xtc"
)

// verifier is a collector that does nothing else.
func verifier(log *bytes.Buffer) *collector {
	r := &Run{sums: newChecksums(true)}
	r.cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	return &collector{Run: r}
}

func entryOf(s checksums, d xtc.Dgram) *entry {
	return &entry{service: d.Service(), time: d.Time(), number: 17, worker: 2, ix: pebble.Index{Slot: 5}, crc: s.of(d)}
}

// TestVerifyFindsEveryBit: whatever bit of an event changes is found, and what is left can be recorded in its place.
func TestVerifyFindsEveryBit(t *testing.T) {
	var log bytes.Buffer
	c := verifier(&log)
	sent := testkit.Camera{Segments: 1, Rows: 2, Cols: 3}.Event(77, 3)
	e := entryOf(c.sums, sent)
	for bit := range 8 * len(sent) {
		d := append(xtc.Dgram{}, sent...)
		d[bit/8] ^= 1 << (bit % 8)
		got, intact := c.verify(e, d)
		switch {
		case intact:
			t.Fatalf("bit %d changed, and nobody saw it", bit)
		case got.Check() != nil || len(got) != len(sent) || got.Size() != len(sent):
			t.Fatalf("bit %d: the header is none: %v, %d bytes", bit, got.Check(), got.Size())
		case got.Time() != sent.Time() || got.Service() != sent.Service():
			t.Fatalf("bit %d: it is %v of time %d", bit, got.Service(), got.Time())
		case !bytes.Equal(got.Payload(), d[xtc.DgramHeaderBytes:]):
			t.Fatalf("bit %d: the raw data is not as it was", bit)
		}
		c.copied = c.copied[:0]
	}
	if got, intact := c.verify(e, sent); !intact || !bytes.Equal(got, sent) {
		t.Error("an event that is as it was is taken for another")
	}
	if n := c.books.altered.Load(); n != int64(8*len(sent)) {
		t.Errorf("%d of %d are in the books", n, 8*len(sent))
	}
	first, _, _ := strings.Cut(log.String(), "\n")
	for _, want := range []string{"event 17 ", "slot 5", "worker 2", "Corrupted (1 so far)"} {
		if !strings.Contains(first, want) {
			t.Errorf("%q is not in the log: %s", want, first)
		}
	}
	if lines := strings.Count(log.String(), "\n"); lines > 20 {
		t.Errorf("the log has %d lines", lines)
	}
}

// TestVerifyOfWhatHasGrown: the same of an event that stood in its slot while a second script had it, with what was added
// behind it.
func TestVerifyOfWhatHasGrown(t *testing.T) {
	c := verifier(&bytes.Buffer{})
	sent := testkit.Camera{Segments: 1, Rows: 2, Cols: 3}.Event(77, 3)
	e := entryOf(c.sums, sent)
	grown := append(append(xtc.Dgram{}, sent...), "something more"...)
	grown.SetSize(len(grown))
	for bit := -1; bit < 8*len(sent); bit++ {
		d := append(xtc.Dgram{}, grown...)
		if bit >= 0 {
			d[bit/8] ^= 1 << (bit % 8)
		}
		it := posted{service: e.service, time: e.time, worker: e.worker, ix: e.ix, crc: e.crc, bytes: len(sent), dgram: d}
		k := kept{dgram: d}
		if intact := c.verifyAgain(&it, &k); intact != (bit < 0) {
			t.Fatalf("bit %d changed; intact: %v", bit, intact)
		}
		if bit < 0 {
			if d[len(d)-1] ^= 1; !bytes.Equal(k.dgram, grown) {
				t.Error("an event changed after it was verified")
			}
		} else if len(k.dgram) != len(sent) || k.dgram.Size() != len(sent) || !bytes.Equal(k.dgram.Payload(), d[xtc.DgramHeaderBytes:len(sent)]) {
			t.Fatalf("bit %d: the raw data is not as it was", bit)
		}
		c.copied = c.copied[:0]
	}
}

// TestVerifiedEventIsOutOfReach: an event of moderate size cannot be altered between the comparison and the write.
func TestVerifiedEventIsOutOfReach(t *testing.T) {
	c := verifier(&bytes.Buffer{})
	first, second := testkit.Camera{}.Event(1, 1), testkit.Camera{}.Event(2, 2)
	want := append(xtc.Dgram{}, first...)
	got, _ := c.verify(entryOf(c.sums, first), first)
	first[len(first)-1] ^= 1
	if _, intact := c.verify(entryOf(c.sums, second), second); !intact || !bytes.Equal(got, want) {
		t.Error("an event changed after it was verified")
	}
	large := make(xtc.Dgram, 2*copiedBytes)
	if got, intact := c.verify(entryOf(c.sums, large), large); !intact || &got[0] != &large[0] {
		t.Error("a large event was copied")
	}
}

// TestNotVerified: without the option an event is neither read nor copied.
func TestNotVerified(t *testing.T) {
	c := &collector{Run: &Run{sums: newChecksums(false)}}
	d := testkit.Camera{}.Event(1, 1)
	if got, intact := c.verify(&entry{crc: c.sums.of(d) + 1}, d); !intact || &got[0] != &d[0] || len(c.copied) > 0 {
		t.Error("an event was looked at")
	}
}

// BenchmarkVerify is what --verify adds to an event: twice a checksum, and a copy where it is small. What the machine
// copies in the same run is the yardstick. The memory is larger than the caches, as rings are.
func BenchmarkVerify(b *testing.B) {
	const ring = 64 << 20
	memory, copied := make([]byte, ring), make([]byte, ring)
	for i := range memory {
		memory[i] = byte(i * 7919 >> 8)
	}
	copy(copied, memory)
	sums, wanted := newChecksums(true), uint32(0)
	for _, size := range []int{4 << 10, 64 << 10, 4 << 20} {
		for _, work := range []struct {
			name string
			do   func(at int)
		}{
			{"memcpy", func(at int) { copy(copied[at:at+size], memory[at:at+size]) }},
			{"checksum", func(at int) { wanted ^= sums.of(memory[at : at+size]) }},
		} {
			b.Run(fmt.Sprintf("%s/%d", work.name, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for at := 0; b.Loop(); at = (at + size) % ring {
					work.do(at)
				}
			})
		}
	}
}

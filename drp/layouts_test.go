package drp

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

func numbering(t *testing.T) *layouts {
	t.Helper()
	l := newLayouts()
	if err := l.configure(testkit.Camera{}.Configure(1)); err != nil {
		t.Fatal(err)
	}
	return l
}

// ofRows is an event with frames of another height.
func ofRows(rows, number int) xtc.Dgram {
	return testkit.Camera{Segments: 2, Rows: rows, Cols: 3}.Event(uint64(number), number)
}

func number(t *testing.T, l *layouts, d xtc.Dgram) uint32 {
	t.Helper()
	n, err := l.number(d)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEqualLayoutsHaveEqualNumbers(t *testing.T) {
	l := numbering(t)
	rng := rand.New(rand.NewPCG(1, 1))
	seen := map[int]uint32{}
	for i := range 1000 {
		rows := 1 + rng.IntN(5)
		if i > 500 { // long stretches of one layout, too
			rows = 1 + i/50%5
		}
		n := number(t, l, ofRows(rows, i))
		if n == 0 {
			t.Fatalf("%d rows: no number", rows)
		}
		if known, ok := seen[rows]; ok && known != n {
			t.Fatalf("%d rows: layout %d, before it was %d", rows, n, known)
		}
		seen[rows] = n
	}
	different := map[uint32]bool{}
	for _, n := range seen {
		different[n] = true
	}
	if len(different) != len(seen) {
		t.Errorf("%d heights have %d numbers: %v", len(seen), len(different), seen)
	}
}

func TestDamageIsPartOfTheLayout(t *testing.T) {
	l := numbering(t)
	good, bad := ofRows(2, 1), ofRows(2, 1)
	binary.LittleEndian.PutUint16(bad[xtc.DgramHeaderBytes+4:], uint16(xtc.DamageTruncated)) // of the first block
	if number(t, l, good) == number(t, l, bad) {
		t.Error("a damaged block has the layout of a good one")
	}
}

func TestNumbersBeginAgainAtConfigure(t *testing.T) {
	l := numbering(t)
	first := number(t, l, ofRows(2, 1))
	number(t, l, ofRows(3, 1))
	if err := l.configure(testkit.Camera{}.Configure(1)); err != nil {
		t.Fatal(err)
	}
	if n := number(t, l, ofRows(3, 1)); n != first {
		t.Errorf("the first layout after Configure is %d, want %d", n, first)
	}
}

func TestTooManyLayouts(t *testing.T) {
	l := numbering(t)
	for rows := range maxLayouts {
		number(t, l, ofRows(rows, 1))
	}
	if n := number(t, l, ofRows(maxLayouts, 1)); n != 0 {
		t.Errorf("layout %d of at most %d", n, maxLayouts)
	}
	if n := number(t, l, ofRows(7, 2)); n == 0 {
		t.Error("a layout that is known has no number any more")
	}
}

func TestNonsenseHasNoLayout(t *testing.T) {
	good := ofRows(2, 1)
	tests := []struct {
		name   string
		change func(d xtc.Dgram) xtc.Dgram
	}{
		{"cut off", func(d xtc.Dgram) xtc.Dgram { return d[:len(d)-1] }},
		{"unknown NamesId", func(d xtc.Dgram) xtc.Dgram { d[xtc.DgramHeaderBytes] = 77; return d }},
		{"extent too large", func(d xtc.Dgram) xtc.Dgram { d[xtc.DgramHeaderBytes+10] = 1; return d }},
		{"shape too large", func(d xtc.Dgram) xtc.Dgram { d[xtc.DgramHeaderBytes+2*xtc.XtcHeaderBytes] = 200; return d }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := numbering(t)
			for i := range 3 {
				number(t, l, ofRows(2, i))
				if n, err := l.number(tt.change(append(xtc.Dgram{}, good...))); err == nil {
					t.Fatalf("layout %d, no error", n)
				}
			}
		})
	}
}

func TestNumberingAllocatesNothing(t *testing.T) {
	l := numbering(t)
	one, two := ofRows(2, 1), ofRows(3, 1)
	number(t, l, one)
	number(t, l, two)
	for _, tt := range []struct {
		name   string
		events []xtc.Dgram
	}{{"all alike", []xtc.Dgram{one, one}}, {"changing", []xtc.Dgram{one, two, two}}} {
		if n := testing.AllocsPerRun(100, func() {
			for _, d := range tt.events {
				if _, err := l.number(d); err != nil {
					t.Fatal(err)
				}
			}
		}); n >= 1 { // learning another pattern now and then does not count
			t.Errorf("%s: %v allocations", tt.name, n)
		}
	}
}

package drp

import "drp/xtc"

// maxLayouts bounds the memory that data of ever-changing shape can take; what comes later has no number.
const maxLayouts = 4096

// layouts gives equal numbers to events whose headers and shapes are equal byte by byte, so that a child need parse
// each layout only once. On the way it checks that the whole event can be explained.
type layouts struct {
	table   *xtc.Table
	sig     []byte
	last    uint32      // the layout that pattern knows
	pattern xtc.Pattern // of the layout that came up first of late, which most events share
	numbers map[string]uint32
	misses  int // events in a row that the pattern did not match
}

// relearnAfter is how many misses in a row it takes to learn another pattern.
const relearnAfter = 8

func newLayouts() *layouts { return &layouts{table: xtc.NewTable()} }

// configure begins a new numbering.
func (l *layouts) configure(d xtc.Dgram) error {
	l.numbers, l.pattern, l.last, l.misses = map[string]uint32{}, xtc.Pattern{}, 0, 0
	return l.table.Configure(d)
}

// number gives the layout of an event, counted from 1; 0 when there are too many. The error says where and why the
// event makes no sense.
func (l *layouts) number(d xtc.Dgram) (uint32, error) {
	if l.pattern.Matches(d) {
		l.misses = 0
		return l.last, nil
	}
	sig, err := l.table.Structure(d, l.sig[:0])
	if err != nil {
		return 0, err
	}
	l.sig = sig
	n, known := l.numbers[string(sig)]
	if !known {
		if len(l.numbers) == maxLayouts {
			return 0, nil
		}
		n = uint32(len(l.numbers) + 1)
		l.numbers[string(sig)] = n
	}
	if l.misses++; l.last == 0 || l.misses == relearnAfter {
		l.pattern.Learn(l.table, d)
		l.last, l.misses = n, 0
	}
	return n, nil
}

package drp

import "drp/xtc"

// maxLayouts bounds the memory that data of ever-changing shape can take; what comes later has no number.
const maxLayouts = 4096

// layouts gives equal numbers to events whose headers and shapes are equal byte by byte, so that a child need parse
// each layout only once. On the way it checks that the whole event can be explained.
type layouts struct {
	table   *xtc.Table
	sig     []byte
	lastSig string // of the layout found last, which most events share
	last    uint32
	numbers map[string]uint32
}

func newLayouts() *layouts { return &layouts{table: xtc.NewTable()} }

// configure begins a new numbering.
func (l *layouts) configure(d xtc.Dgram) error {
	l.numbers, l.lastSig, l.last = map[string]uint32{}, "", 0
	return l.table.Configure(d)
}

// number gives the layout of an event, counted from 1; 0 when there are too many. The error says where and why the
// event makes no sense.
func (l *layouts) number(d xtc.Dgram) (uint32, error) {
	sig, err := l.table.Structure(d, l.sig[:0])
	if err != nil {
		return 0, err
	}
	l.sig = sig
	if string(sig) == l.lastSig && l.last != 0 {
		return l.last, nil
	}
	n, known := l.numbers[string(sig)]
	if known {
		return n, nil
	}
	if len(l.numbers) == maxLayouts {
		return 0, nil
	}
	n = uint32(len(l.numbers) + 1)
	l.lastSig, l.last = string(sig), n
	l.numbers[l.lastSig] = n
	return n, nil
}

package drp

import (
	"fmt"
	"hash/crc32"

	"drp/xtc"
)

// checksums tell whether an event in shared memory is still what the source wrote: CRC-32C, for which processors have an
// instruction. The dispatcher keeps that of each event in the window, where no script can reach it, and the collector
// compares. The zero value makes none, and costs nothing.
type checksums struct{ table *crc32.Table }

func newChecksums(wanted bool) checksums {
	if !wanted {
		return checksums{}
	}
	return checksums{table: crc32.MakeTable(crc32.Castagnoli)}
}

func (s checksums) of(d []byte) uint32 {
	if s.table == nil {
		return 0
	}
	return crc32.Checksum(d, s.table)
}

// verify gives the event that shall be recorded, and whether it is what the source wrote. One of moderate size is copied
// first, so that nobody can alter it between the comparison and the write; a larger one is compared where it is.
func (c *collector) verify(e *entry, d xtc.Dgram) (_ xtc.Dgram, intact bool) {
	if c.sums.table == nil {
		return d, true
	}
	if len(d) <= copiedBytes {
		at := len(c.copied)
		c.copied = append(c.copied, d...)
		d = c.copied[at:len(c.copied):len(c.copied)]
	}
	if c.sums.of(d) == e.crc {
		return d, true
	}
	altered := c.books.altered.Add(1)
	if altered&(altered-1) == 0 { // bad memory shall not fill the log
		c.cfg.Log.Error(fmt.Sprintf("%s was altered in memory, in slot %d of worker %d, after the source had written it; "+
			"it is recorded as it is, marked Corrupted (%d so far): the memory of this machine may be faulty, or a program "+
			"with the rights of root writes to it", eventName(e.number, e.time), e.ix.Slot, e.worker, altered))
	}
	return restored(e, d), false
}

// restored copies an event that was altered, with a header under which it can be recorded in its place.
func restored(e *entry, d xtc.Dgram) xtc.Dgram {
	whole := make(xtc.Dgram, len(d))
	copy(whole, d)
	const bits = 1<<24 - 1 // of env, below the transition id
	env := xtc.EnvOf(e.service, 0) | d.Env()&bits
	xtc.PutDgramHeader(whole, e.time, env, d.Src(), d.Damage(), len(d)-xtc.DgramHeaderBytes)
	return whole
}

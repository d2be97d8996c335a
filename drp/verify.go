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
	if len(d) <= copiedBytes && c.post == nil { // a second script reads it in its slot
		at := len(c.copied)
		c.copied = append(c.copied, d...)
		d = c.copied[at:len(c.copied):len(c.copied)]
	}
	if c.sums.of(d) == e.crc {
		return d, true
	}
	return c.altered(&origin{e.service, e.worker, e.ix.Slot, e.number, e.time}, d), false
}

// verifyAgain is verify for an event that has grown in its slot, where it stood while a second script had it.
func (c *collector) verifyAgain(it *posted, k *kept) (intact bool) {
	if c.sums.table == nil || it.damage.Has(xtc.DamageCorrupted) {
		return true
	}
	d := it.dgram
	if len(d) <= copiedBytes {
		at := len(c.copied)
		c.copied = append(c.copied, d...)
		d = c.copied[at:len(c.copied):len(c.copied)]
	}
	k.dgram = d
	copy(c.head[:], d)
	xtc.Dgram(c.head[:]).SetSize(it.bytes)
	if d.Size() == len(d) && crc32.Update(c.sums.of(c.head[:]), c.sums.table, d[xtc.DgramHeaderBytes:it.bytes]) == it.crc {
		return true
	}
	k.dgram = c.altered(&origin{it.service, it.worker, it.ix.Slot, it.number, it.time}, d[:it.bytes])
	return false
}

// origin is what the dispatcher knows of an event, whatever its slot says.
type origin struct {
	service xtc.TransitionID
	worker  int16
	slot    uint32
	number  int64
	time    uint64
}

// altered counts an event that is another one than the source wrote, and copies it with a header under which it can be
// recorded in its place.
func (c *collector) altered(o *origin, d xtc.Dgram) xtc.Dgram {
	altered := c.books.altered.Add(1)
	if altered&(altered-1) == 0 { // bad memory shall not fill the log
		c.cfg.Log.Error(fmt.Sprintf("%s was altered in memory, in slot %d of worker %d, after the source had written it; "+
			"it is recorded as it is, marked Corrupted (%d so far): the memory of this machine may be faulty, or a program "+
			"with the rights of root writes to it", eventName(o.number, o.time), o.slot, o.worker, altered))
	}
	whole := make(xtc.Dgram, len(d))
	copy(whole, d)
	const bits = 1<<24 - 1 // of env, below the transition id
	env := xtc.EnvOf(o.service, 0) | d.Env()&bits
	xtc.PutDgramHeader(whole, o.time, env, d.Src(), d.Damage(), len(d)-xtc.DgramHeaderBytes)
	return whole
}

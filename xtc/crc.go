package xtc

import (
	"encoding/binary"
	"hash/crc32"
)

// crcSuffix ends the name of the file with the checksums of a big file, beside it.
//
//	head:   | "drpcrc1\n" 8 |
//	record: | offset 8 | size 4 | CRC-32C 4 |      one for each datagram of the big file, in order
//	end:    | size of the big file 8 | 0xffffffff 4 | CRC-32C of all before 4 |
//
// No datagram has the size 0xffffffff. A file without the end is one whose writer was interrupted.
const (
	crcSuffix      = ".crc"
	crcMagic       = "drpcrc1\n"
	crcRecordBytes = 16
	crcEnd         = 1<<32 - 1
)

// crcTable is that of the polynomial for which processors have an instruction.
func crcTable() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// A crcIndex makes the records of one big file.
type crcIndex struct {
	table     *crc32.Table
	sum, good uint32 // of all records, and of those that are in the file
	head      [DgramHeaderBytes]byte
	record    [crcRecordBytes]byte
}

// begin starts the checksums of another big file, if they are wanted.
func (x *crcIndex) begin() {
	if x.table == nil {
		return
	}
	x.sum = crc32.Checksum([]byte(crcMagic), x.table)
	x.good = x.sum
}

func (x *crcIndex) put(offset int64, size uint32) {
	binary.LittleEndian.PutUint64(x.record[:], uint64(offset))
	binary.LittleEndian.PutUint32(x.record[8:], size)
}

// datagram gives the record of a datagram; the next call overwrites it.
func (x *crcIndex) datagram(offset int64, header Dgram, parts [][]byte) []byte {
	copy(x.head[:], header) // the header of the caller would escape
	sum := crc32.Update(0, x.table, x.head[:])
	for _, p := range parts {
		sum = crc32.Update(sum, x.table, p)
	}
	x.put(offset, uint32(header.Size()))
	binary.LittleEndian.PutUint32(x.record[12:], sum)
	x.sum = crc32.Update(x.sum, x.table, x.record[:])
	return x.record[:]
}

// end gives the last record.
func (x *crcIndex) end(fileBytes int64) []byte {
	x.put(fileBytes, crcEnd)
	binary.LittleEndian.PutUint32(x.record[12:], crc32.Update(x.sum, x.table, x.record[:12]))
	return x.record[:]
}

func (x *crcIndex) commit() { x.good = x.sum }
func (x *crcIndex) drop()   { x.sum = x.good }

// beginCRC makes the file for the checksums of a big file.
func (w *Writer) beginCRC(final string) (*gatherFile, error) {
	g, err := createOutput(w.disk, final+crcSuffix)
	if err != nil {
		return nil, err
	}
	w.sums.begin()
	g.copy([]byte(crcMagic))
	return g, nil
}

// nextCRC is beginCRC if checksums are wanted. What the present ones end with must not change by it.
func (w *Writer) nextCRC(final string) (*gatherFile, error) {
	if w.crc == nil {
		return nil, nil
	}
	sums := w.sums
	next, err := w.beginCRC(final)
	w.sums = sums
	return next, err
}

// dropCRC forgets the checksums of what is dropped. The head of the file is not among it.
func (w *Writer) dropCRC() {
	w.crc.drop()
	w.sums.drop()
	if w.crc != nil && w.crc.written == 0 {
		w.crc.copy([]byte(crcMagic))
	}
}

// endCRC writes the end of the checksums.
func (w *Writer) endCRC() error {
	if w.crc == nil {
		return nil
	}
	w.crc.copy(w.sums.end(w.big.size()))
	if err := w.crc.write(); err != nil {
		return err
	}
	w.crc.commit()
	return w.crc.sync()
}

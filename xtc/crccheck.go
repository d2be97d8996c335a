package xtc

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const crcMismatch = "checksums: the datagram is not what was written"

// A crcChecker reads checksums in step with the big file.
type crcChecker struct {
	path   string
	r      *bufio.Reader
	file   *os.File
	table  *crc32.Table
	sum    uint32 // of all records so far
	ended  bool
	broken bool
}

// openCRC opens the checksums of a big file, or gives nil when there are none.
func openCRC(path string) (*crcChecker, error) {
	for _, name := range []string{strings.TrimSuffix(path, inProgressSuffix) + crcSuffix + inProgressSuffix,
		strings.TrimSuffix(path, inProgressSuffix) + crcSuffix} {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("xtc: %w", err)
		}
		return &crcChecker{path: name, file: f, r: bufio.NewReader(f), table: crcTable()}, nil
	}
	return nil, nil
}

func (c *crcChecker) Close() error { return c.file.Close() }

// begin reads the head.
func (c *crcChecker) begin() string {
	head := make([]byte, len(crcMagic))
	if _, err := io.ReadFull(c.r, head); err != nil || string(head) != crcMagic {
		c.broken = true
		return fmt.Sprintf("checksums: %s is none of ours", filepath.Base(c.path))
	}
	c.sum = crc32.Update(0, c.table, head)
	return ""
}

// next reads a record. At the end it says what is wrong there, if anything.
func (c *crcChecker) next() (offset uint64, size, sum uint32, text string) {
	var b [crcRecordBytes]byte
	if _, err := io.ReadFull(c.r, b[:]); err != nil {
		c.broken = true
		return 0, 0, 0, fmt.Sprintf("checksums: %s ends before the file does", filepath.Base(c.path))
	}
	offset, size, sum = binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:])
	if size != crcEnd {
		c.sum = crc32.Update(c.sum, c.table, b[:])
		return offset, size, sum, ""
	}
	c.ended = true
	if all := crc32.Update(c.sum, c.table, b[:12]); all != sum {
		text = fmt.Sprintf("checksums: %s is damaged itself", filepath.Base(c.path))
	}
	return offset, size, sum, text
}

// datagram compares the next record with a datagram of the file.
func (c *crcChecker) datagram(d Dgram, at int64) string {
	if c.broken || c.ended {
		return ""
	}
	offset, size, sum, text := c.next()
	switch {
	case text != "":
		return text
	case c.ended:
		return fmt.Sprintf("checksums: %s has fewer datagrams than the file", filepath.Base(c.path))
	case offset != uint64(at) || size != uint32(len(d)):
		c.broken = true
		return fmt.Sprintf("checksums: another datagram was written here, of %d bytes at %d", size, offset)
	case crc32.Checksum(d, c.table) != sum:
		return crcMismatch
	}
	return ""
}

// finish compares what is behind the last datagram.
func (c *crcChecker) finish(fileBytes int64) string {
	if c.broken || c.ended {
		return ""
	}
	offset, _, _, text := c.next()
	switch {
	case text != "":
		return text
	case !c.ended:
		return fmt.Sprintf("checksums: %s has more datagrams than the file", filepath.Base(c.path))
	case offset != uint64(fileBytes):
		return fmt.Sprintf("checksums: %d bytes were written", offset)
	}
	if _, err := c.r.ReadByte(); err == nil {
		return fmt.Sprintf("checksums: bytes follow the end of %s", filepath.Base(c.path))
	}
	return ""
}

// makeCRC writes the checksums of a big file anew, in the place of the old ones.
func makeCRC(b *bigFile) error {
	f, err := Open(b.final)
	if err != nil {
		return err
	}
	defer f.Close()
	final := b.final + crcSuffix
	out, err := os.OpenFile(final+repairSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, outputFileMode)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	x := crcIndex{table: crcTable()}
	x.begin()
	_, err = w.WriteString(crcMagic)
	var buf Dgram
	for end := int64(0); err == nil && end < b.good; end = f.Offset() {
		if _, err = f.Next(); err != nil {
			break
		}
		at := f.Offset()
		if buf, err = f.ReadDgram(buf); err == nil {
			_, err = w.Write(x.datagram(at, buf[:DgramHeaderBytes], [][]byte{buf[DgramHeaderBytes:]}))
		}
	}
	if err == nil {
		_, err = w.Write(x.end(b.good))
	}
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	if err := os.Rename(final+repairSuffix, final); err != nil {
		return err
	}
	if err := os.Remove(final + inProgressSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

package xtc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A smallChecker reads the small data in step with the big file.
type smallChecker struct {
	r     *Reader
	table *Table
	buf   Dgram
	ended bool // the events of this chunk have ended
	over  bool // and so has the file
}

// openSmall opens the named small data, or what lies where it belongs. Small data is one file over all chunks, so that
// of a later chunk begins behind the Enable that announces it.
func openSmall(path, named string) (*smallChecker, error) {
	name, ok := ParseFileName(path)
	if named == "" && !ok {
		return nil, nil
	}
	if named == "" {
		if named = findSmall(path, name); named == "" {
			return nil, nil
		}
	}
	r, err := Open(named)
	if err != nil {
		return nil, err
	}
	c := &smallChecker{r: r, table: NewTable()}
	if ok && name.Chunk > 0 {
		err = c.skipTo(filepath.Base(path))
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return c, nil
}

func findSmall(path string, name FileName) string {
	name.Chunk = 0
	for _, suffix := range []string{"", inProgressSuffix} {
		p := filepath.Join(filepath.Dir(path), name.SmallData()) + suffix
		if _, err := os.Stat(p); !errors.Is(err, fs.ErrNotExist) && p != path {
			return p
		}
	}
	return ""
}

func (c *smallChecker) Close() error { return c.r.Close() }

// next reads up to the next event, or to the end of the chunk. A nil Dgram tells the latter.
func (c *smallChecker) next() (Dgram, error) {
	for !c.ended {
		_, err := c.r.Next()
		offset := c.r.Offset()
		if err == nil {
			c.buf, err = c.r.ReadDgram(c.buf)
		}
		if err == io.EOF {
			c.ended, c.over = true, true
			break
		}
		if err != nil {
			return nil, err
		}
		switch d := c.buf; {
		case d.Service().IsEvent():
			return d, nil
		case d.Service() == Configure:
			if err := c.table.Configure(d); err != nil {
				return nil, Locate(err, c.r.path, c.r.Count(), offset)
			}
		case d.Service() == Enable:
			_, _, c.ended = ChunkInfo(c.table, d)
		}
	}
	return nil, nil
}

// skipTo goes behind the Enable that names the next chunk as file.
func (c *smallChecker) skipTo(file string) error {
	for {
		d, err := c.next()
		if err != nil {
			return err
		}
		if d != nil {
			continue
		}
		if c.over || c.buf == nil || c.buf.Service() != Enable {
			return fmt.Errorf("xtc: %s: no chunkinfo names %s", c.r.path, file)
		}
		name, _, ok := ChunkInfo(c.table, c.buf)
		if !ok {
			return fmt.Errorf("xtc: %s: no chunkinfo names %s", c.r.path, file)
		}
		c.ended = false
		if name == file {
			return nil
		}
	}
}

// event compares the next event with that of the big file and says what differs. Trouble inside the small data is a
// difference too; only what keeps it from being read is an error.
func (c *smallChecker) event(big Dgram, offset int64) (string, error) {
	d, err := c.next()
	if err != nil {
		return smallTrouble(err)
	}
	if d == nil {
		return "it has fewer events than the file", nil
	}
	if d.Time() != big.Time() || d.Env() != big.Env() {
		return "an event has another time or env", nil
	}
	for it := c.table.Blocks(d); it.Next(); {
		b := it.Block()
		if b.Names.DetName != "smdinfo" {
			continue
		}
		at, okAt := b.FieldNamed("intOffset")
		size, okSize := b.FieldNamed("intDgramSize")
		if okAt && okSize && at.Uint64() == uint64(offset) && size.Uint64() == uint64(len(big)) {
			return "", nil
		}
		return "an offset or size is not that of the event", nil
	}
	return "an event has no smdinfo", nil
}

// finish tells whether events are left over.
func (c *smallChecker) finish() (string, error) {
	d, err := c.next()
	if err != nil {
		text, err := smallTrouble(err)
		if text != "" {
			text = "small data: " + text
		}
		return text, err
	}
	if d != nil {
		return "small data: it has more events than the file", nil
	}
	return "", nil
}

func smallTrouble(err error) (string, error) {
	var format *FormatError
	var truncated *TruncatedError
	if errors.As(err, &format) || errors.As(err, &truncated) {
		return err.Error(), nil
	}
	return "", err
}

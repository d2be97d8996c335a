package control

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// journal is the orders that were ever given, in a file of lines: the first says whose they are, each other is an order.
// An order is on the disk before anybody hears of it, so no number of a run is given twice, whatever happens.
type journal struct {
	file   *os.File
	head   journalHead
	orders []Order
}

type journalHead struct {
	Format    string `json:"format"`
	Partition string `json:"partition"`
	ID        string `json:"id"` // by which processes know it again
}

const journalFormat = "drp-control 1"

// lockPatience is how long a run control that was killed may take to end.
const lockPatience = 3 * time.Second

// longestLine is more than any line has.
const longestLine = 4096

// openJournal reads a journal, or begins one. What a power cut left of a last line is cut off.
func openJournal(path, partition string) (*journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o640)
	if err != nil {
		return nil, fmt.Errorf("control: journal: %w", err)
	}
	j := &journal{file: file}
	if err := j.begin(partition); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("control: journal %s: %w", path, err)
	}
	return j, nil
}

func (j *journal) begin(partition string) error {
	for until := time.Now().Add(lockPatience); syscall.Flock(int(j.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil; {
		if time.Now().After(until) {
			return errors.New("another run control writes to it: end that first, or choose another file")
		}
		time.Sleep(lockPatience / 100)
	}
	whole, err := j.read()
	if err != nil {
		return err
	}
	if err := j.file.Truncate(whole); err != nil {
		return err
	}
	if _, err := j.file.Seek(whole, 0); err != nil {
		return err
	}
	if whole > 0 {
		if j.head.Partition != partition {
			return fmt.Errorf("it is of partition %q, and not of %q: choose another file", clip(j.head.Partition), partition)
		}
		return nil
	}
	j.head = journalHead{Format: journalFormat, Partition: partition, ID: newID()}
	return j.append(j.head)
}

// read takes what is there, and gives the length of the whole lines.
func (j *journal) read() (whole int64, err error) {
	lines := bufio.NewReaderSize(j.file, longestLine)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			if len(line) >= longestLine {
				return 0, errors.New("it is no journal of run control: choose another file")
			}
			return whole, nil // the rest of a line, or nothing
		}
		if whole == 0 {
			if err := strictly(line, &j.head); err != nil || j.head.Format != journalFormat {
				return 0, errors.New("it is no journal of run control: choose another file")
			}
		} else {
			var o Order
			if err := strictly(line, &o); err != nil || o.Number != uint64(len(j.orders)+1) {
				return 0, fmt.Errorf("line %d is no order %d: %q", len(j.orders)+2, len(j.orders)+1, clip(string(line)))
			}
			j.orders = append(j.orders, o)
		}
		whole += int64(len(line))
	}
}

// write adds an order, for ever.
func (j *journal) write(o Order) error {
	if err := j.append(o); err != nil {
		return fmt.Errorf("control: journal: %w", err)
	}
	j.orders = append(j.orders, o)
	return nil
}

// append adds a line. Half a line is taken back, so that the next one is whole.
func (j *journal) append(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	at, err := j.file.Seek(0, 1)
	if err != nil {
		return err
	}
	if _, err = j.file.Write(append(line, '\n')); err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		_, back := j.file.Seek(at, 0)
		return errors.Join(err, j.file.Truncate(at), back)
	}
	return nil
}

func (j *journal) close() error { return j.file.Close() }

// strictly reads one JSON value, which has known fields only.
func strictly(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the JSON value")
	}
	return nil
}

// newID is a name that nobody else has.
func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // which never fails
	return hex.EncodeToString(b[:])
}

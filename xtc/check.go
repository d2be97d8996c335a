package xtc

import (
	"errors"
	"fmt"
	"io"
)

// CheckOptions choose what Check compares a file with.
type CheckOptions struct {
	Configure string // file to take the Names from, for later chunks; empty: search beside the file
	SmallData string // small data of the file; empty: search in the folder smalldata beside it
}

// A Report is what Check found. Errors make the file bad, warnings do not.
type Report struct {
	Path      string           `json:"path"`
	Bytes     int64            `json:"bytes"`
	Explained int64            `json:"explained"` // bytes of datagrams whose every byte was accounted for
	Datagrams int              `json:"datagrams"`
	Count     map[string]int   `json:"count"`
	Names     int              `json:"names"`
	Blocks    int              `json:"blocks"` // ShapesData
	Damage    map[string]int   `json:"damage"` // datagrams by damage, of themselves or of a block in them
	Errors    []Problem        `json:"errors"`
	Warnings  []Problem        `json:"warnings"`
	Truncated *TruncatedError  `json:"truncated,omitempty"`
	SmallData *SmallDataReport `json:"small_data,omitempty"`
	Repaired  *RepairNote      `json:"repaired,omitempty"` // what Repair did to it
	CRC       string           `json:"crc,omitempty"`      // file with the checksums, all of which were compared
}

// A Problem is one kind of trouble, with the place where it was first met.
type Problem struct {
	Text     string `json:"text"`
	Count    int    `json:"count"`
	Datagram int    `json:"datagram"` // counted from 1
	Offset   int64  `json:"offset"`   // in the file
}

func (p Problem) String() string {
	s := fmt.Sprintf("datagram %d at byte %d: %s", p.Datagram, p.Offset, p.Text)
	if p.Count > 1 {
		s += fmt.Sprintf(" (%d times)", p.Count)
	}
	return s
}

// A SmallDataReport tells how the small data agrees with the file.
type SmallDataReport struct {
	Path   string `json:"path"`
	Events int    `json:"events"` // that point to the datagram with the same time, env and size
}

// OK tells whether the file is good: warnings are allowed, a truncated end is not.
func (r *Report) OK() bool { return len(r.Errors) == 0 && r.Truncated == nil }

// maxProblems bounds the kinds of trouble kept, since a text may hold numbers from the file.
const maxProblems = 100

func addProblem(list []Problem, text string, datagram int, offset int64) []Problem {
	for i := range list {
		if list[i].Text == text {
			list[i].Count++
			return list
		}
	}
	if len(list) == maxProblems {
		return list
	}
	return append(list, Problem{Text: text, Count: 1, Datagram: datagram, Offset: offset})
}

// Check reads a whole file and validates all of it. The error is about reading it at all; what is wrong inside is in
// the Report.
func Check(path string, opts CheckOptions) (Report, error) {
	c := checker{table: NewTable(), report: Report{Path: path, Damage: map[string]int{}, Errors: []Problem{},
		Warnings: []Problem{}}}
	r, err := Open(path)
	if err != nil {
		return c.report, err
	}
	defer r.Close()
	c.r = r
	c.report.Bytes = max(r.size, 0)
	c.noted()
	if err := c.begin(opts); err != nil {
		return c.report, err
	}
	if c.small != nil {
		defer c.small.Close()
	}
	if c.crc, err = openCRC(path); err != nil {
		return c.report, err
	}
	if c.crc != nil {
		defer func() { _ = c.crc.Close() }()
		c.report.CRC = c.crc.path
		if text := c.crc.begin(); text != "" {
			c.fail(text, 0)
		}
	}
	err = c.run()
	c.report.Count = countByName(c.count)
	return c.report, err
}

type checker struct {
	r      *Reader
	table  *Table
	report Report
	small  *smallChecker
	crc    *crcChecker
	order  orderChecker
	count  [NumTransitions]int
	last   uint64
	buf    Dgram
	sig    []byte
}

// begin finds the Names of a later chunk and the small data.
func (c *checker) begin(opts CheckOptions) error {
	d, err := c.r.Next()
	if err == nil && d.Service() != Configure {
		if c.table, err = c.r.names(opts.Configure, d.Service()); err != nil {
			return err
		}
		c.order.last = Enable // the run goes on
	}
	if err := c.r.Rewind(); err != nil {
		return err
	}
	c.small, err = openSmall(c.r.path, opts.SmallData)
	if c.small != nil {
		c.report.SmallData = &SmallDataReport{Path: c.small.r.path}
	}
	return err
}

func (c *checker) run() error {
	for {
		_, err := c.r.Next()
		offset := c.r.Offset()
		if err == nil {
			c.buf, err = c.r.ReadDgram(c.buf)
		}
		if err != nil {
			return c.end(err)
		}
		if err := c.datagram(c.buf, offset); err != nil {
			return err
		}
	}
}

// end sorts out why there is no further datagram.
func (c *checker) end(err error) error {
	var format *FormatError
	switch {
	case err == io.EOF || errors.As(err, &c.report.Truncated):
	case errors.As(err, &format):
		c.report.Errors = addProblem(c.report.Errors, format.Reason+"; nothing after it can be read", format.Datagram,
			format.Offset)
		return nil // where a bad header hides datagrams, the small data has more of them
	default:
		return err
	}
	if text := c.order.end(); text != "" {
		c.warn(text, c.r.Offset())
	}
	if c.crc != nil && c.report.Truncated == nil {
		if text := c.crc.finish(c.r.Offset()); text != "" {
			c.fail(text, c.r.Offset())
		}
	}
	if c.small == nil || c.report.Truncated != nil {
		return nil
	}
	text, err := c.small.finish()
	if text != "" {
		c.fail(text, c.r.Offset())
	}
	return err
}

func (c *checker) fail(text string, offset int64) {
	c.report.Errors = addProblem(c.report.Errors, text, c.r.Count(), offset)
}

func (c *checker) warn(text string, offset int64) {
	c.report.Warnings = addProblem(c.report.Warnings, text, c.r.Count(), offset)
}

func (c *checker) datagram(d Dgram, offset int64) error {
	c.report.Datagrams++
	c.count[d.Service()]++
	if c.crc != nil {
		if text := c.crc.datagram(d, offset); text != "" {
			c.fail(text, offset)
		}
	}
	c.checkTime(d, offset)
	if c.checkStructure(d, offset) {
		c.report.Explained += int64(len(d))
	}
	_, _, hasChunkInfo := ChunkInfo(c.table, d)
	if text := c.order.next(d.Service(), hasChunkInfo); text != "" {
		c.warn(text, offset)
	}
	if c.small == nil || !d.Service().IsEvent() {
		return nil
	}
	text, err := c.small.event(d, offset)
	if text != "" {
		c.fail("small data: "+text, offset)
	} else if err == nil {
		c.report.SmallData.Events++
	}
	return err
}

func (c *checker) checkTime(d Dgram, offset int64) {
	switch t := d.Time(); {
	case c.report.Datagrams == 1 || t > c.last:
	case t == c.last:
		c.warn("the timestamp is that of the datagram before", offset)
	default:
		c.warn("the timestamp is lower than that of the datagram before", offset)
	}
	c.last = d.Time()
}

func (c *checker) checkStructure(d Dgram, offset int64) bool {
	var err error
	if d.Service() == Configure {
		err = c.table.Configure(d)
	}
	if err == nil {
		c.sig, err = c.table.Structure(d, c.sig[:0])
	}
	var format *FormatError
	if errors.As(err, &format) {
		c.fail(format.Reason, offset+format.Offset)
		return false
	}
	c.checkXtcs(d, offset)
	c.checkBlocks(d, offset)
	return true
}

// checkXtcs looks at what the structure allows and a good writer does not make.
func (c *checker) checkXtcs(d Dgram, offset int64) {
	damage := d.Damage()
	for w := newWalker(d); w.Next(); {
		damage |= w.header.Damage
		if w.header.Type != TypeNames {
			continue
		}
		c.report.Names++
		if d.Service() != Configure {
			c.warn(fmt.Sprintf("Names in a datagram of %v", d.Service()), offset+int64(w.off))
		}
	}
	if damage != 0 {
		c.report.Damage[damage.String()]++
	}
	if damage.Has(DamageCorrupted) {
		c.warn("a container is marked Corrupted, its contents were not looked at", offset)
	}
}

func (c *checker) checkBlocks(d Dgram, offset int64) {
	for it := c.table.Blocks(d); it.Next(); {
		b := it.Block()
		c.report.Blocks++
		if b.Stray() > 0 {
			c.warn(fmt.Sprintf("%s %s has stray bytes behind its shapes or values", b.Names.DetName, b.Names.Alg),
				offset+int64(b.Offset))
		}
		for i := range b.Names.Entries {
			if e := &b.Names.Entries[i]; e.Type == CharStr && b.Shape(i)[0]%4 != 0 {
				c.warn(fmt.Sprintf("the length of CHARSTR %s is not a multiple of 4", e.Name), offset+int64(b.Offset))
			}
		}
	}
}

// An orderChecker knows which transition may follow which. Events and SlowUpdates change nothing.
type orderChecker struct {
	last   TransitionID
	goesOn bool // in the chunk that the last datagram names
}

func (o *orderChecker) next(t TransitionID, chunkInfo bool) string {
	last := o.last
	o.goesOn = t == Enable && chunkInfo
	switch {
	case t == ClearReadout || t == Reset:
		o.last = t
		return ""
	case t == SlowUpdate:
		return ""
	case t.IsEvent():
		if last != Enable {
			return fmt.Sprintf("%v while not enabled: the last transition was %v", t, last)
		}
		return ""
	case t == Enable && chunkInfo && last == Enable: // the last datagram of a chunk
		return ""
	}
	o.last = t
	after := map[TransitionID][]TransitionID{
		Configure:   {ClearReadout, Reset, Unconfigure}, // ClearReadout is also where a file starts
		BeginRun:    {Configure, EndRun},
		BeginStep:   {BeginRun, EndStep},
		Enable:      {BeginStep, Disable},
		Disable:     {Enable},
		EndStep:     {Disable},
		EndRun:      {EndStep, BeginRun},
		Unconfigure: {EndRun, Configure},
	}
	for _, ok := range after[t] {
		if last == ok {
			return ""
		}
	}
	return fmt.Sprintf("%v follows %v", t, last)
}

// end says when a run was begun and not ended.
func (o *orderChecker) end() string {
	switch o.last {
	case BeginRun, BeginStep, Enable, Disable, EndStep:
		if !o.goesOn {
			return fmt.Sprintf("the file ends without EndRun, after %v", o.last)
		}
	}
	return ""
}

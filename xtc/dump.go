package xtc

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
)

// DumpOptions choose what Dump prints.
type DumpOptions struct {
	Configure   string // file to take the Names from, for later chunks; empty: search beside the file
	JSON        bool   // one JSON object per datagram and line
	MaxElements int    // of each array; 0 means 8
	First, Last int    // datagrams by number, counted from 1; Last 0 means to the end
}

const defaultMaxElements = 8

// A dumpDgram is one datagram in the JSON form.
type dumpDgram struct {
	Number  int       `json:"number"`
	Offset  int64     `json:"offset"`
	Bytes   int       `json:"bytes"`
	Service string    `json:"service"`
	Time    Timestamp `json:"time"`
	Env     uint32    `json:"env"`
	Src     uint32    `json:"src"`
	Damage  string    `json:"damage,omitempty"`
	Names   []*Names  `json:"names,omitempty"`
	// "blocks" and "error" follow: many blocks of a few bytes would together take far more memory than the file has.
}

type dumpBlock struct {
	NamesID NamesID     `json:"names_id"`
	Offset  int         `json:"offset"`
	Bytes   int         `json:"bytes"`
	DetName string      `json:"det_name"`
	DetType string      `json:"det_type"`
	Segment uint32      `json:"segment"`
	Alg     string      `json:"alg"`
	Version Version     `json:"version"`
	Damage  string      `json:"damage,omitempty"`
	Fields  []dumpField `json:"fields"`
}

type dumpField struct {
	Name   string   `json:"name"`
	Type   DataType `json:"type"`
	Shape  []uint32 `json:"shape"`
	Text   *string  `json:"text,omitempty"`
	Values []any    `json:"values,omitempty"` // the first few
	Min    any      `json:"min,omitempty"`    // of all
	Max    any      `json:"max,omitempty"`
}

// Dump prints structure and values of a file, a line per field:
//
//	datagram 6 at 43072: L1Accept 848 bytes time 1.000000004 env 0x0c000000 src 0
//	  xppcspad[0] raw 2.0.0 0x102 at 24
//	    array_raw UINT16 [3,6]: 0 1 2 … min 0 max 17
//
// A datagram that makes no sense inside is shown with its error, and the dump goes on with the next.
func Dump(w io.Writer, path string, opts DumpOptions) error {
	r, t, err := OpenWithNames(path, opts.Configure)
	if err != nil {
		return err
	}
	defer r.Close()
	if opts.MaxElements <= 0 {
		opts.MaxElements = defaultMaxElements
	}
	out := bufio.NewWriter(w)
	dumper := dumper{r: r, t: t, out: out, opts: opts}
	if err := dumper.all(); err != nil {
		return errors.Join(err, out.Flush())
	}
	return out.Flush()
}

type dumper struct {
	r    *Reader
	t    *Table
	out  *bufio.Writer
	opts DumpOptions
	buf  Dgram
}

func (p *dumper) all() error {
	for {
		d, err := p.r.Next()
		if err == io.EOF || p.opts.Last > 0 && p.r.Count() > p.opts.Last {
			return nil
		}
		if err != nil {
			return err
		}
		shown := p.r.Count() >= p.opts.First
		if !shown && d.Service() != Configure {
			continue // but Names must be known even when they are not shown
		}
		offset := p.r.Offset()
		if p.buf, err = p.r.ReadDgram(p.buf); err != nil {
			return err
		}
		if err := p.datagram(p.buf, offset, shown); err != nil {
			return err
		}
	}
}

func (p *dumper) datagram(d Dgram, offset int64, shown bool) error {
	g := dumpDgram{Number: p.r.Count(), Offset: offset, Bytes: len(d), Service: d.Service().String(),
		Time: TimestampOf(d.Time()), Env: d.Env(), Src: d.Src(), Damage: d.Damage().String()}
	var err error
	if d.Service() == Configure {
		if err = p.t.Configure(d); err == nil {
			g.Names = p.t.All()
		}
	}
	if !shown {
		return nil
	}
	var show display = &textDisplay{w: p.out}
	if p.opts.JSON {
		show = &jsonDisplay{w: p.out}
	}
	if bad := show.begin(&g); bad != nil {
		return bad
	}
	if err == nil {
		err = p.blocks(d, show)
	}
	return show.end(err)
}

// blocks shows one after the other.
func (p *dumper) blocks(d Dgram, show display) error {
	it := p.t.Blocks(d)
	for it.Next() {
		b := it.Block()
		n := b.Names
		shown := dumpBlock{NamesID: b.ID, Offset: b.Offset, Bytes: b.Extent, DetName: n.DetName, DetType: n.DetType,
			Segment: n.Segment, Alg: n.Alg, Version: n.Version, Damage: b.Damage.String(), Fields: []dumpField{}}
		for i := range n.Entries {
			shown.Fields = append(shown.Fields, newDumpField(n.Entries[i].Name, b.Field(i), p.opts.MaxElements))
		}
		if err := show.block(&shown); err != nil {
			return err
		}
	}
	return it.Err()
}

func newDumpField(name string, v Value, maxElements int) dumpField {
	f := dumpField{Name: name, Type: v.Type, Shape: v.Shape[:v.Rank:v.Rank]}
	if v.Type == CharStr {
		text := strings.ToValidUTF8(v.String(), "\uFFFD")
		f.Text = &text
		return f
	}
	for i := range min(v.Len(), maxElements) {
		f.Values = append(f.Values, v.element(i))
	}
	if v.Rank > 0 && v.Len() > 0 {
		lo, hi := v.extremes()
		f.Min, f.Max = v.element(lo), v.element(hi)
	}
	return f
}

// plain keeps what a file says from steering the terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, s)
}

func product(shape []uint32) int {
	n := 1
	for _, dim := range shape {
		n *= int(dim)
	}
	return n
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

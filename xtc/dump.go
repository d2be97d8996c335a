package xtc

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
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
	Number  int         `json:"number"`
	Offset  int64       `json:"offset"`
	Bytes   int         `json:"bytes"`
	Service string      `json:"service"`
	Time    Timestamp   `json:"time"`
	Env     uint32      `json:"env"`
	Src     uint32      `json:"src"`
	Damage  string      `json:"damage,omitempty"`
	Names   []*Names    `json:"names,omitempty"`
	Blocks  []dumpBlock `json:"blocks,omitempty"`
	Error   string      `json:"error,omitempty"`
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
	if err == nil {
		g.Blocks, err = p.blocks(d)
	}
	if err != nil {
		g.Error = err.Error()
	}
	if p.opts.JSON {
		return json.NewEncoder(p.out).Encode(g)
	}
	g.print(p.out)
	return nil
}

func (p *dumper) blocks(d Dgram) (blocks []dumpBlock, err error) {
	it := p.t.Blocks(d)
	for it.Next() {
		b := it.Block()
		n := b.Names
		shown := dumpBlock{NamesID: b.ID, Offset: b.Offset, Bytes: b.Extent, DetName: n.DetName, DetType: n.DetType,
			Segment: n.Segment, Alg: n.Alg, Version: n.Version, Damage: b.Damage.String(), Fields: []dumpField{}}
		for i := range n.Entries {
			shown.Fields = append(shown.Fields, newDumpField(n.Entries[i].Name, b.Field(i), p.opts.MaxElements))
		}
		blocks = append(blocks, shown)
	}
	return blocks, it.Err()
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

func (g *dumpDgram) print(w io.Writer) {
	fmt.Fprintf(w, "datagram %d at %d: %s %d bytes time %v env 0x%08x src %d%s\n", g.Number, g.Offset, g.Service,
		g.Bytes, g.Time, g.Env, g.Src, prefixed(" damage ", g.Damage))
	for _, n := range g.Names {
		fmt.Fprintf(w, "  Names %v %s[%d] %s %v type %s%s: %d entries\n", n.ID, plain(n.DetName), n.Segment, plain(n.Alg),
			n.Version, plain(n.DetType), prefixed(" id ", plain(n.DetID)), len(n.Entries))
	}
	for _, b := range g.Blocks {
		fmt.Fprintf(w, "  %s[%d] %s %v %v at %d%s\n", plain(b.DetName), b.Segment, plain(b.Alg), b.Version, b.NamesID, b.Offset,
			prefixed(" damage ", b.Damage))
		for _, f := range b.Fields {
			f.print(w)
		}
	}
	if g.Error != "" {
		fmt.Fprintf(w, "  error: %s\n", g.Error)
	}
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

func (f *dumpField) print(w io.Writer) {
	shape := ""
	if len(f.Shape) > 0 {
		shape = " " + strings.ReplaceAll(fmt.Sprint(f.Shape), " ", ",")
	}
	fmt.Fprintf(w, "    %s %v%s:", plain(f.Name), f.Type, shape)
	if f.Text != nil {
		fmt.Fprintf(w, " %s\n", strconv.Quote(*f.Text))
		return
	}
	for _, v := range f.Values {
		fmt.Fprintf(w, " %v", v)
	}
	if f.Min != nil {
		if !slices.Contains(f.Shape, 0) && product(f.Shape) > len(f.Values) {
			fmt.Fprint(w, " …")
		}
		fmt.Fprintf(w, " min %v max %v", f.Min, f.Max)
	}
	fmt.Fprintln(w)
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

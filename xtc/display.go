package xtc

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// A display shows a datagram piece by piece, so that no more than one block of it is held.
type display interface {
	begin(g *dumpDgram) error
	block(b *dumpBlock) error
	end(trouble error) error // of the datagram, shown behind its blocks
}

type textDisplay struct{ w io.Writer }

func (t *textDisplay) begin(g *dumpDgram) error {
	fmt.Fprintf(t.w, "datagram %d at %d: %s %d bytes time %v env 0x%08x src %d%s\n", g.Number, g.Offset, g.Service,
		g.Bytes, g.Time, g.Env, g.Src, prefixed(" damage ", g.Damage))
	for _, n := range g.Names {
		fmt.Fprintf(t.w, "  Names %v %s[%d] %s %v type %s%s: %d entries\n", n.ID, plain(n.DetName), n.Segment, plain(n.Alg),
			n.Version, plain(n.DetType), prefixed(" id ", plain(n.DetID)), len(n.Entries))
	}
	return nil
}

func (t *textDisplay) block(b *dumpBlock) error {
	fmt.Fprintf(t.w, "  %s[%d] %s %v %v at %d%s\n", plain(b.DetName), b.Segment, plain(b.Alg), b.Version, b.NamesID, b.Offset,
		prefixed(" damage ", b.Damage))
	for _, f := range b.Fields {
		f.print(t.w)
	}
	return nil
}

func (t *textDisplay) end(trouble error) error {
	if trouble != nil {
		fmt.Fprintf(t.w, "  error: %s\n", trouble)
	}
	return nil
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

// A jsonDisplay writes one object and line, with "blocks" if there are any and "error" if there is one.
type jsonDisplay struct {
	w      io.Writer
	blocks int
}

func (j *jsonDisplay) begin(g *dumpDgram) error {
	text, err := json.Marshal(g)
	if err == nil {
		_, err = j.w.Write(text[:len(text)-1])
	}
	return err
}

func (j *jsonDisplay) block(b *dumpBlock) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	lead := ","
	if j.blocks == 0 {
		lead = `,"blocks":[`
	}
	j.blocks++
	_, err = fmt.Fprintf(j.w, "%s%s", lead, text)
	return err
}

func (j *jsonDisplay) end(trouble error) error {
	tail := "}\n"
	if trouble != nil {
		text, err := json.Marshal(trouble.Error())
		if err != nil {
			return err
		}
		tail = fmt.Sprintf(",\"error\":%s%s", text, tail)
	}
	if j.blocks > 0 {
		tail = "]" + tail
	}
	_, err := io.WriteString(j.w, tail)
	return err
}

package replay

import (
	"fmt"
	"strings"

	"drp/teb"
	"drp/xtc"
)

// Outcome is what was decided about an event.
type Outcome struct {
	Persist   bool   `json:"persist"`
	Prescaled bool   `json:"prescaled"`
	Monitor   uint32 `json:"monitor"`
	Reason    string `json:"reason"`
}

// Kept tells whether the event is one to be recorded.
func (o *Outcome) Kept() bool { return o.Persist || o.Prescaled }

// record is where a file has what was contributed and decided, as its Configure says.
type record struct {
	table        *xtc.Table
	decision     *xtc.Names
	contribution *xtc.Names
	schema       *teb.Schema
	reasons      []string
	contributors []string // of the partition
}

// newRecord finds it in a Configure. Of several passes over the same data the last one counts.
func newRecord(d xtc.Dgram) (*record, error) {
	r := &record{table: xtc.NewTable()}
	if err := r.table.Configure(d); err != nil {
		return nil, err
	}
	text := map[string]string{}
	if len(r.table.Find("smdinfo", "offsetAlg")) > 0 {
		return nil, errSmall
	}
	segment := -1
	for it := r.table.Blocks(d); it.Next(); {
		b := it.Block()
		if b.Names.DetName != "teb" || b.Names.Alg != "reasons" || int(b.Names.Segment) <= segment {
			continue
		}
		segment = int(b.Names.Segment)
		clear(text)
		for _, name := range []string{"reasons", "contributors", "schema"} {
			if v, ok := b.FieldNamed(name); ok && v.Type == xtc.CharStr {
				text[name] = v.String()
			}
		}
	}
	r.decision, r.contribution = r.find("decision", segment), r.find("contribution", segment)
	if r.decision == nil || r.contribution == nil || text["schema"] == "" {
		return nil, errNothing
	}
	r.reasons, r.contributors = strings.Split(text["reasons"], "\n"), strings.Split(text["contributors"], "\n")
	var err error
	if r.schema, err = teb.ParseSchema(text["schema"]); err == nil {
		err = r.schema.CheckRecord(r.contribution)
	}
	return r, err
}

func (r *record) find(alg string, segment int) *xtc.Names {
	for _, n := range r.table.Find("teb", alg) {
		if int(n.Segment) == segment {
			return n
		}
	}
	return nil
}

// wants tells what of an event is looked at, so that pixels need not be read.
func (r *record) wants(h xtc.Header) bool {
	id := h.NamesID()
	return h.Type == xtc.TypeShapesData && (id == r.decision.ID || id == r.contribution.ID)
}

// read takes what an event has. Where nobody could look into it, there is nothing; and what makes no sense is as good as
// nothing.
func (r *record) read(d xtc.Dgram, e *item) bool {
	var decided, contributed bool
	e.groups = uint16(d.Env())
	for it := r.table.Blocks(d); it.Next(); {
		switch b := it.Block(); {
		case b.Damage != 0:
		case b.Names == r.decision:
			decided = true
			number := func(name string) uint64 { v, _ := b.FieldNamed(name); return v.Uint64() }
			e.pulse = number("pulse")
			e.was = Outcome{number("persist") != 0, number("prescaled") != 0, uint32(number("monitor")), r.reason(number("reason"))}
		case b.Names == r.contribution:
			contributed = r.schema.ReadRecord(e.row, teb.Head{}, b) == nil
		}
	}
	teb.PutHead(e.row, teb.Head{Pulse: e.pulse, Time: e.time, Groups: e.groups, Damage: teb.HeadOf(e.row).Damage, Service: xtc.L1Accept})
	return decided && contributed
}

// reason is the text of a number.
func (r *record) reason(n uint64) string {
	if n < uint64(len(r.reasons)) {
		return r.reasons[n]
	}
	return fmt.Sprintf("reason %d", n)
}

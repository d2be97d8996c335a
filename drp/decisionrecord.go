package drp

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"drp/teb"
	"drp/xtc"
)

// What the trigger event builder has decided is recorded as a block of each event, and what this process contributed to it
// as another; what the numbers in them mean, as one of the Configure.
var (
	decisionEntries = []xtc.Name{{Name: "persist", Type: xtc.UInt8}, {Name: "prescaled", Type: xtc.UInt8},
		{Name: "monitor", Type: xtc.UInt32}, {Name: "reason", Type: xtc.UInt16}, {Name: "contributions", Type: xtc.UInt64},
		{Name: "damage", Type: xtc.UInt16}, {Name: "pulse", Type: xtc.UInt64}}
	reasonsEntries = []xtc.Name{{Name: "reasons", Type: xtc.CharStr, Rank: 1}, {Name: "rules", Type: xtc.CharStr, Rank: 1},
		{Name: "prescale", Type: xtc.UInt32, Rank: 1}, {Name: "contributors", Type: xtc.CharStr, Rank: 1},
		{Name: "schema", Type: xtc.CharStr, Rank: 1}}
)

// decisionNames are in the Configure that holds.
type decisionNames struct {
	decision, contribution *xtc.Names
	settings               bool       // decisions have the generation of parameters
	values                 *xtc.Names // of these; nil where they are not known
}

// declare appends the Names and the table of reasons to a Configure. The segment is the place of the contributor, so that
// streams which are read together differ. What an earlier pass recorded stays beside ours.
func (n *decisionNames) declare(t *xtc.Table, src uint32, table teb.Table, s *teb.Schema, added []byte) ([]byte, error) {
	decision := &xtc.Names{Alg: "decision", Version: xtc.Version{Major: 1}, Entries: decisionEntries}
	if n.settings = table.Settings; n.settings {
		decision.Version.Minor, decision.Entries = 1, append(slices.Clip(decisionEntries), xtc.Name{Name: "settings", Type: xtc.UInt32})
	}
	all := []*xtc.Names{decision,
		{Alg: "reasons", Version: xtc.Version{Major: 1, Minor: 1}, Entries: reasonsEntries},
		{Alg: "contribution", Version: xtc.Version{Major: 1}, Entries: s.Entries()}}
	for _, names := range all {
		names.DetName, names.DetType = "teb", "teb"
	}
	if n.values = parameterNames(table.Parameters); n.values != nil {
		all = append(all, n.values)
	}
	segment := uint32(max(0, slices.Index(table.Contributors, s.Name())))
	for _, names := range all {
		for _, old := range t.Find(names.DetName, names.Alg) {
			segment = max(segment, old.Segment+1)
		}
	}
	for _, names := range all {
		names.Segment = segment
		var err error
		if names.ID, err = t.FreeID(src & 0xfff); err == nil {
			if err = t.Add(names); err == nil {
				added, err = names.AppendTo(added)
			}
		}
		if err != nil {
			return added, failf(Configuration, "no room in the Configure to tell of decisions: %w", err)
		}
	}
	n.decision, n.contribution = all[0], all[2]
	added, err := appendReasons(added, all[1], table, s)
	return added, fail(Configuration, err)
}

// appendReasons appends the table: a line for each reason, and for each contributor, and what this one brings.
func appendReasons(to []byte, names *xtc.Names, table teb.Table, s *teb.Schema) ([]byte, error) {
	var reasons, rules []string
	for _, r := range table.Reasons {
		reasons, rules = append(reasons, r.Name), append(rules, strings.Join(strings.Fields(r.When), " "))
	}
	var b xtc.Builder
	b.Begin(to, names)
	b.Text(strings.Join(reasons, "\n"))
	b.Text(strings.Join(rules, "\n"))
	prescale := b.Array(uint32(len(table.Reasons)))
	for i, r := range table.Reasons {
		binary.LittleEndian.PutUint32(prescale[4*i:], r.Prescale)
	}
	b.Text(strings.Join(table.Contributors, "\n"))
	b.Text(s.Text())
	to, err := b.End()
	if err != nil {
		return to, fmt.Errorf("the reasons of the trigger: %w", err)
	}
	return to, nil
}

// parameterNames are of the values that the parameters of a trigger script had as it decided about an event.
func parameterNames(all []teb.Parameter) *xtc.Names {
	if len(all) == 0 {
		return nil
	}
	n := &xtc.Names{DetName: settingsDetector, DetType: settingsDetector, Alg: triggerStage, Version: xtc.Version{Major: 1},
		Entries: []xtc.Name{{Name: "generation", Type: xtc.Int64}}}
	for _, p := range all {
		entry := recorded[p.Type]
		entry.Name = p.Name
		n.Entries = append(n.Entries, entry)
	}
	return n
}

// append appends the decision about the event at hand, and what was contributed to it.
func (t *trigger) append(to []byte) []byte {
	d := t.present
	var b xtc.Builder
	b.Begin(to, t.record.decision)
	b.Uint(bit(d.Persist))
	b.Uint(bit(d.Prescaled))
	for _, v := range [...]uint64{uint64(d.Monitor), uint64(d.Reason), d.Contributions, uint64(d.Damage), d.Pulse} {
		b.Uint(v)
	}
	if t.record.settings {
		b.Uint(uint64(d.Generation))
	}
	to, err := b.End()
	if err == nil {
		to, err = t.schema.AppendRecord(to, t.record.contribution, t.row(t.used-1))
	}
	if err != nil {
		panic(err) // the names are our own
	}
	return append(to, t.valuesBlock(d.Settings)...)
}

// valuesBlock is the parameters that an event was decided with, as they are recorded; nil where they are not known. There is one
// for many events.
func (t *trigger) valuesBlock(s *teb.Settings) []byte {
	if s != t.settings {
		t.settings, t.values = s, nil
		if names := t.record.values; names != nil && s != nil && len(s.Values) == len(names.Entries)-1 {
			t.values = (&offer{names: names}).block(int64(s.Generation), s.Values)
		}
	}
	return t.values
}

// names are those of the Configure that was taken last.
func (t *trigger) names() decisionNames {
	if t == nil {
		return decisionNames{}
	}
	return t.record
}

// among gives the alg of one that is among these blocks.
func (n *decisionNames) among(removed []uint32) string {
	for _, names := range [...]*xtc.Names{n.decision, n.contribution} {
		if names != nil && slices.Contains(removed, uint32(names.ID)) {
			return names.Alg
		}
	}
	return ""
}

// stamped is what is added to an event, with what was found in it, the generation of the constants that corrected it, and
// what was decided about it. Nobody could read the latter where the event makes no sense.
func (c *collector) stamped(e *entry, added []byte, damage xtc.Damage) []byte {
	stamp, found := c.calibration.stampOf(e.calibration), c.hits.found(e)
	decided := c.trigger != nil && c.trigger.present != nil && damage&xtc.DamageCorrupted == 0
	if stamp == nil && !decided {
		return added
	}
	at := len(c.copied)
	c.copied = append(c.copied, added...)
	if found != nil {
		c.copied = append(c.copied, found.block...)
	}
	c.copied = append(c.copied, stamp...)
	if decided {
		c.copied = c.trigger.append(c.copied)
	}
	return c.copied[at:len(c.copied):len(c.copied)]
}

func bit(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}

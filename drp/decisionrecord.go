package drp

import (
	"encoding/binary"
	"fmt"
	"strings"

	"drp/teb"
	"drp/xtc"
)

// What the trigger event builder has decided is recorded as a block of each event; what the numbers in it mean, as one of
// the Configure.
var (
	decisionEntries = []xtc.Name{{Name: "persist", Type: xtc.UInt8}, {Name: "prescaled", Type: xtc.UInt8},
		{Name: "monitor", Type: xtc.UInt32}, {Name: "reason", Type: xtc.UInt16}, {Name: "contributions", Type: xtc.UInt64},
		{Name: "damage", Type: xtc.UInt16}, {Name: "pulse", Type: xtc.UInt64}}
	reasonsEntries = []xtc.Name{{Name: "reasons", Type: xtc.CharStr, Rank: 1}, {Name: "rules", Type: xtc.CharStr, Rank: 1},
		{Name: "prescale", Type: xtc.UInt32, Rank: 1}, {Name: "contributors", Type: xtc.CharStr, Rank: 1}}
)

// decisionNames are in the Configure that holds.
type decisionNames struct{ decision *xtc.Names }

// declare appends the Names and the table of reasons to a Configure. Decisions of an earlier pass stay beside ours.
func (n *decisionNames) declare(t *xtc.Table, src uint32, table teb.Table, added []byte) ([]byte, error) {
	both := [2]*xtc.Names{{Alg: "decision", Entries: decisionEntries}, {Alg: "reasons", Entries: reasonsEntries}}
	for _, names := range both {
		names.DetName, names.DetType, names.Version = "teb", "teb", xtc.Version{Major: 1}
		for _, old := range t.Find(names.DetName, names.Alg) {
			names.Segment = max(names.Segment, old.Segment+1)
		}
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
	n.decision = both[0]
	added, err := appendReasons(added, both[1], table)
	return added, fail(Configuration, err)
}

// appendReasons appends the table: a line for each reason, and for each contributor.
func appendReasons(to []byte, names *xtc.Names, table teb.Table) ([]byte, error) {
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
	to, err := b.End()
	if err != nil {
		return to, fmt.Errorf("the reasons of the trigger: %w", err)
	}
	return to, nil
}

// append appends the decision about the event at hand.
func (t *trigger) append(to []byte) []byte {
	d := t.present
	var b xtc.Builder
	b.Begin(to, t.record.decision)
	b.Uint(bit(d.Persist))
	b.Uint(bit(d.Prescaled))
	for _, v := range [...]uint64{uint64(d.Monitor), uint64(d.Reason), d.Contributions, uint64(d.Damage), d.Pulse} {
		b.Uint(v)
	}
	to, err := b.End()
	if err != nil {
		panic(err) // the names are our own
	}
	return to
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

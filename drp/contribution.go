package drp

import (
	"encoding/binary"
	"fmt"
	"math"
	"regexp"

	"drp/fex"
	"drp/teb"
	"drp/xtc"
)

// hitFields are what hit finding contributes to a decision, in the order of put.
var hitFields = []teb.Field{{Name: "hit", Type: teb.Bool}, {Name: "count", Type: teb.U32}, {Name: "peaks", Type: teb.U32},
	{Name: "pixels", Type: teb.U32}, {Name: "photons", Type: teb.U32}, {Name: "total", Type: teb.F32}, {Name: "max", Type: teb.F32}}

// The Names under which scripts record what they give for the trigger.
const (
	triggerDetector = "trigger"
	triggerAlg      = "input"
)

// inputs is where what is contributed comes from.
type inputs struct {
	pulse  fieldPlace
	script *xtc.Names // of the values of evt.trigger; nil where the script gives none
	hits   []teb.Field
	values []teb.Field // of the script, in the order of its Names
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_]`)

// describe finds out what is contributed, from the Configure and what scripts declared.
func (t *trigger) describe(d xtc.Dgram) (*teb.Schema, error) {
	t.inputs = inputs{pulse: findField(t.c.table, "pulseId")}
	name, cameras := t.cfg.Contributor, camerasOf(t.c.table, d)
	switch {
	case name == "" && len(cameras) > 0:
		name = fmt.Sprintf("%s_%d", notInNames.ReplaceAllString(cameras[0].name, "_"), cameras[0].numbers[0])
	case name == "":
		name = "drp"
	}
	var fields []teb.Field
	taken := map[string]bool{}
	if t.c.hits.cfg != nil {
		for _, f := range hitFields {
			fields, taken[f.Name] = append(fields, f), true
		}
	}
	found := len(fields)
	for _, n := range t.c.own.Find(triggerDetector, triggerAlg) {
		t.inputs.script = n
		for _, e := range n.Entries {
			if e.Type != xtc.Double || e.Rank != 0 {
				return nil, fmt.Errorf("%s: evt.trigger: %s is no float64", scriptName(t.c.cfg.Script), e.Name)
			}
			if taken[e.Name] {
				return nil, fmt.Errorf("%s: evt.trigger(%s=…): hit finding gives the trigger a number of this name: choose another",
					scriptName(t.c.cfg.Script), e.Name)
			}
			fields = append(fields, teb.Field{Name: e.Name, Type: teb.F64})
		}
	}
	s, err := teb.NewSchema(name, fields...)
	if err == nil {
		t.inputs.hits, t.inputs.values = s.Fields()[:found], s.Fields()[found:]
	}
	return s, err
}

// fill makes the row of an event, or of a transition. Nothing in it says whether the event will be recorded in the end: all
// who have a part of it must come to the same decision.
func (t *trigger) fill(e *entry, row []byte) {
	clear(row)
	if !e.service.IsEvent() {
		teb.PutHead(row, t.between(e))
		return
	}
	ref, err := t.c.pool.Events[e.worker].Ref(e.ix)
	if err != nil {
		panic(err) // the collector has not released it
	}
	d := xtc.Dgram(ref.Bytes())
	damage := d.Damage() | damageOf(e)
	teb.PutHead(row, teb.Head{Pulse: t.pulse(e, d), Time: e.time, Groups: uint16(d.Env()), Damage: damage, Service: xtc.L1Accept})
	t.putHits(e, row)
	values := t.inputs.script != nil && damage == d.Damage() && t.putScript(e, row)
	for i := range t.inputs.values {
		if !values {
			t.inputs.values[i].PutFloat(row, 0, math.NaN())
		}
	}
}

// pulse gives the pulse ID, or the time where there is none: equal for all parts of an event, and larger for each event.
func (t *trigger) pulse(e *entry, d xtc.Dgram) uint64 {
	next := t.last.Pulse + 1
	if e.detail != nil && e.detail.corrupt != nil {
		t.last = teb.Key{Pulse: next}
		return next
	}
	pulse := e.time
	if place := &t.inputs.pulse; place.names != nil {
		for it := t.c.table.Blocks(d); it.Next(); {
			if b := it.Block(); b.Names == place.names && b.Damage == 0 {
				pulse = b.Field(place.entry).Uint64()
			}
		}
	}
	if pulse > math.MaxInt64 { // no expression can compute with it
		pulse = next
	}
	t.last = teb.Key{Pulse: max(next, pulse)}
	return t.last.Pulse
}

// between gives a transition its place among the events: by its time, or, where these have pulse IDs of a timing detector,
// behind the one before it.
func (t *trigger) between(e *entry) teb.Head {
	h := teb.Head{Pulse: t.last.Pulse, Time: e.time, Service: e.service}
	if t.inputs.pulse.names == nil && e.time <= math.MaxInt64 {
		h.Pulse = max(h.Pulse, e.time)
	}
	if !t.last.Less(h.Key()) { // its time does not grow
		h.Pulse++
	}
	t.last = h.Key()
	return h
}

// damageOf is what the event will be recorded with, as far as that is known.
func damageOf(e *entry) xtc.Damage {
	if e.detail != nil && e.detail.corrupt != nil {
		return xtc.DamageCorrupted
	}
	switch e.status {
	case fex.OK, fex.Rejected:
		return 0
	case fex.Oversize:
		return xtc.DamageUserDefined | xtc.DamageTruncated
	}
	return xtc.DamageUserDefined
}

func (t *trigger) putHits(e *entry, row []byte) {
	f := t.c.hits.found(e)
	if f == nil || len(t.inputs.hits) == 0 {
		return
	}
	hit := int64(0)
	if f.Hit {
		hit = 1
	}
	fields := t.inputs.hits
	for i, v := range [...]int64{hit, int64(f.Count), int64(f.Summary.Peaks), int64(f.Pixels), int64(f.Photons)} {
		fields[i].PutInt(row, 0, v)
	}
	fields[5].PutFloat(row, 0, float64(f.Total))
	fields[6].PutFloat(row, 0, float64(f.Max))
}

// putScript puts what the script gave for the event, if it did. What lies in the result area is the child's word: it is
// looked at within its bounds, and once.
func (t *trigger) putScript(e *entry, row []byte) bool {
	area := t.c.pool.Results[e.worker].Event(e.ix.Slot)
	if int(e.result) > len(area) {
		return false
	}
	for it := xtc.NewIter(area[:e.result]); it.Next(); {
		if h := it.Header(); h.Type != xtc.TypeShapesData || h.NamesID() != t.inputs.script.ID {
			continue
		}
		for inner := xtc.NewIter(it.Payload()); inner.Next(); {
			if data := inner.Payload(); inner.Header().Type == xtc.TypeData && len(data) >= 8*len(t.inputs.values) {
				for i := range t.inputs.values {
					t.inputs.values[i].PutFloat(row, 0, math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:])))
				}
				return true
			}
		}
	}
	return false
}

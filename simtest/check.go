package simtest

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"drp/drp"
	"drp/hit"
	"drp/xtc"
)

// recorded is an event as it was found in a file.
type recorded struct {
	number   int64
	time     uint64
	damage   xtc.Damage
	payload  []byte      // whole, behind the header
	raw      bool        // the blocks of the camera are there
	value    int64       // what the script added, -1 if nothing
	text     int64       // of the script
	second   int64       // what the second script added, the same
	level    level       // of the parameter
	hits     *hit.Record // what was found, nil if there is no block
	used     uint64      // generation of the constants that corrected its pixels, 0 if none did
	decision *decision   // nil if there is none
	complete bool        // the file has its final name
}

// look reads all files of the disk, in the order of their first datagrams.
func (l *lab) look() (found []recorded, unfinished bool) {
	tables := map[string]*xtc.Table{} // of a run in a folder, whose later chunks have no Configure
	type part struct {
		begins uint64
		behind int // the largest event that came right behind something else
		events []recorded
	}
	var parts []part
	for _, f := range l.disk.Files() {
		name, open := strings.CutSuffix(f.Path, ".inprogress")
		if !strings.HasSuffix(name, ".xtc2") || strings.HasSuffix(name, ".smd.xtc2") {
			continue
		}
		unfinished = unfinished || open
		set := name[:strings.LastIndex(name, "-c")]
		var p part
		last := uint64(0)
		r := xtc.NewReader(bytes.NewReader(f.Data), f.Path)
		for {
			_, err := r.Next()
			var d xtc.Dgram
			if err == nil {
				d, err = r.ReadDgram(nil)
			}
			if err != nil {
				if !errors.Is(err, io.EOF) && !open {
					l.problem("%s: %v", f.Path, err)
				}
				break
			}
			if d.Time() < last || d.Time() == last && d.Service().IsEvent() {
				l.problem("%s: %v of time %d comes after time %d", f.Path, d.Service(), d.Time(), last)
			}
			if d.Service().IsEvent() && d.Time()-last <= 2 {
				p.behind = max(p.behind, len(d))
			}
			last = d.Time()
			if d.Service() == xtc.Configure {
				tables[set] = xtc.NewTable()
				if err := tables[set].Configure(d); err != nil {
					l.problem("%s: %v", f.Path, err)
				}
			}
			if t := tables[set]; t != nil && !d.Service().IsEvent() {
				if told, some := textTold(t, d); some {
					l.told = append(l.told, told)
				}
			}
			if d.Service().IsEvent() {
				p.events = append(p.events, l.read(tables[set], d, !open))
			}
		}
		if len(p.events) > 0 { // what it begins with may be repeated from other files
			p.begins = p.events[0].time
			l.checkChunk(f.Path, len(f.Data)-p.behind, len(p.events))
			parts = append(parts, p)
		}
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(a.begins, b.begins) })
	slices.SortStableFunc(l.told, func(a, b toldText) int { return cmp.Compare(a.time, b.time) })
	for _, p := range parts {
		found = append(found, p.events...)
	}
	return found, unfinished
}

func (l *lab) read(t *xtc.Table, d xtc.Dgram, complete bool) recorded {
	e := recorded{number: l.number(d.Time()), time: d.Time(), damage: d.Damage(), value: -1, second: -1, complete: complete,
		payload: append([]byte(nil), d[xtc.DgramHeaderBytes:]...)}
	if e.damage&xtc.DamageCorrupted != 0 {
		return e
	}
	if t == nil {
		l.problem("event %d is in a file without Configure", e.number)
		return e
	}
	settled := 0
	it := t.Blocks(d)
	for it.Next() {
		switch b := it.Block(); b.Names.Alg {
		case "script": // before all else that is ours
			e.level, settled = levelIn(b), b.Offset
		case "contribution":
			if v, ok := b.FieldNamed("n"); ok && e.decision != nil {
				e.decision.contributed, e.decision.n = true, v.Float64()
			}
		case "decision": // with what was contributed the last blocks, which are ours
			e.decision = decisionIn(b)
			if e.hits == nil && e.used == 0 {
				e.payload = append([]byte(nil), d[xtc.DgramHeaderBytes:b.Offset]...)
			}
		case "raw":
			e.raw = true
		case "number":
			e.value, e.text = int64(binary.LittleEndian.Uint64(b.Field(0).Data)), textIn(b)
		case "second": // behind everything
			e.second = int64(binary.LittleEndian.Uint64(b.Field(0).Data))
			if e.decision == nil && e.hits == nil && e.used == 0 {
				e.payload = append([]byte(nil), d[xtc.DgramHeaderBytes:b.Offset]...)
			}
		case "used": // that before it
			e.used = binary.LittleEndian.Uint64(b.Field(0).Data)
			if e.hits == nil {
				e.payload = append([]byte(nil), d[xtc.DgramHeaderBytes:b.Offset]...)
			}
		case hit.Alg: // that before it, if there is one
			e.payload = append([]byte(nil), d[xtc.DgramHeaderBytes:b.Offset]...)
			if found, err := hit.ReadRecord(b); err != nil {
				l.problem("event %d: %v", e.number, err)
			} else {
				e.hits = &found
			}
		}
	}
	if settled > 0 {
		e.payload = append([]byte(nil), d[xtc.DgramHeaderBytes:settled]...)
	}
	if err := it.Err(); err != nil {
		l.problem("event %d cannot be read: %v", e.number, err)
	}
	return e
}

// check compares what is on the disk and in quarantine with what the source gave, and with the books.
func (l *lab) check(s *drp.Summary, ended error) {
	if !l.tolerated(ended) {
		l.problem("the run ended with: %v", ended)
	}
	found, unfinished := l.look()
	found = l.plant(found)
	l.search()
	l.checkOrder(found)
	l.checkLevels(found)
	l.checkTexts(found, unfinished)
	l.compareContributors(found)
	byNumber := map[int64]*recorded{}
	for i := range found {
		e := &found[i]
		if l.events[e.number] == nil {
			l.problem("event %d is recorded and never came", e.number)
		} else if byNumber[e.number] != nil {
			l.problem("event %d is recorded twice", e.number)
		}
		byNumber[e.number] = e
	}
	quarantined := map[int64]bool{}
	for _, q := range l.kept {
		n := l.number(q.Event.Time())
		if quarantined[n] {
			l.problem("event %d is quarantined twice", n)
		}
		quarantined[n] = true
		if e := l.events[n]; e == nil || !bytes.Equal(q.Event[xtc.DgramHeaderBytes:], e.payload) {
			l.problem("event %d is another one in quarantine", n)
		}
	}
	v := &verdict{lab: l, gaveUp: l.retired || kindOf(ended) == drp.Script || l.tooMany(len(quarantined))}
	for index, n := range l.order {
		v.judge(int64(index), n, byNumber[n], quarantined[n])
	}
	v.compare(s, unfinished)
	l.checkFiles(unfinished)
}

// tooMany tells that nothing more was tried after so many events in quarantine, whatever else ended the run.
func (l *lab) tooMany(quarantined int) bool {
	limit := l.plan.maxQuarantine
	return limit > 0 && float64(quarantined) > limit/100*float64(len(l.order))
}

func kindOf(err error) drp.Kind {
	var f *drp.Failure
	if errors.As(err, &f) {
		return f.Kind
	}
	return 0
}

func (l *lab) checkOrder(found []recorded) {
	for i := 1; i < len(found); i++ {
		if found[i].time <= found[i-1].time {
			l.problem("event %d comes after event %d", found[i].number, found[i-1].number)
		}
	}
}

// verdict counts outcomes as the disk shows them.
type verdict struct {
	lab         *lab
	gaveUp      bool // events may have been recorded untouched, since no child was left for them
	dropped     int64
	rejected    int64
	quarantined int64
	recorded    int64
	damaged     int64
	missing     int64
	vetoed      int64
	flipped     int64
}

// judge looks whether what became of an event may become of it.
func (v *verdict) judge(index, n int64, r *recorded, quarantined bool) {
	l := v.lab
	e := l.events[n]
	if e.flipped {
		v.flipped++
	}
	keepRaw := l.plan.prescale > 0 && index%l.plan.prescale == 0
	f := l.plan.fateOf(n)
	switch {
	case e.skipped:
		v.dropped++
		if r != nil || quarantined || e.shown > 0 {
			l.problem("event %d was dropped and is there", n)
		}
	case quarantined:
		v.quarantined++
		if r != nil {
			l.problem("event %d is quarantined and recorded", n)
		}
		if e.held <= l.plan.retries || e.corrupt || e.flipped {
			l.problem("event %d is quarantined after %d deaths, flipped %v", n, e.held, e.flipped)
		}
	case r == nil && f == rejects && !keepRaw && !e.corrupt && !e.flipped && e.shown > 0:
		v.rejected++ // or it was refused by the disk after its worker gave up; the books tell
	case r == nil && l.plan.trigger.there && !l.plan.trigger.wants(n):
		v.vetoed++ // or it was refused by the disk
	case r == nil:
		v.missing++
	default:
		v.recorded++
		if r.damage != 0 {
			v.damaged++
		}
		r = v.judgeSecond(n, e, r)
		l.judgeDecision(n, r)
		keepRaw = keepRaw || r.decision != nil && r.decision.prescaled
		untouched := (v.gaveUp || e.flipped) && r.used == 0
		l.judgeHits(n, e, r)
		if r.hits == nil && r.used != e.used && (e.used != 0 || r.used != e.told) && !untouched {
			l.problem("event %d was corrected with generation %d while %d held, and is said to be with %d", n, e.used, e.told,
				r.used)
		}
		if !v.good(e, r, f, keepRaw) {
			l.problem("event %d (fate %d, corrupt %v, flipped %v, kept raw %v) is recorded with damage %v, raw %v, value %d", n, f,
				e.corrupt, e.flipped, keepRaw, r.damage, r.raw, r.value)
		}
	}
}

// good tells whether an event is recorded as its fate wants.
func (v *verdict) good(e *event, r *recorded, f fate, keepRaw bool) bool {
	whole := bytes.Equal(r.payload, e.payload)
	if e.flipped {
		return whole && r.damage&xtc.DamageCorrupted != 0
	}
	if e.corrupt {
		return whole && r.damage == xtc.DamageCorrupted && e.shown == 0
	}
	if whole && v.gaveUp && r.damage == xtc.DamageUserDefined {
		return true
	}
	if v.lab.passed(e) {
		return v.goodUnseen(e, r, keepRaw)
	}
	switch f {
	case fine:
		return r.damage == 0 && r.value == r.number && r.raw == keepRaw
	case rejects:
		return keepRaw && whole && r.damage == 0
	case raises, garbage:
		return whole && r.damage == xtc.DamageUserDefined
	case tooLarge:
		return whole && r.damage == xtc.DamageUserDefined|xtc.DamageTruncated
	}
	return false // it kills
}

// compare holds the books against what was counted.
func (v *verdict) compare(s *drp.Summary, unfinished bool) {
	l := v.lab
	outcomes := s.Recorded + s.Rejected + s.Vetoed + s.Quarantined + s.Dropped + s.Failed
	if s.InFlight != 0 || outcomes != s.Received || s.Received != int64(len(l.order)) {
		l.problem("the books do not balance: %d came, %+v", len(l.order), *s)
	}
	if s.Dropped != v.dropped || s.Quarantined != v.quarantined {
		l.problem("%d dropped and %d quarantined, the books say %d and %d", v.dropped, v.quarantined, s.Dropped, s.Quarantined)
	}
	if s.Altered != v.flipped {
		l.problem("%d events changed in memory, the books say %d", v.flipped, s.Altered)
	}
	if unfinished {
		// A file that broke may hold events that the books count as failed, but none of the recorded may be missing.
		if v.recorded < s.Recorded || v.nowhere() > s.Rejected+s.Vetoed+s.Failed {
			l.problem("%d are in files and %d are nowhere, the books say %d recorded, %d rejected, %d vetoed, %d failed", v.recorded,
				v.nowhere(), s.Recorded, s.Rejected, s.Vetoed, s.Failed)
		}
		return
	}
	v.compareVetoes(s)
	if s.Recorded != v.recorded || s.Damaged != v.damaged {
		l.problem("%d recorded and %d damaged, the books say %d and %d", v.recorded, v.damaged, s.Recorded, s.Damaged)
	}
	if v.nowhere() != s.Rejected+s.Vetoed+s.Failed || s.Failed+v.lateVetoes(s) < v.missing {
		l.problem("%d rejected, %d vetoed and %d missing, the books say %d rejected, %d vetoed and %d failed", v.rejected, v.vetoed,
			v.missing, s.Rejected, s.Vetoed, s.Failed)
	}
	undecided := l.partition != nil && s.Recorded == 0 // no builder let it in
	if s.Failed > 0 && !l.plan.diskTrouble() && !undecided {
		l.problem("%d events failed on a disk without trouble", s.Failed)
	}
}

// checkFiles has the production check look at every byte of the complete files.
func (l *lab) checkFiles(unfinished bool) {
	if l.plan.corrupt+l.plan.flips > 0 || unfinished {
		return // there are errors that belong there
	}
	dir, err := os.MkdirTemp("", "drp-sim-")
	if err != nil {
		l.problem("%v", err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := l.disk.Save(dir, nil); err != nil {
		l.problem("%v", err)
		return
	}
	for _, f := range l.disk.Files() {
		if !strings.HasSuffix(f.Path, ".xtc2") || strings.HasSuffix(f.Path, ".smd.xtc2") || !strings.Contains(f.Path, "-c000") {
			continue
		}
		report, err := xtc.Check(filepath.Join(dir, f.Path), xtc.CheckOptions{})
		if err != nil {
			l.problem("%v", err)
		}
		for _, p := range report.Errors {
			l.problem("%s: %v", f.Path, p)
		}
	}
}

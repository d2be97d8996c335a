package drp

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"drp/fex"
	"drp/hit"
	"drp/internal/settings"
	"drp/shm"
	"drp/watch"
	"drp/xtc"
)

// steering lets settings change while the run goes on. The dispatcher decides between two events that a change holds: it writes
// all values to an entry of a board in shared memory, and from then on each event says which entry is its own, in its place
// in the window and in the record that goes to the script's process. So no worker is waited for, and whoever works on an event,
// however late or often, finds the values of that event. An entry is written anew when no event has it any more; while there is
// none a change waits, and others join it.
type steering struct {
	r       *Run
	book    settings.Book
	start   map[string]any // what the user says beforehand
	memory  *shm.Segment
	said    chan struct{} // closed when they have declared anything for the first time, or nothing
	trigger triggerSettings
	own     [2]offer    // of the scripts; the collector writes it at Configure, while the dispatcher waits
	partly  atomic.Bool // a script has declared, and the book does not have it: another one is still to, or was to and has failed

	// Only the dispatcher uses the following, but for what is said.
	renewed  atomic.Bool   // there was a Configure; others set it
	present  uint16        // the entry that holds, 0 if nothing was declared
	latest   atomic.Uint32 // the same, for others
	not      time.Duration
	rings    *xtc.Names           // of the Configure that holds; nil without
	searched bool                 // for hits with other values than the Configure has
	entries  [boardEntries]values // each may be read by who has an event that has it
}

// offer is what a script has declared.
type offer struct {
	names      *xtc.Names // of the block with the values in each event; nil without
	parameters []settings.Parameter
}

// values are those of an entry of the board.
type values struct {
	users  atomic.Int32 // datagrams under way
	blocks [4][]byte    // as they are recorded
	plan   *hit.Plan    // nil where hits are searched as the Configure says
}

// The board: its first bytes say which entry is the latest; then come the entries, each with a part for the script and one for
// a second script. A part has its generation and a cell for each parameter.
const (
	boardEntries = 32 // the first stands for none
	boardHead    = 64
	cellBytes    = settings.CellBytes
	partHead     = 16
	partBytes    = (partHead + settings.MostParameters*cellBytes + 63) / 64 * 64
	entryBytes   = 2 * partBytes
)

// changeTime is how long one change stays at the least: those in between are one.
const changeTime = 100 * time.Millisecond

// The scripts that can declare parameters, and the algorithms that their values are recorded as, of the detector settings.
const (
	ofScript = iota
	ofPost
	ofHits // of which drp itself declares what can be set, as it does of these:
	ofRings
)

const settingsDetector = "settings"

var stageNames = [2]string{"script", "post"}

func (s *steering) open(r *Run) (err error) {
	s.r, s.start, s.said = r, r.cfg.Settings, make(chan struct{})
	s.book.Check = s.check
	if s.memory, err = shm.Create(boardHead + boardEntries*entryBytes); err == nil {
		err = s.memory.ForReaders()
	}
	if err != nil {
		return fail(Configuration, fmt.Errorf("no memory for settings: %w", err))
	}
	return nil
}

func (s *steering) close() {
	if s.memory != nil {
		_ = s.memory.Close()
	}
}

// board tells the processes of a script where their values are.
func (s *steering) board(which int) *fex.Area {
	return &fex.Area{Segment: s.memory.ID(), Slots: boardEntries, SlotBytes: entryBytes, Offset: boardHead + which*partBytes}
}

// hold gives the entry for the next datagram, which is under way from here on. It is the event of a number, counted from 0, or
// comes before that.
func (s *steering) hold(number int64) uint16 {
	if (s.book.Pending() || s.renewed.Load()) && !s.partly.Load() {
		s.turn(number)
	}
	if s.present != 0 {
		s.entries[s.present].users.Add(1)
	}
	return s.present
}

// forget is for a Configure: what was declared before is over.
func (s *steering) forget() {
	s.searched = false
	s.use(0)
}

// use lets an entry hold from the next datagram on.
func (s *steering) use(entry uint16) {
	s.present = entry
	s.latest.Store(uint32(entry))
	binary.LittleEndian.PutUint32(s.memory.Bytes(), uint32(entry))
}

// told is the entry as the processes of a script are told of it: a script without parameters sees no difference.
func (s *steering) told(entry uint16, which int) uint16 {
	if s.own[which].names == nil {
		return 0
	}
	return entry
}

// release is for a datagram that is through.
func (s *steering) release(entry uint16) {
	if entry != 0 {
		s.entries[entry].users.Add(-1)
	}
}

// turn lets what was accepted hold from the next datagram on, if it may.
func (s *steering) turn(number int64) {
	now := s.r.world.Now()
	renewed := s.renewed.Load()
	if !renewed && now < s.not {
		return
	}
	free := s.free()
	if free == 0 {
		return
	}
	if c := s.book.Turn(s.r.clock()); c != nil {
		s.r.cfg.Log.Info(fmt.Sprintf("settings: %v, from event %d on", c, number))
	}
	if renewed {
		s.renewed.Store(false)
	}
	s.trigger.tell(&s.book)
	s.not = now + changeTime
	if s.write(free) {
		s.use(free)
	} else {
		s.use(0)
	}
}

// free finds an entry that no event has; 0 is none.
func (s *steering) free() uint16 {
	for k := range uint16(boardEntries - 1) {
		i := (s.present+k)%(boardEntries-1) + 1
		if i != s.present && s.entries[i].users.Load() == 0 {
			return i
		}
	}
	return 0
}

// write puts the values that hold into an entry; it tells whether there are any.
func (s *steering) write(entry uint16) (found bool) {
	for which := range s.own {
		s.entries[entry].blocks[which] = nil
		d := &s.own[which]
		if d.names == nil {
			continue
		}
		found = true
		generation, values := s.book.Values(stageNames[which])
		at := boardHead + int(entry)*entryBytes + which*partBytes
		part := s.memory.Bytes()[at : at+partBytes]
		binary.LittleEndian.PutUint64(part, uint64(generation))
		for i, v := range values {
			settings.PutCell(part[partHead+i*cellBytes:][:cellBytes], v)
		}
		s.entries[entry].blocks[which] = d.block(generation, values)
	}
	hits, rings := s.turnHits(entry), s.turnRings(entry)
	return found || hits || rings
}

// block is the values as they are recorded.
func (d *offer) block(generation int64, values []any) []byte {
	var b xtc.Builder
	b.Begin(nil, d.names)
	b.Int(generation)
	for _, v := range values {
		switch v := v.(type) {
		case int64:
			b.Int(v)
		case float64:
			b.Float(v)
		case bool:
			b.Uint(bit(v))
		case string:
			b.Text(v)
		}
	}
	block, err := b.End()
	if err != nil {
		panic(err) // the names were compared with the parameters
	}
	return block
}

// block gives the values of a script for a datagram that has an entry; nil where it has declared none.
func (s *steering) block(entry uint16, which int) []byte { return s.entries[entry].blocks[which] }

// with adds the values of a script to what an event is recorded with.
func (c *collector) with(added []byte, entry uint16, which int) []byte {
	block := c.steering.block(entry, which)
	if block == nil {
		return added
	}
	at := len(c.copied)
	c.copied = append(append(c.copied, added...), block...)
	return c.copied[at:len(c.copied):len(c.copied)]
}

// configure takes what a script has declared at a Configure, with the table of what it adds. After the last of the scripts the
// parameters are those of the run.
func (s *steering) configure(which int, own *xtc.Table, blocks []byte) (err error) {
	s.partly.Store(true)
	if s.own[which], err = declaredIn(which, own, blocks); err != nil {
		return err
	}
	if which == ofScript && s.r.cfg.Post != nil {
		s.own[ofPost] = offer{}
		return nil
	}
	all := s.r.hits.parameters()
	for w := range s.own {
		for _, p := range s.own[w].parameters {
			if w == ofPost {
				p.Name = stageNames[w] + "." + p.Name
			}
			all = append(all, p)
		}
	}
	all = append(append(all, s.trigger.declared...), s.r.cfg.rings()...)
	c, err := s.book.Declare(all, s.start, s.r.clock())
	if err != nil {
		return fail(Configuration, err)
	}
	for _, stage := range []string{hitsStage, ringsStage} {
		if _, values := s.book.Values(stage); len(values) > 0 {
			if err := s.check(stage, values); err != nil {
				return fail(Configuration, err)
			}
		}
	}
	if s.start = nil; c != nil && len(all) > 0 {
		s.r.cfg.Log.Info(fmt.Sprintf("settings: %v", c))
	}
	select {
	case <-s.said:
	default:
		if s.r.orders != nil {
			s.r.troubles.set(troubleSettings, Restore(&s.book, s.r.orders.Settings, s.r.clock(), s.r.cfg.Log))
		}
		close(s.said)
	}
	s.trigger.tell(&s.book)
	s.partly.Store(false)
	s.renewed.Store(true)
	return nil
}

// declaredIn finds the parameters among what a script has declared.
func declaredIn(which int, own *xtc.Table, blocks []byte) (d offer, err error) {
	found := own.Find(settingsDetector, stageNames[which])
	if len(found) == 0 {
		return d, nil
	}
	text := ""
	d0 := make(xtc.Dgram, xtc.DgramHeaderBytes+len(blocks))
	xtc.PutDgramHeader(d0, 0, xtc.EnvOf(xtc.Configure, 0), 0, 0, 0)
	copy(d0[xtc.DgramHeaderBytes:], blocks)
	d0.SetSize(len(d0))
	for it := own.Blocks(d0); it.Next(); {
		if b := it.Block(); b.Names.DetName == settingsDetector && b.Names.Alg == stageNames[which]+"info" {
			if f, ok := b.FieldNamed("parameters"); ok {
				text = f.String()
			}
		}
	}
	if d.parameters, err = settings.Declared([]byte(text), stageNames[which]); err != nil {
		return d, fail(Script, err)
	}
	d.names = found[0]
	if err := d.fits(); err != nil {
		return offer{}, fail(Script, err)
	}
	return d, nil
}

// recorded is how values of each type are.
var recorded = map[string]xtc.Name{settings.Int: {Type: xtc.Int64}, settings.Float: {Type: xtc.Double}, settings.Bool: {Type: xtc.UInt8},
	settings.Str: {Type: xtc.CharStr, Rank: 1}}

// fits compares the Names with the parameters, since both are the script's word.
func (d *offer) fits() error {
	wrong := errors.New("settings: what is recorded of the script's parameters are others than it declares")
	if len(d.names.Entries) != len(d.parameters)+1 {
		return wrong
	}
	for i, e := range d.names.Entries {
		want := xtc.Name{Name: "generation", Type: xtc.Int64}
		if i > 0 {
			p := &d.parameters[i-1]
			want = recorded[p.Type]
			want.Name = p.Name
		}
		if cmp.Compare(e.Name, want.Name) != 0 || e.Type != want.Type || e.Rank != want.Rank {
			return wrong
		}
	}
	return nil
}

// Settings gives what can be set, and what was.
func (r *Run) Settings() settings.Listing { return r.steering.book.List() }

// SettingsSince gives the changes of the settings after a generation, as far as they are kept.
func (r *Run) SettingsSince(generation int64) []settings.Change {
	return r.steering.book.Since(generation)
}

// SettingsGeneration is that of the values that were accepted last.
func (r *Run) SettingsGeneration() int64 { return r.steering.book.Generation() }

// standing says how far they were changed, for a status.
func (s *steering) standing() watch.Settings {
	l := s.book.List()
	return watch.Settings{Parameters: len(l.Settings), Generation: l.Generation, Applied: l.Applied, Refused: l.Refused}
}

// SettingsDeclared is closed when the scripts have said for the first time what can be set.
func (r *Run) SettingsDeclared() <-chan struct{} { return r.steering.said }

// Set changes settings of this run alone, all or none, from one of the next events on, and gives the generation that this will be.
func (r *Run) Set(values map[string]any, who string) (generation int64, err error) {
	return r.set(r.steering.book.Set(values, who))
}

// SetForAll is Set where all processes of the partition are to have the values.
func (r *Run) SetForAll(values map[string]any, who string) (generation int64, err error) {
	return r.set(r.steering.book.SetForAll(values, who))
}

// Unheard implements watch.Unheard. There is nothing to be lost before settings are declared, which is when run control is there.
func (r *Run) Unheard() string {
	if r.steering.words() == nil || r.orders == nil {
		return ""
	}
	return r.orders.Unheard()
}

func (r *Run) set(generation int64, err error) (int64, error) {
	if err == nil {
		r.troubles.set(troubleSettings, "") // whoever sets them knows what he wants
	}
	return generation, err
}

// Try tells what Set would say, and changes nothing.
func (r *Run) Try(values map[string]any) (unknown map[string]string, err error) {
	return r.steering.book.Try(values)
}

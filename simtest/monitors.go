package simtest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"drp/drp"
	"drp/monitor"
	"drp/xtc"
)

// monitorsPlan is who watches a run.
type monitorsPlan struct {
	seats []seatPlan
	slots int
	seed  uint64
}

// seatPlan is one who watches. What it does is not drawn from the chance of the pipeline.
type seatPlan struct {
	manner manner
	late   time.Duration // after the start
	pace   time.Duration // that it holds an event, on average
	choice monitor.Choice
}

type manner int

const (
	reads manner = iota // and may be slow
	stops               // with an event in hand, for good
	crashes
	scribbles // wherever it may
	manners
)

func (p *plan) drawMonitors(rng *rand.Rand) {
	if rng.IntN(2) == 0 {
		return
	}
	m := &p.monitors
	m.slots, m.seed = 1+rng.IntN(12), rng.Uint64()
	for range 1 + rng.IntN(5) {
		s := seatPlan{manner: manner(rng.IntN(int(manners))), pace: time.Duration(1+rng.IntN(3000)) * time.Microsecond}
		if rng.IntN(3) == 0 {
			s.late = time.Duration(rng.IntN(200)) * time.Millisecond
		}
		if rng.IntN(4) == 0 {
			s.pace *= 1000
		}
		s.choice = monitor.Choice{Hits: rng.IntN(8) == 0, Newest: rng.IntN(4) == 0, Every: uint64(rng.IntN(3))}
		m.seats = append(m.seats, s)
	}
	if rng.IntN(20) == 0 {
		for range 100 {
			m.seats = append(m.seats, seatPlan{manner: stops, pace: time.Millisecond})
		}
	}
}

// config gives the pipeline a server at which nobody can connect, and lets those who watch sit down at it.
func (m *monitorsPlan) config(l *lab) *drp.Monitor {
	if len(m.seats) == 0 {
		return nil
	}
	return &drp.Monitor{Name: "sim/cam", Slots: m.slots, Serve: func(c monitor.Config) (*monitor.Server, error) {
		c.Alone, c.Now = true, func() time.Time { return time.Unix(0, 0).Add(l.world.Now()) }
		s, err := monitor.New(c)
		if err == nil {
			l.monitors = &monitors{lab: l, server: s, ordinals: map[monitor.Choice]map[uint64]int64{}}
			for i := range m.seats {
				w := &watcher{monitors: l.monitors, plan: &m.seats[i], number: i, rng: rand.New(rand.NewPCG(m.seed, uint64(i)))}
				l.monitors.all = append(l.monitors.all, w)
				l.world.Go(w.live)
			}
		}
		return s, err
	}}
}

// monitors are all who watch. A nil one is nobody.
type monitors struct {
	lab      *lab
	server   *monitor.Server
	all      []*watcher
	ordinals map[monitor.Choice]map[uint64]int64 // of those that sat from the start: the events that a choice came to
}

// leave ends those who stopped.
func (m *monitors) leave() {
	if m == nil {
		return
	}
	for _, w := range m.all {
		w.stayed = w.stayed || w.seat != nil
		w.leave()
	}
}

// check looks at the books of the server.
func (m *monitors) check(s *drp.Summary) {
	if m == nil || s.Received == 0 {
		return
	}
	b := m.server.Books()
	var offered, entries uint64
	for _, w := range m.all {
		offered, entries = offered+w.offered, entries+w.entries
	}
	if uint64(b.Entries+b.Missed) != offered || uint64(b.Entries) != entries {
		m.lab.problem("monitors chose %d events and were given %d, their books say %+v", offered, entries, b)
	}
	all := uint64(s.Received - s.Dropped - s.InFlight)
	for _, w := range m.all {
		every := max(1, w.plan.choice.Every)
		if want := (all + every - 1) / every; w.first && w.stayed && !w.plan.choice.Hits && w.offered != want {
			w.problem("it was offered %d events, and there were %d of its choice", w.offered, want)
		}
	}
	if b.Published > s.Received {
		m.lab.problem("%d events were published of %d", b.Published, s.Received)
	}
}

// watcher is one who watches, written from what docs/formats.md says.
type watcher struct {
	*monitors
	plan   *seatPlan
	number int
	rng    *rand.Rand
	seat   *monitor.Seat

	told      []monitor.Told // and not yet come to
	numbers   uint64         // of transitions that were told
	tail      uint64
	got, gaps uint64
	ordinal   uint64
	last      int64
	idle      int // waits since something came
	begun     bool
	first     bool   // it sat before any event
	stayed    bool   // to the end
	offered   uint64 // when it left, as the server says
	entries   uint64
}

// Words of a queue and of a slot, by their bytes.
const (
	headAt, offeredAt, tailAt, heldAt, entriesAt, entryLength, queueCount = 0, 8, 64, 72, 128, 32, 1024
	seqAt, numberAt, sizeAt, dgramAt                                      = 0, 8, 16, 64

	lease = 5 * time.Second // for which an event can be held at the least
)

func (w *watcher) word(at int) uint64       { return binary.LittleEndian.Uint64(w.seat.Queue()[at:]) }
func (w *watcher) setWord(at int, v uint64) { binary.LittleEndian.PutUint64(w.seat.Queue()[at:], v) }

// wait lets time pass, by its own chance.
func (w *watcher) wait(mean time.Duration) {
	w.lab.world.Sleep(time.Duration(w.rng.Int64N(int64(2*mean) + 1)))
}

func (w *watcher) problem(format string, args ...any) {
	w.lab.problem("monitor %d, %+v: %s", w.number, *w.plan, fmt.Sprintf(format, args...))
}

func (w *watcher) live() {
	w.lab.world.Sleep(w.plan.late)
	var err error
	w.first = len(w.lab.order) == 0
	if w.seat, err = w.server.Sit(w.plan.choice, fmt.Sprint(w.number)); err != nil {
		return // it has ended
	}
	w.last = -1
	for ended := false; !ended && w.seat != nil; {
		if w.plan.manner == scribbles {
			w.scribble()
		}
		ended = w.step()
	}
	if w.seat != nil && w.plan.manner == reads {
		if w.got+w.gaps > w.word(offeredAt) {
			w.problem("%d got and %d missed of %d", w.got, w.gaps, w.word(offeredAt))
		}
		w.stayed = true
		w.leave()
	}
}

// leave is the end of one, whose numbers are noted.
func (w *watcher) leave() {
	if w.seat == nil {
		return
	}
	for _, c := range w.server.Consumers() {
		if c.Name == fmt.Sprint(w.number) {
			w.offered, w.entries = c.Offered, c.Entries
			if c.Missed != c.Offered-c.Entries || w.plan.manner == reads && w.got > c.Entries {
				w.problem("it got %d, and the server says %+v", w.got, c)
			}
		}
	}
	w.seat.Leave()
	w.seat = nil
}

// step takes what is next, or waits; it tells whether that was the end, as far as it is concerned.
func (w *watcher) step() (ended bool) {
	for {
		t, some := w.seat.Told()
		if !some {
			break
		}
		if t.Begins && t.At > w.tail {
			w.told, w.tail = nil, t.At
			w.setWord(tailAt, w.tail)
		}
		if !t.Begins && t.Number <= w.numbers {
			w.problem("transition %d was told after %d", t.Number, w.numbers)
		}
		w.numbers, w.told = t.Number, append(w.told, t)
	}
	switch {
	case len(w.told) > 0 && w.tail >= w.told[0].At:
		t := w.told[0]
		w.told = w.told[1:]
		if !t.End {
			w.transition(t.Dgram)
		}
		return t.End
	case w.tail < w.word(headAt) && w.plan.manner != scribbles:
		return w.event()
	}
	w.idle = min(w.idle+1, 4) // a hundred who look each millisecond take a run that stands still beyond all steps
	w.wait(time.Millisecond << w.idle / 2)
	return false
}

func (w *watcher) transition(d xtc.Dgram) {
	switch id := d.Service(); {
	case id.IsEvent():
		w.problem("an event came where transitions do")
	case id == xtc.Configure:
		w.begun = true
	case !w.begun:
		w.problem("%v came before Configure", id)
	}
}

// event looks at the next one for a while.
func (w *watcher) event() (ended bool) {
	w.idle = 0
	entry := w.seat.Queue()[entriesAt+int(w.tail%queueCount)*entryLength:][:entryLength]
	seq, ordinal := binary.LittleEndian.Uint64(entry), binary.LittleEndian.Uint64(entry[8:])
	if needs := binary.LittleEndian.Uint64(entry[16:]); needs > w.numbers {
		w.problem("an event comes after transition %d, of which there are %d", needs, w.numbers)
	}
	slot := w.seat.Slot(int(binary.LittleEndian.Uint32(entry[24:])))
	if w.tail == 0 && ordinal != 1 && w.server.Books().Held == 0 {
		w.problem("it had room from the beginning, and the first that it was given is its %d", ordinal)
	}
	w.setWord(heldAt, seq)
	w.tail++
	if binary.LittleEndian.Uint64(slot[seqAt:]) == seq {
		w.look(slot, ordinal)
		before, since := sum(slot), w.lab.world.Now()
		if w.plan.manner == stops {
			return true
		}
		w.wait(w.plan.pace)
		if held := w.lab.world.Now() - since; sum(slot) != before && (binary.LittleEndian.Uint64(slot[seqAt:]) == seq || held < lease) {
			w.problem("event %d was changed when it had been held for %v", w.last, held)
		}
		if w.plan.manner == crashes && w.rng.IntN(10) == 0 {
			w.leave() // and what it held with it
			return true
		}
	}
	w.setWord(heldAt, 0)
	w.setWord(tailAt, w.tail)
	return false
}

// look holds an event against what the source gave.
func (w *watcher) look(slot []byte, ordinal uint64) {
	number := int64(binary.LittleEndian.Uint64(slot[numberAt:]))
	d := xtc.Dgram(slot[dgramAt:][:binary.LittleEndian.Uint32(slot[sizeAt:])])
	if ordinal <= w.ordinal || number <= w.last || !w.begun {
		w.problem("event %d, its %d, came after event %d, its %d; begun %v", number, ordinal, w.last, w.ordinal, w.begun)
	}
	w.gaps, w.got = w.gaps+ordinal-w.ordinal-1, w.got+1
	w.ordinal, w.last = ordinal, number
	n := w.lab.number(d.Time())
	e := w.lab.events[n]
	if e == nil || e.skipped || !e.flipped && !bytes.HasPrefix(d[xtc.DgramHeaderBytes:], e.payload) {
		w.problem("what it was shown is not event %d", n)
	}
	of := w.plan.choice
	of.Newest = false
	if !w.first {
		return
	}
	if w.ordinals[of] == nil {
		w.ordinals[of] = map[uint64]int64{}
	}
	if other, known := w.ordinals[of][ordinal]; known && other != number {
		w.problem("the %d of its choice is event %d, and was event %d", ordinal, number, other)
	}
	w.ordinals[of][ordinal] = number
}

func sum(b []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(b)
	return h.Sum64()
}

// scribble writes anything, or what would do most harm, wherever it may.
func (w *watcher) scribble() {
	for range 1 + w.rng.IntN(4) {
		at, v := 8*(tailAt/8+w.rng.IntN(3)), w.rng.Uint64()
		switch w.rng.IntN(3) {
		case 0:
			v = w.word(headAt) + uint64(w.rng.IntN(5)) - 2
		case 1:
			v = uint64(w.rng.IntN(100))
		}
		w.setWord(at, v)
	}
	if w.rng.IntN(4) == 0 {
		w.setWord(8*w.rng.IntN((entriesAt+queueCount*entryLength)/8), w.rng.Uint64())
	}
}

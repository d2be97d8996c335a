package drp

import (
	"fmt"
	"sync/atomic"

	"drp/fex"
	"drp/monitor"
	"drp/pebble"
	"drp/xtc"
)

// Monitor says under which name others of this machine can watch the run, and how.
type Monitor struct {
	Name  string // PARTITION/DETECTOR
	Slots int    // events that are kept for those who watch; 0: as many as 128 MiB hold

	Serve func(monitor.Config) (*monitor.Server, error) // nil is monitor.New; of simulations
}

// monitorExtra is room in what is published for what is added besides the script's result: hits, generation, decision.
const monitorExtra = 64 << 10

// checkMonitor refuses what cannot work before anything is opened.
func (c *Config) checkMonitor() error {
	switch {
	case c.Monitor == nil:
		return nil
	case c.Monitor.Slots < 0:
		return failf(Usage, "%d slots for monitors: give 1 or more, or 0 for as many as 128 MiB hold", c.Monitor.Slots)
	}
	return fail(Usage, monitor.CheckName(c.Monitor.Name))
}

// watched publishes what the collector has decided about. All but open and close belong to it. Without a server nothing is
// done.
type watched struct {
	server  *monitor.Server
	layouts *layouts // of what is published, which is more than the source sends
	event   monitor.Event
	begun   bool // a Configure was published: without it nobody could read what follows
	log     func(string)
}

func (w *watched) open(r *Run, s pebble.Sizes) (err error) {
	m := r.cfg.Monitor
	if m == nil {
		return nil
	}
	w.layouts = newLayouts()
	w.log = func(line string) { r.cfg.Log.Info(line) }
	room := s.EventBytes + s.ResultBytes + monitorExtra
	if r.cfg.Hits != nil {
		room += headBytes + peakBytes*r.cfg.Hits.MaxPeaks
	}
	if needed, free := monitor.Bytes(m.Slots, room), memoryAvailable(); free > 0 && needed > free {
		return failf(Configuration, "those who watch need %d MB, and %d MB of memory are free: lower --monitor-slots, --buf-bytes or "+
			"--fex-bytes", needed/1e6, free/1e6)
	}
	serve := m.Serve
	if serve == nil {
		serve = monitor.New
	}
	w.server, err = serve(monitor.Config{Name: m.Name, EventBytes: room, Slots: m.Slots, Layout: w.layout,
		Publisher: r.calibration.publisher, Log: r.cfg.Log})
	return fail(Configuration, err)
}

func (w *watched) close() error {
	if w.server == nil {
		return nil
	}
	err := w.server.Close()
	b := w.server.Books()
	w.log(fmt.Sprintf("monitor: %d consumers in all got %d events and missed %d for want of room; %d events were copied", b.Consumers,
		b.Entries, b.Missed, b.Published))
	return err
}

// layout numbers what is published; 0 is for what makes no sense.
func (w *watched) layout(d xtc.Dgram) uint32 {
	if d.Damage()&xtc.DamageCorrupted != 0 {
		return 0
	}
	n, err := w.layouts.number(d)
	if err != nil {
		return 0
	}
	return n
}

// transition publishes a transition, but for what follows a Configure that failed.
func (w *watched) transition(d xtc.Dgram, added []byte, damage xtc.Damage) {
	if w.server == nil || !w.begun && d.Service() != xtc.Configure {
		return
	}
	if d.Service() == xtc.Configure {
		whole := append(append(xtc.Dgram{}, d...), added...)
		whole.SetSize(len(whole))
		if err := w.layouts.configure(whole); err != nil {
			panic(err) // it was read before, part by part
		}
		w.begun = true
	}
	if !w.begun {
		return
	}
	w.server.Transition(&monitor.Event{Dgram: d, Added: added, Damage: damage})
}

// unconfigured is told of a Configure that failed: what still comes has names that nobody could be told.
func (w *watched) unconfigured() { w.begun = false }

// facts are what those who watch choose by, and are told of an event.
func (c *collector) facts(e *entry) monitor.Facts {
	facts := monitor.Facts{Number: e.number}
	if f := c.hits.found(e); f != nil && f.Hit {
		facts.Flags |= monitor.Hit
	}
	if c.trigger != nil && c.trigger.present != nil {
		facts.Bits = c.trigger.present.Monitor
	}
	switch {
	case e.status == fex.Rejected && !e.keepRaw:
		facts.Flags |= monitor.Rejected
	case c.trigger.unwanted():
		facts.Flags |= monitor.Vetoed
	}
	return facts
}

// show publishes an event, if anybody wants to see it: with its raw data, even where a script has removed it.
func (c *collector) show(e *entry, d xtc.Dgram, added []byte, damage xtc.Damage) {
	if !c.watched.begun {
		return
	}
	facts := c.facts(e)
	if c.watched.server.Offer(&facts) {
		c.watched.publish(&facts, &kept{dgram: d, added: c.stamped(e, added, damage), damage: damage})
	}
}

// showPosted publishes one that has waited for the second script, or for others that do, with what that has added.
func (w *watched) showPosted(facts *monitor.Facts, k *kept) {
	if w.begun && w.server.Offer(facts) {
		w.publish(facts, k)
	}
}

func (w *watched) publish(facts *monitor.Facts, k *kept) {
	w.event = monitor.Event{Facts: *facts, Dgram: k.dgram, Added: k.added, Damage: k.damage}
	w.server.Publish(&w.event)
	w.event = monitor.Event{} // nothing is kept of what belongs to others
}

// leave ends the way of an event that is not recorded, and enters it in the books. Who watches sees events in their order: so it
// waits for those before it that a second script has in hand.
func (c *collector) leave(e *entry, d xtc.Dgram, added []byte, damage xtc.Damage, books *atomic.Int64) {
	if c.post != nil && c.watched.begun {
		c.post.takeUnrecorded(c, e, &kept{dgram: d, added: c.stamped(e, added, damage), damage: damage}, books)
		return
	}
	books.Add(1)
	c.show(e, d, added, damage)
}

// Consumers are those who watch the run.
func (r *Run) Consumers() []monitor.Consumer { return r.watched.server.Consumers() }

package drp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"drp/fex"
	"drp/pebble"
	"drp/xtc"
)

// Post is a second script, which is shown only what is recorded, after that was decided, and may still change it.
type Post struct {
	Script string
	Args   []string

	// What a simulation puts in the place of the machine, as in Config.
	Start  fex.Starter
	Memory func(*pebble.Pool)

	text []byte // read by the check
}

// Processes is how many the scripts have when all is well, without spares.
func (c *Config) Processes() int {
	if c.Post == nil {
		return c.Workers
	}
	return 2 * c.Workers
}

// checkPost reads the second script.
func (c *Config) checkPost() (err error) {
	if c.Post == nil {
		return nil
	}
	p := *c.Post
	if p.Script == "" {
		return failf(Usage, "no second script: give one with --post \"crop.py arg1\"")
	}
	p.Script, p.text, err = c.readScript(p.Script)
	c.Post = &p
	return err
}

// postRoom is what stands behind an event where a second script reads it: what the first one added, what was found, and
// what drp says of it.
func (c *Config) postRoom(resultBytes int) int {
	if c.Post == nil {
		return 0
	}
	const stamps = 3 * pageBytes // the generation of the constants, the decision, and what was contributed to it
	room := resultBytes + stamps + partBytes
	if c.Trigger != nil {
		room += partBytes // of its parameters
	}
	if c.Hits != nil {
		room += c.Hits.RecordBytes()
	}
	return wholePages(room)
}

// post shows the second script what is to be recorded, and holds it back until that has answered. What is recorded without
// it, transitions too, waits in the same queue, so that the order stays.
//
//	items:  tail ------------------------------------ head
//	        | recorded when the oldest has its answer |
//
// A datagram stays in its slot. What was added to it is written behind it there: so the second script reads it as one
// datagram, where it lies, and the pixels are not copied. The processes are those of a group of their own, one for each
// worker, which reads the ring of that worker and has results of its own. All but answered and want belongs to the
// collector.
type post struct {
	r     *Run
	pool  *pebble.Pool // the rings of the run, with other results
	group *fex.Group
	made  *preparation // what the script asks for; nothing is made beforehand

	layouts *layouts   // of what it is shown
	own     *xtc.Table // of what it adds
	decided decisionNames
	shows   bool // there was a Configure that it could be shown

	items      []posted // a ring, with as many places as the window
	head, tail uint64
}

// openPost starts the processes of the second script; nothing happens without one.
func (r *Run) openPost(ctx context.Context) error {
	if r.cfg.Post == nil {
		return nil
	}
	pool, err := r.pool.Beside()
	if err != nil {
		return fail(Configuration, err)
	}
	p := &post{r: r, pool: pool, made: &preparation{r: r}, layouts: newLayouts(), own: xtc.NewTable(),
		items: make([]posted, len(r.window.ring))}
	for i := range pool.Events {
		p.made.workers = append(p.made.workers, &preparer{p: p.made, worker: i})
	}
	if r.cfg.Post.Memory != nil {
		r.cfg.Post.Memory(pool)
	}
	cfg := r.children()
	cfg.Script, cfg.Args, cfg.Source, cfg.Decided = r.cfg.Post.Script, r.cfg.Post.Args, r.cfg.Post.text, true
	cfg.Log = r.cfg.Log.With(slog.String("script", scriptName(cfg.Script)))
	cfg.Answered, cfg.Want = p.answered, p.want
	cfg.FellBack = func(cause error) { r.reloads.fellBack(1, cause) }
	cfg.Settings = r.steering.board(ofPost)
	if r.cfg.Post.Start != nil {
		cfg.Start = r.cfg.Post.Start
	}
	r.reloads.base[1] = cfg
	if p.group, err = fex.Start(ctx, cfg, pool); err != nil {
		return fail(Configuration, errors.Join(err, pool.Close()))
	}
	r.post = p
	r.cfg.Log.Info(fmt.Sprintf("%s is shown what is recorded: %v", scriptName(cfg.Script), p.group))
	return nil
}

// close ends the processes; it may be called without any.
func (p *post) close() error {
	if p == nil {
		return nil
	}
	p.group.Close()
	for _, w := range p.made.workers {
		w.free()
	}
	return p.pool.Close()
}

// answered takes the answers of a worker; it runs on the worker's goroutine.
func (p *post) answered(worker int, answers []fex.Answer) {
	for i := range answers {
		it := p.at(answers[i].Tag)
		if it.service.IsEvent() {
			it.answer = answers[i]
		} else {
			it.detail.answers[worker] = answers[i]
		}
		it.pending.Add(-1)
	}
	p.r.window.signal()
}

// want makes what the script asks for in the middle of an event; it runs on the worker's goroutine.
func (p *post) want(worker int, want fex.Want) fex.Wanted {
	it := p.at(want.Tag)
	return p.made.give(worker, want, it.ix, &it.calibration)
}

func (p *post) at(tag uint64) *posted { return &p.items[tag%uint64(len(p.items))] }

// avoids tells whether a ring gets no events, since the second script has no process for it any more, and there are rings where
// both scripts have one.
func (p *post) avoids(worker int) bool {
	if p == nil || !p.group.Workers[worker].Retired() {
		return false
	}
	for i, w := range p.r.group.Workers {
		if !w.Retired() && !p.group.Workers[i].Retired() {
			return true
		}
	}
	return false
}

// empty tells that nothing is held back.
func (p *post) empty() bool { return p == nil || p.tail == p.head }

// next gives the place of a datagram that comes from the collector, whose slot goes with it.
func (p *post) next(c *collector) *posted {
	it := p.at(p.head)
	last := len(c.refs) - 1
	it.ref, c.refs = c.refs[last], c.refs[:last]
	c.bytes -= len(it.ref.Bytes())
	it.settings, c.held = c.held, 0
	it.more, it.removed, it.failure, it.shown, it.left = it.more[:0], it.removed[:0], nil, false, nil
	p.head++
	return it
}

// takeEvent takes an event that is to be recorded. One that is damaged by what befell the first script is not shown to the
// second: it is recorded with all it has.
func (p *post) takeEvent(c *collector, e *entry, k *kept) {
	tag := p.head
	it := p.next(c)
	it.service, it.time, it.number, it.worker, it.ix = e.service, e.time, e.number, e.worker, e.ix
	it.keepRaw, it.calibration, it.stamped, it.crc, it.bytes = e.keepRaw, 0, e.calibration != 0, e.crc, len(k.dgram)
	it.dgram, it.damage, it.removed = k.dgram, k.damage, append(it.removed, k.removed...)
	it.stamp = c.timing.held(c.window.tail)
	if c.watched.begun {
		it.facts = c.facts(e)
	}
	err := it.extend(k.added)
	if k.damage != 0 || !p.shows || c.failed != nil {
		return
	}
	var layout uint32
	if err == nil {
		layout, err = p.layouts.number(it.dgram)
	}
	if err != nil {
		it.failure = &fex.Failure{Type: "ResultError", Message: err.Error()}
		return
	}
	it.shown = true
	it.pending.Store(1)
	p.group.Workers[e.worker].Work(&fex.Work{Index: e.ix, Bytes: len(it.dgram), Layout: layout, Time: e.time, Tag: tag,
		Settings: p.r.steering.told(it.settings, ofPost)})
}

// takeUnrecorded takes an event that is not recorded, for those who watch.
func (p *post) takeUnrecorded(c *collector, e *entry, k *kept, books *atomic.Int64) {
	it := p.next(c)
	it.service, it.number, it.facts, it.left = e.service, e.number, c.facts(e), books
	it.dgram, it.damage = k.dgram, k.damage
	decide(&it.ref)
	_ = it.extend(k.added) // what has no room in the slot is kept beside it
}

// takeTransition takes a transition with what the first script added to it.
func (p *post) takeTransition(c *collector, t *told, added []byte) {
	tag := p.head
	it := p.next(c)
	it.service, it.told = t.service, *t
	it.dgram, it.damage = t.dgram, t.damage
	err := it.extend(added)
	if t.service == xtc.Configure {
		if err == nil {
			err = p.layouts.configure(it.dgram)
		}
		if p.shows = err == nil; !p.shows {
			c.recordNothing(err)
		}
	}
	if err != nil {
		err = failf(Configuration, "the %v cannot be shown to %s: %w: raise --transition-bytes", t.service, p.name(), err)
		it.told.detail.trouble = err
		c.halt(err)
		return
	}
	if len(t.detail.answers) == 0 || !p.shows { // the first script is not shown it either
		return
	}
	workers := p.group.Workers
	of := *t.detail
	of.answers = make([]fex.Answer, len(workers))
	it.detail, it.shown = &of, true
	it.pending.Store(int32(len(workers)))
	work := fex.Work{Index: t.ix, Bytes: len(it.dgram), Time: it.dgram.Time(), Tag: tag, Settings: p.r.steering.told(it.settings, ofPost)}
	for _, w := range workers {
		w.Hand(&work, uint8(t.service), t.implied)
	}
}

// goOn lets the source go on after a Configure that was not passed on.
func (p *post) goOn() {
	if p != nil {
		p.shows = false
		p.r.oneAnswered()
	}
}

func (p *post) name() string { return scriptName(p.r.cfg.Post.Script) }

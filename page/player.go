package page

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"drp/internal/pace"
	"drp/monitor"
	"drp/pebble"
	"drp/source"
	"drp/xtc"
)

// PlayerOptions say what is replayed.
type PlayerOptions struct {
	Files   []string
	Monitor string  // name that it can be watched by
	Slots   int     // of the monitor; 0 is as many as usual
	Speed   float64 // 1 is as it was recorded, 0 as fast as can be
	Loop    bool
	Paused  bool
	Journal *Journal
	Log     *slog.Logger
}

// Player replays recorded files into a monitor, at any speed, and to and fro. What it does it does in one goroutine, Run;
// the other methods may be called by anybody.
type Player struct {
	o       PlayerOptions
	files   source.Source
	pool    *pebble.Pool
	monitor *monitor.Server
	orders  chan order
	past    *past

	// Of Run alone.
	facts  facts
	holds  holding
	next   int64 // number of the event that comes next
	due    time.Time
	began  time.Time // when the first event was come to
	before uint64    // time of the event before, nanoseconds
	header source.Header
	ahead  bool          // header was announced and not taken yet
	last   monitor.Event // that was shown, for who comes when the replay stands still; none without its Configure
	told   int64         // consumers who were there to see it

	mu    sync.Mutex // protects all below
	state ReplayState
	shown shown
}

// ReplayState is how far a replay is.
type ReplayState struct {
	File     string  `json:"file"` // names without folders
	Events   int     `json:"events"`
	Position int64   `json:"position"` // number of the event that was shown last, from 0; -1 before the first
	Speed    float64 `json:"speed"`
	Paused   bool    `json:"paused"`
	Loop     bool    `json:"loop"`
	Recorded bool    `json:"recorded"`      // the status of the run was
	Ended    bool    `json:"ended"`         // there is no event after that one
	Why      string  `json:"why,omitempty"` // it could not go on
}

// Limits of what may be ordered.
const (
	slowest = 0.01
	fastest = 1000.
)

// Play opens files, the chunks of a run or its streams. Run replays them.
func Play(o PlayerOptions) (*Player, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Journal == nil {
		o.Journal = &Journal{}
	}
	p := &Player{o: o, orders: make(chan order)}
	if err := CheckSpeed(o.Speed); err != nil {
		return nil, err
	}
	files, err := source.OpenFiles(o.Files, source.Options{})
	if err != nil {
		return nil, err
	}
	p.files = files
	info := files.Info()
	for _, text := range info.Warnings {
		o.Journal.note("warn", text)
		o.Log.Warn(text)
	}
	const room = 4096
	p.pool, err = pebble.Open(pebble.Sizes{Workers: 1, Slots: 1, EventBytes: max(info.MaxEventBytes, room), ResultBytes: room,
		TransitionBytes: max(info.MaxTransitionBytes, room)})
	if err == nil {
		p.monitor, err = monitor.New(monitor.Config{Name: o.Monitor, EventBytes: max(info.MaxEventBytes, room), Slots: o.Slots, Log: o.Log})
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	name := ""
	for _, path := range o.Files {
		name += " " + filepath.Base(path)
	}
	p.past, p.began = openPast(o.Files, o.Journal), time.Now()
	p.state = ReplayState{File: name[1:], Events: info.Events, Position: -1, Speed: o.Speed, Paused: o.Paused, Loop: o.Loop,
		Recorded: p.past.find(0) >= 0}
	p.past.explain()
	info.Name = p.state.File
	p.shown.begin(info)
	return p, nil
}

// CheckSpeed refuses a speed at which nothing is replayed.
func CheckSpeed(v float64) error {
	if v != 0 && !(v >= slowest && v <= fastest) {
		return fmt.Errorf("speed %g: give %g to %g, or 0 for as fast as can be", v, slowest, fastest)
	}
	return nil
}

// Close ends the watching of all who watch. Run must have returned.
func (p *Player) Close() error {
	var errs []error
	if p.monitor != nil {
		errs = append(errs, p.monitor.Close())
	}
	if p.pool != nil {
		errs = append(errs, p.pool.Close())
	}
	if p.files != nil {
		errs = append(errs, p.files.Close())
	}
	if p.past != nil {
		errs = append(errs, p.past.close())
	}
	return errors.Join(errs...)
}

// State says how far it is.
func (p *Player) State() ReplayState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

func (p *Player) change(f func(s *ReplayState)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.state)
}

// Run replays until the context ends or, unless stays, until the end of the files. A replay that is paused begins with the
// first event, so that there is something to see.
func (p *Player) Run(ctx context.Context, stays bool) error {
	first := true
	for ctx.Err() == nil {
		s := p.State()
		switch {
		case s.Ended && !stays && !s.Loop:
			return p.failure(&s)
		case s.Ended && s.Loop && s.Why == "" && s.Position >= 0 && !s.Paused && (s.Speed == 0 || time.Since(p.began) >= leastLoop):
			p.turn()
			continue
		case s.Ended || s.Paused && !first:
			p.stand(ctx)
			continue
		}
		p.forward(ctx, &s)
		first = first && p.State().Position < 0
	}
	return nil
}

// stand waits for an order. Who comes meanwhile is shown the last event, too.
func (p *Player) stand(ctx context.Context) {
	t := time.NewTimer(pace.Beat)
	defer t.Stop()
	select {
	case o := <-p.orders:
		o.done <- p.obey(ctx, &o.Command)
	case <-t.C:
		if p.monitor.Books().Consumers > p.told && p.last.Dgram != nil {
			p.offer(&p.last)
		}
	case <-ctx.Done():
	}
}

// offer publishes an event to those who are there.
func (p *Player) offer(e *monitor.Event) {
	p.told = p.monitor.Books().Consumers
	if p.monitor.Offer(&e.Facts) {
		p.monitor.Publish(e)
	}
}

func (p *Player) failure(s *ReplayState) error {
	if s.Why != "" {
		return errors.New(s.Why)
	}
	return nil
}

// turn goes back to the first event.
func (p *Player) turn() {
	if err := p.reopen(); err != nil {
		p.stop(err)
		return
	}
	p.change(func(s *ReplayState) { s.Ended = false })
}

// stop notes why there is nothing more to come.
func (p *Player) stop(err error) {
	why := ""
	if !errors.Is(err, io.EOF) {
		why = err.Error()
		for _, path := range p.o.Files { // where they lie is no business of a browser
			why = strings.ReplaceAll(why, filepath.Dir(path)+"/", "")
		}
		p.o.Journal.note("error", "the replay cannot go on: "+why)
	}
	p.change(func(s *ReplayState) { s.Ended, s.Why = true, why })
}

// reopen begins anew with the files. What was published holds on until something else is.
func (p *Player) reopen() error {
	again, err := source.OpenFiles(p.o.Files, source.Options{})
	if err != nil {
		return err
	}
	_ = p.files.Close() // it was only read
	p.files, p.next, p.ahead, p.before, p.began = again, 0, false, 0, time.Now()
	return nil
}

// forward takes one datagram, when it is due. An order that comes meanwhile is obeyed first.
func (p *Player) forward(ctx context.Context, s *ReplayState) {
	err := p.announce(ctx)
	if err == nil && p.header.Service.IsEvent() && p.wait(ctx, s.Speed) {
		return
	}
	if err == nil {
		err = p.take(true)
	}
	if err != nil {
		p.stop(err)
	}
}

func (p *Player) announce(ctx context.Context) (err error) {
	if p.ahead {
		return nil
	}
	p.header, err = p.files.Next(ctx)
	p.ahead = err == nil
	return err
}

// Times of a replay.
const (
	longGap   = 10 * time.Second // between two recorded events; a longer one is not waited for
	catchUp   = time.Second      // of what is due, at the most
	leastLoop = time.Second      // that a loop takes, however close to each other its events are
	shortWait = 50 * time.Microsecond
)

// wait waits until the announced event is due; it tells whether something else came first.
func (p *Player) wait(ctx context.Context, speed float64) (disturbed bool) {
	at := p.past.when(p.next)
	if at == 0 {
		at = p.header.Time>>32*1e9 + p.header.Time&0xffffffff
	}
	now := time.Now()
	due := now
	if gap := time.Duration(at - p.before); speed > 0 && p.before != 0 && at > p.before && gap < longGap {
		due = p.due.Add(time.Duration(float64(gap) / speed))
	}
	if due.Before(now.Add(-catchUp)) {
		due = now.Add(-catchUp)
	}
	wait := due.Sub(now)
	if wait <= shortWait {
		select {
		case o := <-p.orders:
			o.done <- p.obey(ctx, &o.Command)
			return true
		default:
		}
		p.due, p.before = due, at
		return false
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		p.due, p.before = due, at
		return false
	case o := <-p.orders:
		o.done <- p.obey(ctx, &o.Command)
	case <-ctx.Done():
	}
	return true
}

// take takes what was announced: it is published, or only noted if that is a transition, and skipped if it is an event.
func (p *Player) take(publish bool) error {
	p.ahead = false
	event := p.header.Service.IsEvent()
	if event && !publish {
		p.next++
		return p.files.Skip()
	}
	ring := p.pool.Transitions
	if event {
		ring = p.pool.Events[0]
	}
	loan, ok := ring.TryLoan()
	if !ok {
		return errors.New("there is no room for what comes next") // each loan was given back
	}
	defer loan.Abort()
	n, err := p.files.Fill(&loan)
	if err != nil {
		return err
	}
	d := xtc.Dgram(loan.Bytes()[:n])
	if event {
		p.show(d)
		return nil
	}
	p.holds.note(d)
	if d.Service() == xtc.Configure {
		p.facts.configure(d)
	}
	if publish {
		p.publish(d)
	}
	return nil
}

// publish publishes a transition.
func (p *Player) publish(d xtc.Dgram) {
	p.monitor.Transition(&monitor.Event{Dgram: d})
	p.holds.publish(d)
	if id := d.Service(); id == xtc.Configure || id == xtc.Unconfigure {
		p.last = monitor.Event{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown.transition(p.facts.table, d)
}

// show publishes an event.
func (p *Player) show(d xtc.Dgram) {
	e := monitor.Event{Facts: p.facts.of(d), Dgram: d}
	e.Number = p.next
	p.offer(&e)
	p.next++
	p.change(func(s *ReplayState) { s.Position = e.Number })
	p.last = monitor.Event{Facts: e.Facts, Dgram: append(p.last.Dgram[:0], d...)}
	p.past.reach(e.Number)
}

package page

import (
	"context"
	"errors"
	"io"
	"time"

	"drp/internal/pace"
	"drp/monitor"
	"drp/xtc"
)

// feed takes events of the run, all of them or hits only, as browsers are due for them.
type feed struct {
	page *Page
	hits bool
	wake chan struct{} // somebody is due for a picture
	sums sums
	last time.Time // when an event was looked at
	cost pace.Cost // of looking at one
	kept pace.Cost // and of keeping one that nobody wants to see: what a picture takes is not saved while nobody is there
	idle time.Time // since when nobody wants hits
}

// Times of a feed.
const (
	seldom    = time.Second // between two events while nobody looks
	dialAgain = 300 * time.Millisecond
	farewell  = time.Minute // until a feed that nobody wants ends
)

func (p *Page) newFeed(hits bool) *feed {
	return &feed{page: p, hits: hits, cost: pace.Cost{Guess: ofPicture}, kept: pace.Cost{Guess: ofPicture}, wake: make(chan struct{}, 1), idle: time.Now()}
}

// run watches the run, and the next of the same name, until the end. A feed of hits ends when nobody has wanted any for a
// while.
func (f *feed) run(ctx context.Context) {
	said := ""
	for ctx.Err() == nil && !f.unwanted() {
		c, err := monitor.Dial(ctx, f.page.o.Monitor, monitor.Choice{Newest: f.page.o.Player == nil, Hits: f.hits}, "page")
		if err != nil {
			if refused := (*monitor.RefusedError)(nil); errors.As(err, &refused) && err.Error() != said {
				said = err.Error()
				f.page.o.Journal.note("error", "no pictures: "+said)
			}
			sleep(ctx, dialAgain)
			continue
		}
		f.tell(nil)
		err = f.watch(ctx, c)
		_ = c.Close()
		if ctx.Err() == nil {
			f.tell(err)
		}
		if err != nil && !errors.Is(err, io.EOF) && ctx.Err() == nil {
			f.page.o.Journal.note("error", "no more pictures: "+err.Error())
		}
	}
}

// tell says whether the run is watched, which the feed of all events knows: it ends with the page only.
func (f *feed) tell(err error) {
	if !f.hits && f.page.o.Watched != nil {
		f.page.o.Watched(err)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// unwanted tells whether a feed of hits has become useless.
func (f *feed) unwanted() bool {
	f.page.mu.Lock()
	defer f.page.mu.Unlock()
	if !f.hits {
		return false
	}
	for s := range f.page.streams {
		if s.feed == f {
			f.idle = time.Now()
			return false
		}
	}
	if time.Since(f.idle) < farewell {
		return false
	}
	f.page.hits = nil // who wants one from now on makes another
	return true
}

// watch takes events of one run, until that ends or nobody wants any.
func (f *feed) watch(ctx context.Context, c *monitor.Client) error {
	w := newWatching(ctx, &told{publisher: c.Publisher(), from: f.page.o.Store}, f.page.o.Rings, func(text string) { f.page.o.Journal.note("warn", text) })
	for !f.unwanted() {
		turn, mine := f.page.thrift.Pictures.Await(ctx, f.likely())
		if !mine {
			return ctx.Err()
		}
		it, err := c.Next(ctx)
		switch {
		case err != nil:
			turn.Leave()
			return err
		case !it.Dgram.Service().IsEvent():
			turn.Leave()
			f.transition(w, it)
			continue
		case f.page.o.Player != nil && c.Waiting() > 0: // a replay that stands still shows its last event, whoever was slow
			turn.Leave()
			continue
		}
		f.page.thrift.Pictures.Charge(publishing(len(it.Dgram)))
		turn.Spend(func() { f.take(w, it) })
		f.pause(ctx) // and wait for the turn, while the event is still held: so the next one is the newest, and nothing is copied for us
	}
	return nil
}

// likely is what the next event takes.
func (f *feed) likely() *pace.Cost {
	f.page.mu.Lock()
	defer f.page.mu.Unlock()
	for s := range f.page.streams {
		if s.feed == f && s.kind != kindNone {
			return &f.cost
		}
	}
	return &f.kept
}

func (f *feed) transition(w *watching, it *monitor.Item) {
	w.transition(it.Dgram)
	if it.Dgram.Service() == xtc.BeginRun && !it.Replayed {
		f.page.mu.Lock()
		f.sums.reset()
		f.page.mu.Unlock()
	}
}

// take keeps an event, adds it to the sums, and gives its picture to who is due for one.
func (f *feed) take(w *watching, it *monitor.Item) {
	p := f.page
	p.mu.Lock()
	if p.o.Player != nil && p.kept.again(it) {
		f.last = time.Now()
		p.mu.Unlock()
		return
	}
	e := p.kept.room()
	p.mu.Unlock()
	w.event(e, it) // which takes a while; nobody else knows of the event
	p.mu.Lock()
	defer p.mu.Unlock()
	f.last = time.Now()
	p.kept.add(e)
	if len(e.Flags) > 0 && it.Dgram.Damage() != 0 {
		p.o.Journal.note("warn", damageLine(e, it))
	}
	if e.scene == nil {
		return
	}
	if f.summing(f.last) {
		f.sums.add(&p.painter, e, f.last)
	}
	f.show(e)
}

// show gives the picture of an event, or of the sums, to the streams that are due for one.
func (f *feed) show(e *event) {
	p, now, r := f.page, time.Now(), round{most: f.page.atOnce()}
	for s := range p.streams {
		if s.feed != f || s.kind == kindNone || now.Before(s.due) {
			continue
		}
		if !s.ready {
			s.dropped++
			s.due = now.Add(s.every)
			continue
		}
		p.give(s, e, now, &r)
	}
}

// pause waits until somebody is due for a picture, or for a second.
func (f *feed) pause(ctx context.Context) {
	for {
		wait := time.Until(f.next())
		if wait <= 0 {
			return
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-f.wake:
		case <-ctx.Done():
			t.Stop()
			return
		}
		t.Stop()
	}
}

// next is when an event is wanted.
func (f *feed) next() time.Time {
	f.page.mu.Lock()
	defer f.page.mu.Unlock()
	at := f.last.Add(seldom)
	for s := range f.page.streams {
		if s.feed == f && s.kind != kindNone && s.ready && s.due.Before(at) {
			at = s.due
		}
	}
	return at
}

func (f *feed) ring() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

package page

import (
	"context"
	"net/http"
	"sync"
	"time"

	"drp/internal/pace"
)

// speak writes frames: pictures in a goroutine of their own, since they wait longer for their turn. Its error says that nobody reads.
func (p *Page) speak(s *stream, r *http.Request) error {
	ctx, end := context.WithCancelCause(r.Context())
	defer context.AfterFunc(p.ctx, func() { end(nil) })()
	showing := sync.WaitGroup{}
	defer showing.Wait()
	defer end(nil)
	showing.Go(func() {
		if err := p.show(ctx, s); err != nil {
			end(err)
		}
	})
	for {
		if err := p.tell(ctx, s, r); err != nil {
			return err
		}
		now := time.Now()
		if pace.Until(ctx, now.Add(pace.ToBeat(now))) {
			p.makeUp(s)
			continue
		}
		if p.ctx.Err() != nil {
			return nil
		}
		return context.Cause(ctx)
	}
}

// tell writes what is new beside pictures when it is the turn of that. Where processors are full all waits for the status.
func (p *Page) tell(ctx context.Context, s *stream, r *http.Request) (err error) {
	if p.scarce() && !p.saysStatus(s) {
		return nil
	}
	turn, mine := p.thrift.Words.Await(ctx, &p.costs.news)
	if !mine {
		return nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	turn.Spend(func() { err = p.news(s, r) })
	return err
}

// show writes pictures when it is their turn, first of the event that is there. Its error says that nobody reads.
func (p *Page) show(ctx context.Context, s *stream) error {
	p.thrift.Pictures.Do(ctx, &p.costs.first, func() { p.begin(s) })
	for {
		select {
		case pic := <-s.frames:
			var err error
			if turn, mine := p.thrift.Pictures.Await(ctx, &p.costs.send); mine {
				s.writing.Lock()
				turn.Spend(func() { err = s.picture(pic) })
				s.writing.Unlock()
			}
			p.taken(s, pic)
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// begin gives a stream the picture that there is, where it has none yet.
func (p *Page) begin(s *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.kept.latest(s.hits); e != nil && s.kind != kindNone && s.given == 0 {
		p.give(s, e, s.due, &round{most: 1})
	}
}

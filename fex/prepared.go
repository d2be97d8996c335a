package fex

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"drp/internal/world"
)

// Prepared is children with another text of the script, one for each worker, beside those that work. They come to where those
// are before anything is changed: when one of them cannot, nothing has happened.
//
//	Prepare: start --> greeting --> Configure     while the run goes on
//	Advance: place --> what holds                 with nothing under way, the old children stand by
//	Swap:    the old ones are hung up on, these are in their place
type Prepared struct {
	g        *Group
	script   script
	children []*spare // by worker; nil for one that is out of service
	patience time.Duration

	mu     sync.Mutex // protects failed, and children while they begin
	failed error
}

// atOnce is how many children start at a time: the run that goes on needs the processors, too.
const atOnce = 4

// Prepare starts children with a text, and shows them the Configure that holds. It returns when all have taken it, or with the
// reason why one has not; then none is left. Swap or Discard must follow, before Close of the group. Patience is how long a child
// may take for any transition that begins something, from Advance on, when the run waits for it.
func (g *Group) Prepare(ctx context.Context, text []byte, patience time.Duration) (*Prepared, error) {
	p := &Prepared{g: g, script: script{text: text}, children: make([]*spare, len(g.Workers)),
		patience: min(patience, g.cfg.TransitionDeadline)}
	if err := p.each(ctx, atOnce, p.begin); err != nil {
		p.Discard()
		return nil, err
	}
	return p, nil
}

// Advance brings the children to where those of the workers are. With an error they are of no use any more.
func (p *Prepared) Advance(ctx context.Context) error { return p.each(ctx, len(p.children), p.advance) }

// Discard ends the children.
func (p *Prepared) Discard() {
	endAll(p.children)
	p.children = nil
}

// each does something for all workers in service, a few at a time, until one fails; the others are ended then.
func (p *Prepared) each(ctx context.Context, few int, do func(w *Worker) error) error {
	all, next := world.NewJoin(p.g.world), atomic.Int32{}
	defer onEnd(ctx, p.g.world, func() { p.fail(context.Cause(ctx)) })()
	for range min(few, len(p.children)) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(p.children) && p.reason() == nil; i = int(next.Add(1)) - 1 {
				w := p.g.Workers[i]
				if w.Retired() {
					continue
				}
				if err := do(w); err != nil {
					p.fail(err)
				}
			}
		})
	}
	all.Wait()
	if err := p.reason(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// fail takes note of the first failure, after which no child is of use.
func (p *Prepared) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil {
		return
	}
	p.failed = err
	for _, s := range p.children {
		if s != nil {
			s.p.Kill()
		}
	}
}

func (p *Prepared) reason() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// put makes a child known to those who may want to end it.
func (p *Prepared) put(worker int, s *spare) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.children[worker] = s; p.failed != nil {
		s.p.Kill()
	}
}

// begin starts the child of a worker.
func (p *Prepared) begin(w *Worker) error {
	child, err := p.g.cfg.Start(w.log)
	if err != nil {
		return err
	}
	s := &spare{p: child}
	p.put(w.id, s)
	if _, err := greet(p.g.world, child, p.g.hello(nil, p.script), p.g.cfg.GreetDeadline); err != nil {
		return err
	}
	for _, k := range w.holds() {
		if k.id != configure {
			continue
		}
		err := p.ask(w, s, k.record(), k.dgram, p.g.cfg.TransitionDeadline)
		if s.deferred = errors.Is(err, errDeferred); s.deferred {
			return nil
		}
		s.shown = &k
		return err
	}
	return errNoConfigure
}

var errNoConfigure = errors.New("fex: there is no Configure that a child could be shown")

// advance tells a child which worker it is, and shows it what holds.
func (p *Prepared) advance(w *Worker) error {
	s := p.children[w.id]
	defer p.warn(w, s)()
	if s.p.Stopped() {
		return fmt.Errorf("fex: process %d, which waited for its turn, was stopped by somebody", s.p.PID())
	}
	text, err := json.Marshal(w.place)
	if err != nil {
		return err
	}
	if err := p.ask(w, s, record{kind: kindAttach, bytes: uint32(len(text))}, text, p.patience); err != nil {
		return err
	}
	for _, k := range w.holds() {
		if k.id == configure && s.shown.same(&k) {
			continue
		}
		if err := p.ask(w, s, k.record(), k.dgram, p.patience); err != nil {
			return err
		}
	}
	s.advanced = true
	return p.g.cfg.tooLarge(s.p, "has only just begun")
}

// warn tells of a child that lets the run wait, with its stack, when that takes long.
func (p *Prepared) warn(w *Worker, s *spare) (stop func()) {
	soft := p.g.cfg.SoftDeadline
	if soft <= 0 || soft >= p.patience {
		return func() {}
	}
	return p.g.world.After(soft, func() {
		w.log.Warn(fmt.Sprintf("the run waits for another text of the script, which does not come to where the run is: its stack follows; "+
			"after %v without an answer the run goes on with the text before", p.patience), "seconds", soft.Seconds())
		s.p.DumpStack()
	})
}

// ask is like that of replacements; but the error is a *DeathError, with all that the child said, since somebody wants to know
// what is wrong with his script.
func (p *Prepared) ask(w *Worker, s *spare, r record, more []byte, allowed time.Duration) error {
	wd := p.g.world
	due := wd.Now() + allowed
	stop := overdue(wd, s.p, allowed)
	broken, err := exchange(s.p, r, more)
	stop()
	switch {
	case broken == nil && (err == nil || errors.Is(err, errDeferred)):
		return err
	case broken == nil:
		s.p.HangUp() // its traceback comes behind the answer
		defer wd.After(closeGrace, s.p.Kill)()
	default:
		if err = broken; wd.Now() >= due {
			err = errTooLate
		}
		s.p.Kill()
	}
	s.p.Wait()
	death := s.p.Obituary(err)
	death.Worker = w.id
	return &DeathError{Death: death}
}

package fex

import (
	"errors"
	"time"

	"drp/internal/world"
)

// spares keeps children warm that have nothing to do yet: they have loaded Python and numpy, and have run the script
// up to where it waits for its first run.
type spares struct {
	g      *Group
	wanted int
	wake   world.Flag
	gone   world.Flag // set when run returns
	// What follows is protected by g.mu.
	warm      []*spare
	busy      Process         // the one that is being started or shown something
	configure *keptTransition // the latest, nil if there was none
	edition   int             // of the script that took it
	closed    bool
}

// spare is a child without a worker.
type spare struct {
	p        Process
	shown    *keptTransition // the Configure it has seen, nil if none
	deferred bool            // the script waits to know which worker it is
	stopped  bool            // and was so when it was last looked at
	edition  int             // of the script it was told, before that Configure
	advanced bool            // it knows its place and has seen all that holds
}

// What may befall a spare while it waits.
var (
	errGone    = errors.New("fex: a spare child died")
	errStopped = errors.New("fex: a spare child was stopped by somebody and is ended")
)

// configured tells of a Configure that a worker has taken well. Only from then on are spares of use.
func (s *spares) configured(k *keptTransition) {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	if !s.configure.same(k) || s.edition != s.g.script.edition {
		kept := *k
		s.configure, s.edition = &kept, s.g.script.edition
		s.wake.Set()
	}
}

// takeLate takes a spare out of the warm ones that has not seen the present Configure, or not with the present script.
func (s *spares) takeLate() *spare {
	for i, old := range s.warm {
		if s.configure != nil && !old.deferred && !(old.edition >= s.edition && old.shown.same(s.configure)) {
			s.warm = append(s.warm[:i], s.warm[i+1:]...)
			return old
		}
	}
	return nil
}

// take gives a warm spare that can take a place at once, or nil.
func (s *spares) take() *spare {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	for i, c := range s.warm {
		if !s.closed && !c.p.Stopped() {
			s.warm = append(s.warm[:i], s.warm[i+1:]...)
			s.wake.Set()
			return c
		}
	}
	return nil
}

func (s *spares) ready() bool {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	return len(s.warm) > 0
}

// firstPauseOfSpares lets a run that is over at once not pay for spares.
const firstPauseOfSpares = time.Second

// run keeps as many spares as are wanted.
func (s *spares) run() {
	defer s.gone.Set()
	pause := firstPauseOfSpares
	for {
		s.g.mu.Lock()
		closed, configure, missing := s.closed, s.configure, len(s.warm) < s.wanted
		var late *spare
		if !closed {
			late = s.takeLate()
		}
		s.g.mu.Unlock()
		if closed {
			return
		}
		if configure == nil || !missing && late == nil {
			s.wake.Wait(world.ForEver)
			continue
		}
		if late == nil {
			s.rest(pause)
		}
		if err := s.warmUp(late, configure); err != nil && !s.over() {
			s.g.cfg.Log.Warn("a spare child did not start", "error", err)
			pause = min(longestPause, 2*pause)
		} else {
			pause = firstPause
		}
	}
}

func (s *spares) over() bool {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	return s.closed
}

// rest waits, but not longer than the spares are wanted.
func (s *spares) rest(d time.Duration) {
	w := s.g.world
	for until := w.Now() + d; !s.over(); {
		left := until - w.Now()
		if left <= 0 {
			return
		}
		s.wake.Wait(left)
	}
}

// warmUp starts a spare, or shows one a new Configure.
func (s *spares) warmUp(c *spare, k *keptTransition) error {
	cfg := s.g.cfg
	if s.over() {
		return nil
	}
	if c == nil {
		p, err := cfg.Start(cfg.Log)
		if err != nil {
			return err
		}
		c = &spare{p: p}
	}
	s.setBusy(c.p)
	err := s.show(c, k)
	s.g.mu.Lock()
	s.busy = nil
	keep := err == nil && !s.closed
	if keep {
		s.warm = append(s.warm, c)
	}
	s.g.mu.Unlock()
	if !keep {
		end(c.p)
	}
	return err
}

func (s *spares) setBusy(p Process) {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	s.busy = p
	if s.closed {
		p.Kill()
	}
}

func (s *spares) show(c *spare, k *keptTransition) error {
	cfg, now := s.g.cfg, s.g.presentScript()
	if c.shown == nil {
		c.edition = now.edition
		if _, err := greet(s.g.world, c.p, s.g.hello(nil, now), cfg.GreetDeadline); err != nil {
			return err
		}
	}
	if now.edition != c.edition {
		if err := sendScript(c.p, now.text); err != nil {
			return err
		}
		c.edition = now.edition
	}
	defer overdue(s.g.world, c.p, cfg.TransitionDeadline)()
	err := replay(c.p, k)
	if errors.Is(err, errDeferred) {
		c.deferred, c.shown = true, nil
		return nil
	}
	c.shown = k
	return err
}

// look sends away spares that died or were stopped. They are silent, so this is all that can be seen. Whoever stops all of
// us for a while is given the time to let them go on.
func (s *spares) look() {
	s.g.mu.Lock()
	if s.closed {
		s.g.mu.Unlock()
		return
	}
	var useless []Process
	var why []error
	warm := s.warm[:0]
	for _, c := range s.warm {
		before := c.stopped
		c.stopped = c.p.Stopped()
		switch {
		case c.p.Gone():
			useless, why = append(useless, c.p), append(why, errGone)
		case before && c.stopped:
			useless, why = append(useless, c.p), append(why, errStopped)
		default:
			warm = append(warm, c)
		}
	}
	s.warm = warm
	s.g.mu.Unlock()
	for i, p := range useless {
		s.g.cfg.Log.Warn(why[i].Error())
		end(p)
		s.wake.Set()
	}
}

// kill ends all spares at once; there will be no others.
func (s *spares) kill() {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	s.closed = true
	for _, c := range s.warm {
		c.p.Kill()
	}
	if s.busy != nil {
		s.busy.Kill()
	}
}

// close ends all spares and returns when they are gone.
func (s *spares) close() {
	s.kill()
	s.wake.Set()
	s.gone.Wait(world.ForEver)
	s.gone.Set() // for who closes once more
	s.g.mu.Lock()
	warm := s.warm
	s.warm = nil
	s.g.mu.Unlock()
	endAll(warm)
}

// endAll ends children, at once.
func endAll(children []*spare) {
	for _, c := range children {
		if c != nil {
			c.p.Kill()
		}
	}
	for _, c := range children {
		if c != nil {
			end(c.p)
		}
	}
}

// end kills a child and waits for its end.
func end(p Process) {
	p.Kill()
	p.Wait()
	p.Close()
}

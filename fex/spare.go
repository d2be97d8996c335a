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
	busy      Process // the one that is being started or shown something
	configure *keptTransition
	closed    bool
}

type spare struct {
	p        Process
	shown    uint64 // the time of the Configure it has seen, 0 if none
	deferred bool   // the script waits to know which worker it is
	edition  int    // of the script it was told
}

// errGone says that a spare died while it waited.
var errGone = errors.New("fex: a spare child died")

// configured tells of a Configure that a worker has taken well. Only from then on are spares of use.
func (s *spares) configured(k *keptTransition) {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	if s.configure == nil || s.configure.time != k.time {
		kept := *k
		s.configure = &kept
		s.wake.Set()
	}
}

// take gives a warm spare, or nil.
func (s *spares) take() *spare {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	if len(s.warm) == 0 {
		return nil
	}
	taken := s.warm[0]
	s.warm = s.warm[1:]
	s.wake.Set()
	return taken
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
		var late *spare // one that has not seen the present Configure
		for i, old := range s.warm {
			if configure != nil && old.shown != configure.time && !old.deferred {
				late = old
				s.warm = append(s.warm[:i], s.warm[i+1:]...)
				break
			}
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
	cfg := s.g.cfg
	if c.shown == 0 {
		var first hello
		first, c.edition = s.g.hello(nil)
		if _, err := greet(s.g.world, c.p, first, cfg.GreetDeadline); err != nil {
			return err
		}
	}
	if now := s.g.presentScript(); now.edition != c.edition {
		if err := sendScript(c.p, now.text); err != nil {
			return err
		}
		c.edition = now.edition
	}
	defer overdue(s.g.world, c.p, cfg.TransitionDeadline)()
	err := replay(c.p, k)
	if errors.Is(err, errDeferred) {
		c.deferred, c.shown = true, 0
		return nil
	}
	c.shown = k.time
	return err
}

// look sends away spares that died. They are silent, so their end is all that can be seen.
func (s *spares) look() {
	s.g.mu.Lock()
	var dead []Process
	warm := s.warm[:0]
	for _, c := range s.warm {
		if c.p.Gone() {
			dead = append(dead, c.p)
		} else {
			warm = append(warm, c)
		}
	}
	s.warm = warm
	s.g.mu.Unlock()
	for _, p := range dead {
		s.g.cfg.Log.Warn(errGone.Error())
		end(p)
		s.wake.Set()
	}
}

// close ends all spares.
func (s *spares) close() {
	s.g.mu.Lock()
	s.closed = true
	warm := s.warm
	s.warm = nil
	if s.busy != nil {
		s.busy.Kill()
	}
	s.g.mu.Unlock()
	s.wake.Set()
	for _, c := range warm {
		end(c.p)
	}
	s.gone.Wait(world.ForEver)
}

// end kills a child and waits for its end.
func end(p Process) {
	p.Kill()
	p.Wait()
	p.Close()
}

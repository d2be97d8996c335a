package serve

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"drp/internal/world"
	"drp/teb"
)

// era is a TEB with the decisions that it has made. All of it is protected by the mutex of the Server.
type era struct {
	t       *teb.TEB
	history []teb.Decision
	count   uint64 // of decisions so far; number n lies at n modulo the length
	lives   uint64 // of contributors so far
	inside  int    // clients that were let in and have not left
	let     bool   // somebody was
	share   string // as those who were let in say, of the events
}

// gathering is a Server that has no TEB yet: what its contributors bring is known when all are there.
type gathering struct {
	names   []string
	make    func([]*teb.Schema) (*teb.TEB, error)
	waiting map[string]*waiter
	making  bool // all were there, and the TEB is being made, which may take longer than a client waits for an answer
	failed  error
	untold  int // of those who waited, how many do not know yet that it failed
}

// waiter is a client that waits for the others.
type waiter struct {
	hello
	done world.Flag // it may go on, or another takes its place
	era  *era
	err  error
}

// NewGathering makes a Server that lets clients in when all contributors of these names are there, and then makes a TEB for
// what they bring. When all have left and one begins anew, it gathers again. A TEB that cannot be made is said to all, and
// by Failed.
func NewGathering(names []string, o Options, makeTEB func([]*teb.Schema) (*teb.TEB, error)) *Server {
	s := newServer(o)
	s.gathering = &gathering{names: names, make: makeTEB, waiting: map[string]*waiter{}}
	return s
}

// Failed gives why no TEB could be made, once all who waited for it were told.
func (s *Server) Failed() <-chan error { return s.failed }

// Books gives those of the present TEB, if there is one.
func (s *Server) Books() (teb.Books, bool) {
	s.mu.Lock()
	now := s.now
	s.mu.Unlock()
	if now == nil {
		return teb.Books{}, false
	}
	return now.t.Books(), true
}

// enter gives the TEB that a client may speak to, which has it inside from here on. It waits for others as long as the
// client does.
func (s *Server) enter(me *session, h *hello) (*era, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.gathering; g != nil && s.now != nil && s.now.let && s.now.inside == 0 && h.from == 0 {
		s.retire()
	}
	if s.now != nil {
		if err := h.agrees(&s.now.share); err != nil {
			return nil, err
		}
		if err := s.claim(me, h); err != nil {
			return nil, err
		}
		s.now.inside++
		return s.now, nil
	}
	w, err := s.wait(me, h)
	if err != nil {
		return nil, err
	}
	s.mu.Unlock()
	w.done.Wait(2 * s.o.Heartbeat)
	s.mu.Lock()
	switch {
	case w.era != nil:
		return w.era, nil
	case w.err != nil:
		return nil, w.err
	}
	if s.gathering == nil {
		return nil, teb.ErrClosed
	}
	g := s.gathering
	later := &LaterError{"it waits for " + strings.Join(g.missing(), ", ")}
	if g.making {
		later.Why = "it begins"
	}
	if g.waiting[h.schema.Name()] == w {
		delete(g.waiting, h.schema.Name())
	}
	return nil, later
}

// wait lets a client wait. The last one lets the TEB be made.
func (s *Server) wait(me *session, h *hello) (*waiter, error) {
	g, name := s.gathering, h.schema.Name()
	switch {
	case g == nil:
		return nil, teb.ErrClosed
	case g.failed != nil:
		return nil, g.failed
	case !slices.Contains(g.names, name):
		return nil, fmt.Errorf("teb: there is no contributor %s in partition %s: there are %s", name, s.o.Partition,
			strings.Join(g.names, ", "))
	}
	for _, w := range g.all() {
		if share := w.part(); w.schema.Name() != name {
			if err := h.agrees(&share); err != nil {
				return nil, err
			}
		}
	}
	if err := s.claim(me, h); err != nil {
		return nil, err
	}
	if old := g.waiting[name]; old != nil {
		old.err = &LaterError{"it came again meanwhile"}
		old.done.Set()
	}
	w := &waiter{hello: *h, done: s.o.World.NewFlag()}
	g.waiting[name] = w
	if g.making || len(g.missing()) > 0 {
		return w, nil
	}
	g.making = true
	var schemas []*teb.Schema
	for _, name := range g.names {
		schemas = append(schemas, g.waiting[name].schema)
	}
	known := g.recalled(nil)
	s.running.Go(func() { s.make(g, schemas, known, w.part()) })
	return w, nil
}

// make makes the TEB for those who wait. Meanwhile they are told to wait, and may come again.
func (s *Server) make(g *gathering, schemas []*teb.Schema, known []teb.Decision, share string) {
	t, err := g.make(schemas)
	s.mu.Lock()
	defer s.mu.Unlock()
	g.making = false
	switch {
	case err != nil:
		g.failed, g.untold = err, max(1, len(g.waiting))
	case s.closed:
		s.running.Go(t.Close)
		return
	default:
		s.begin(t, g.recalled(known))
		s.now.share = share
	}
	for _, w := range g.all() {
		if w.err = err; err == nil {
			w.era = s.now
			s.now.inside++
		}
		w.done.Set()
	}
	clear(g.waiting)
}

// all is who waits, in the order of the names.
func (g *gathering) all() (waiting []*waiter) {
	for _, name := range g.names {
		if w := g.waiting[name]; w != nil {
			waiting = append(waiting, w)
		}
	}
	return waiting
}

func (g *gathering) missing() (names []string) {
	for _, name := range g.names {
		if g.waiting[name] == nil {
			names = append(names, name)
		}
	}
	return names
}

// recalled is what those who wait have decisions for, from a server that is gone, beside what is known: all that was decided
// up to the last of them, as far back as anybody remembers. What one of them gave itself by default counts only where nobody
// knows more.
func (g *gathering) recalled(all []teb.Decision) []teb.Decision {
	for _, w := range g.all() {
		all = append(all, w.known...)
	}
	slices.SortFunc(all, func(a, b teb.Decision) int {
		switch {
		case a.Key().Less(b.Key()), a.Key() == b.Key() && b.Default && !a.Default:
			return -1
		case b.Key().Less(a.Key()), a.Key() == b.Key() && a.Default && !b.Default:
			return 1
		}
		return 0
	})
	return slices.CompactFunc(all, func(a, b teb.Decision) bool { return a.Key() == b.Key() })
}

// close lets nobody wait any more.
func (g *gathering) close() {
	for _, w := range g.all() {
		w.done.Set()
	}
}

// begin serves a TEB. What its clients had decisions for before is not decided again, and those who have none get them.
func (s *Server) begin(t *teb.TEB, known []teb.Decision) {
	e := &era{t: t, history: make([]teb.Decision, s.o.History)}
	if n := len(known); n > 0 {
		t.Begin(known[n-1].Key())
		e.count = uint64(copy(e.history, known[max(0, n-s.o.History):]))
		s.o.Log.Info("the contributors know of decisions of another trigger event builder", "decisions", n)
	}
	s.now = e
	s.running.Go(func() { s.remember(e) })
}

// retire ends the TEB whose clients have all left.
func (s *Server) retire() {
	old := s.now
	s.now = nil
	s.o.Log.Info("all contributors have left, others are waited for", "decided", old.count)
	s.running.Go(old.t.Close)
}

// leave is the end of a client.
func (s *Server) leave(e *era) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.inside--
}

// told notes that a client knows why there is no TEB.
func (s *Server) told() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.gathering; g != nil && g.untold > 0 {
		if g.untold--; g.untold == 0 {
			s.failed <- g.failed
		}
	}
}

// refusal is the answer to a client that is not let in.
func refusal(err error) []byte {
	if later := (*LaterError)(nil); errors.As(err, &later) {
		return append([]byte(laterMagic), later.Why...)
	}
	if taken := (*TakenError)(nil); errors.As(err, &taken) {
		return append([]byte(takenMagic), taken.Why...)
	}
	return append([]byte(refuseMagic), err.Error()...)
}

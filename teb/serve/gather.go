package serve

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"drp/teb"
)

// era is a TEB with the decisions that it has made. All of it is protected by the mutex of the Server.
type era struct {
	t       *teb.TEB
	history []teb.Decision
	count   uint64 // of decisions so far; number n lies at n modulo the length
	over    bool   // no more will come
	inside  int    // clients that were let in and have not left
	let     bool   // somebody was
}

// gathering is a Server that has no TEB yet: what its contributors bring is known when all are there.
type gathering struct {
	names   []string
	make    func([]*teb.Schema) (*teb.TEB, error)
	waiting map[string]*waiter
	failed  error
	untold  int // of those who waited, how many do not know yet that it failed
}

// waiter is a client that waits for the others.
type waiter struct {
	schema *teb.Schema
	done   chan struct{} // closed when it may go on, or another takes its place
	era    *era
	err    error
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
func (s *Server) enter(h *hello) (*era, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.gathering; g != nil && s.now != nil && s.now.let && s.now.inside == 0 && h.from == 0 {
		s.retire()
	}
	if s.now != nil {
		s.now.inside++
		return s.now, nil
	}
	w, err := s.wait(h)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(2 * s.o.Heartbeat)
	defer timer.Stop()
	s.mu.Unlock()
	select {
	case <-w.done:
	case <-timer.C:
	case <-s.closed:
	}
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
	missing := s.gathering.missing()
	if s.gathering.waiting[h.schema.Name()] == w {
		delete(s.gathering.waiting, h.schema.Name())
	}
	return nil, &LaterError{"it waits for " + strings.Join(missing, ", ")}
}

// wait lets a client wait. The last one makes the TEB.
func (s *Server) wait(h *hello) (*waiter, error) {
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
	if old := g.waiting[name]; old != nil {
		old.err = &LaterError{"another one of its name is there"}
		close(old.done)
	}
	w := &waiter{schema: h.schema, done: make(chan struct{})}
	g.waiting[name] = w
	if len(g.missing()) > 0 {
		return w, nil
	}
	var schemas []*teb.Schema
	for _, name := range g.names {
		schemas = append(schemas, g.waiting[name].schema)
	}
	t, err := g.make(schemas)
	if err == nil {
		s.begin(t)
	} else {
		g.failed, g.untold = err, len(g.waiting)
	}
	for _, w := range g.waiting {
		if w.err = err; err == nil {
			w.era = s.now
			s.now.inside++
		}
		close(w.done)
	}
	clear(g.waiting)
	return w, nil
}

func (g *gathering) missing() (names []string) {
	for _, name := range g.names {
		if g.waiting[name] == nil {
			names = append(names, name)
		}
	}
	return names
}

// begin serves a TEB.
func (s *Server) begin(t *teb.TEB) {
	e := &era{t: t, history: make([]teb.Decision, s.o.History)}
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
	return append([]byte(refuseMagic), err.Error()...)
}

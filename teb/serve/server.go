package serve

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"drp/internal/wire"
	"drp/internal/world"
	"drp/teb"
)

// Counts is what became of connections.
type Counts struct {
	Clients  int    `json:"clients"`  // connected now
	Let      uint64 `json:"let"`      // that were let in
	Refused  uint64 `json:"refused"`  // of another partition, with another schema, under a name that is taken, or no clients at all
	Unfit    uint64 `json:"unfit"`    // connections that ended because of what came
	Silent   uint64 `json:"silent"`   // connections that ended by themselves, or of which nothing was heard
	Overrun  uint64 `json:"overrun"`  // that did not take decisions as long as these were remembered
	Repeated uint64 `json:"repeated"` // decisions that were sent again after a client came back
}

// Server lets clients contribute to a TEB, and sends all of them the decisions.
type Server struct {
	o       Options
	pairs   []*wire.Pairs
	running *world.Join
	left    world.Flag // a session has ended
	failed  chan error

	mu        sync.Mutex // protects all below
	closed    bool
	now       *era       // nil until all contributors are there
	gathering *gathering // nil where the TEB came from outside
	sessions  []*session // in the order in which they came
	claims    map[string]*claim
	said      map[string]time.Duration // when it was said that somebody was refused
	counts    Counts
}

// session is a connection. What is said of it is protected by the mutex of the Server.
type session struct {
	Conn
	wake  world.Flag // there are decisions, or it is over
	let   bool       // it is a contributor's
	over  bool
	again bool // it was told to come again
	name  string
	heard bool // something has come
	asked bool // to be told of the values of parameters

	place      int // of the contributor
	generation uint64
}

// NewServer takes the decisions of a TEB, and lets nobody in yet.
func NewServer(t *teb.TEB, o Options) *Server {
	s := newServer(o)
	s.begin(t, nil)
	return s
}

func newServer(o Options) *Server {
	o = o.withDefaults()
	return &Server{o: o, running: world.NewJoin(o.World), left: o.World.NewFlag(), failed: make(chan error, 1),
		claims: map[string]*claim{}, said: map[string]time.Duration{}}
}

// Listen opens an endpoint.
func (s *Server) Listen(e wire.Endpoint) (net.Addr, error) {
	p, address, err := wire.ListenPairs(e, s.o.wire(), func(p *wire.Pair) { s.Serve(pair{p}) })
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.pairs = append(s.pairs, p)
	s.mu.Unlock()
	return address, nil
}

// Counts gives what became of connections so far.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	for _, me := range s.sessions {
		if me.let {
			c.Clients++
		}
	}
	for _, p := range s.pairs {
		c.Refused += p.Refused()
	}
	return c
}

// Close ends all connections, and closes the TEB. It is called once.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	pairs, now := s.pairs, s.now
	if s.gathering != nil {
		s.gathering.close()
		s.gathering = nil
	}
	for _, me := range s.sessions {
		me.Close()
	}
	s.mu.Unlock()
	if now != nil {
		now.t.Close() // contributors that wait in it go on
	}
	for _, p := range pairs {
		p.Close()
	}
	for s.serving() {
		s.left.Wait(world.ForEver)
	}
	s.running.Wait()
}

func (s *Server) serving() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions) > 0
}

// remember keeps the decisions for the clients.
func (s *Server) remember(e *era) {
	some := make([]teb.Decision, batchDecisions)
	for n := e.t.Next(some); n > 0; n = e.t.Next(some) {
		s.mu.Lock()
		for _, d := range some[:n] {
			e.history[e.count%uint64(len(e.history))] = d
			e.count++
		}
		for _, me := range s.sessions {
			me.wake.Set()
		}
		s.mu.Unlock()
	}
}

// Serve talks to whoever connected, from the first message to the last. It is what Listen lets happen to each of them.
func (s *Server) Serve(c Conn) {
	me := &session{Conn: c, wake: s.o.World.NewFlag()}
	defer c.Close()
	if !s.open(me) {
		return
	}
	defer s.shut(me)
	h, err := s.meet(me)
	var e *era
	if err == nil {
		e, err = s.enter(me, &h)
	}
	if err != nil {
		s.turnAway(me, err)
		return
	}
	defer s.leave(e)
	table := textOf(e.t.Table())
	if err := s.join(me, e, &h, sumOf(table)); err != nil {
		s.turnAway(me, err)
		return
	}
	defer e.t.Gone(me.place, me.generation)
	if c.Send(welcome(me.place, me.generation, table)) != nil {
		return
	}
	s.o.Log.Info("a contributor was let in", "contributor", h.schema.Name())
	cause := s.exchange(me, e, &h)
	s.o.Log.Info("a contributor is gone", "contributor", h.schema.Name(), "cause", cause)
}

func (s *Server) open(me *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.sessions = append(s.sessions, me)
	}
	return !s.closed
}

func (s *Server) shut(me *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions = slices.DeleteFunc(s.sessions, func(other *session) bool { return other == me })
	s.release(me)
	s.left.Set()
}

// join begins a life of a contributor, which the server numbers: a clock that is behind, or a number that is made up, keeps
// nobody out.
func (s *Server) join(me *session, e *era, h *hello, rules uint64) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.rules != 0 && h.rules != rules {
		e.let = true // nobody will be, who is of the same run
		return errOtherRules
	}
	e.lives++
	me.generation = e.lives
	me.place, err = e.t.Join(h.schema, e.lives)
	return err
}

// errOtherRules is said to who would take the reasons of decisions for others.
var errOtherRules = errors.New("it has other rules or contributors than when the run was configured: begin the run again")

// exchange takes the rows of a contributor, and sends it decisions, until it has gone; it gives the cause.
func (s *Server) exchange(me *session, e *era, h *hello) error {
	s.mu.Lock()
	s.counts.Let++
	me.let, e.let = true, true
	cursor := e.after(h.from)
	s.counts.Repeated += e.count - cursor
	s.mu.Unlock()
	writer := world.NewJoin(s.o.World)
	writer.Go(func() { s.write(me, e, cursor) })
	err := s.read(me, e.t)
	me.Close()
	s.mu.Lock()
	if isGone(err) || errors.Is(err, teb.ErrClosed) {
		s.counts.Silent++
	} else {
		s.counts.Unfit++
	}
	me.over = true
	s.mu.Unlock()
	me.wake.Set()
	writer.Wait()
	return err
}

// isGone tells an error of a connection from what is wrong with what came.
func isGone(err error) bool {
	var none net.Error
	return errors.As(err, &none) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF)
}

// turnAway lets a client know why it is not let in, unless it is gone. That others are waited for is no news, after the first
// time.
func (s *Server) turnAway(me *session, err error) {
	defer s.told()
	if isGone(err) {
		s.mu.Lock()
		s.counts.Silent++
		s.mu.Unlock()
		return
	}
	later := (*LaterError)(nil)
	me.again = errors.As(err, &later)
	if !me.again {
		s.mu.Lock()
		s.counts.Refused++
		news := s.news(me.name + err.Error())
		s.mu.Unlock()
		if news {
			s.o.Log.Warn("a contributor was refused", "contributor", me.name, "from", peerOf(me.Conn), "error", err)
		}
	}
	s.mu.Lock()
	s.release(me) // before it knows: it may come again at once, and as another process
	s.mu.Unlock()
	_ = me.Send(refusal(err))
}

// meet hears who a client is.
func (s *Server) meet(me *session) (hello, error) {
	m, err := me.Recv(3 * s.o.Heartbeat)
	if err != nil {
		return hello{}, err
	}
	h, err := parseHello(m)
	if err == nil {
		me.name = h.schema.Name()
	}
	if err == nil && h.partition != teb.PartitionID(s.o.Partition) {
		err = fmt.Errorf("it belongs to another partition than %q", s.o.Partition)
	}
	if err == nil && h.from > 0 && s.begins() {
		h.known, err = s.recall(me)
	}
	return h, err
}

// begins tells whether there is no TEB yet, so that nothing is known of what was decided before.
func (s *Server) begins() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now == nil
}

// recall hears what a client has decisions for.
func (s *Server) recall(c Conn) ([]teb.Decision, error) {
	m, err := ask(c, []byte(askMagic), 3*s.o.Heartbeat)
	if err != nil {
		return nil, err
	}
	_, all, err := teb.ParseDecisions(m)
	if err != nil {
		return nil, err
	}
	return slices.Collect(all), nil
}

// after gives the number of the first decision that is remembered and that one who said from wants.
func (e *era) after(from uint64) uint64 {
	n := e.count
	for n > 0 && e.count-n < uint64(len(e.history)) && e.history[(n-1)%uint64(len(e.history))].Pulse+1 >= from {
		n--
	}
	return n
}

// read takes what a client contributes, until it ends.
func (s *Server) read(me *session, t *teb.TEB) error {
	for {
		m, err := me.Recv(3 * s.o.Heartbeat)
		if err != nil {
			return err
		}
		if s.hear(me, m) {
			continue
		}
		if err := t.ContributeAs(me.place, me.generation, m); err != nil {
			return err
		}
	}
}

// hear notes that a client speaks, and tells whether it asks for the values of parameters, which it does first.
func (s *Server) hear(me *session, m []byte) (asks bool) {
	if me.heard { // which this goroutine alone writes
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	me.heard, me.asked = true, isValues(m)
	me.wake.Set()
	return me.asked
}

// write sends decisions, or else a sign of life.
func (s *Server) write(me *session, e *era, cursor uint64) {
	defer me.Close()
	some := make([]teb.Decision, 0, batchDecisions)
	var message []byte
	var told *teb.Settings
	s.awaitQuestion(me, e)
	head := teb.BatchHead{Partition: teb.PartitionID(s.o.Partition)}
	for {
		s.mu.Lock()
		overrun := e.count-cursor > uint64(len(e.history))
		for some = some[:0]; !overrun && cursor < e.count && len(some) < cap(some); cursor++ {
			some = append(some, e.history[cursor%uint64(len(e.history))])
		}
		if overrun {
			s.counts.Overrun++
		}
		over, asked := me.over || overrun, me.asked
		s.mu.Unlock()
		if over {
			return
		}
		if asked {
			var err error
			if told, err = me.tellValues(some, told); err != nil {
				return
			}
		}
		message, _ = teb.AppendDecisions(message[:0], head, some) // it cannot be too many
		head.Sequence++
		if me.Send(message) != nil {
			return
		}
		if len(some) < cap(some) {
			me.wake.Wait(s.o.Heartbeat)
		}
	}
}

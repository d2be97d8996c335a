package serve

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"drp/internal/wire"
	"drp/teb"
)

// Counts is what became of connections.
type Counts struct {
	Clients  int    `json:"clients"`  // connected now
	Let      uint64 `json:"let"`      // that were let in
	Refused  uint64 `json:"refused"`  // of another partition, with another schema, of an earlier generation, or no clients at all
	Unfit    uint64 `json:"unfit"`    // connections that ended because of what came
	Silent   uint64 `json:"silent"`   // connections that ended by themselves, or of which nothing was heard
	Overrun  uint64 `json:"overrun"`  // that did not take decisions as long as these were remembered
	Repeated uint64 `json:"repeated"` // decisions that were sent again after a client came back
}

// Server lets clients contribute to a TEB, and sends all of them the decisions.
type Server struct {
	o       Options
	pairs   []*wire.Pairs
	running sync.WaitGroup
	closed  chan struct{}
	failed  chan error

	mu        sync.Mutex // protects all below
	now       *era       // nil until all contributors are there
	gathering *gathering // nil where the TEB came from outside
	wake      map[*wire.Pair]chan struct{}
	counts    Counts
}

// NewServer takes the decisions of a TEB, and lets nobody in yet.
func NewServer(t *teb.TEB, o Options) *Server {
	s := newServer(o)
	s.begin(t)
	return s
}

func newServer(o Options) *Server {
	return &Server{o: o.withDefaults(), wake: map[*wire.Pair]chan struct{}{}, closed: make(chan struct{}), failed: make(chan error, 1)}
}

// Listen opens an endpoint.
func (s *Server) Listen(e wire.Endpoint) (net.Addr, error) {
	p, address, err := wire.ListenPairs(e, s.o.wire(), s.serve)
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
	c.Clients = len(s.wake)
	for _, p := range s.pairs {
		c.Refused += p.Refused()
	}
	return c
}

// Close ends all connections, and closes the TEB. It is called once.
func (s *Server) Close() {
	close(s.closed)
	s.mu.Lock()
	pairs, now := s.pairs, s.now
	s.gathering = nil
	s.mu.Unlock()
	if now != nil {
		now.t.Close() // contributors that wait in it go on
	}
	for _, p := range pairs {
		p.Close()
	}
	s.running.Wait()
}

// remember keeps the decisions for the clients.
func (s *Server) remember(e *era) {
	some := make([]teb.Decision, batchDecisions)
	for {
		n := e.t.Next(some)
		s.mu.Lock()
		for _, d := range some[:n] {
			e.history[e.count%uint64(len(e.history))] = d
			e.count++
		}
		e.over = n == 0
		for _, w := range s.wake {
			select {
			case w <- struct{}{}:
			default:
			}
		}
		s.mu.Unlock()
		if n == 0 {
			return
		}
	}
}

// serve is a connection, from the first message to the last.
func (s *Server) serve(p *wire.Pair) {
	h, err := s.meet(p)
	var e *era
	if err == nil {
		e, err = s.enter(&h)
	}
	if err != nil {
		s.refuse(p, err)
		return
	}
	defer s.leave(e)
	k, err := e.t.Join(h.schema, h.generation)
	if err != nil {
		s.refuse(p, err)
		return
	}
	defer e.t.Gone(k, h.generation)
	if p.Send(welcome(k, e.t.Table())) != nil {
		return
	}
	s.o.Log.Info("a contributor was let in", "contributor", h.schema.Name())
	wake := make(chan struct{}, 1)
	s.mu.Lock()
	s.counts.Let++
	s.wake[p], e.let = wake, true
	cursor := e.after(h.from)
	s.counts.Repeated += e.count - cursor
	s.mu.Unlock()
	var writer sync.WaitGroup
	done := make(chan struct{})
	writer.Go(func() { s.write(p, e, cursor, wake, done) })
	err = s.read(p, e.t, k, h.generation)
	var none net.Error
	switch {
	case errors.As(err, &none) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, teb.ErrClosed):
		s.tally(func(c *Counts) { c.Silent++ })
	default:
		s.tally(func(c *Counts) { c.Unfit++ })
	}
	s.o.Log.Info("a contributor is gone", "contributor", h.schema.Name(), "cause", err)
	p.Close()
	close(done)
	writer.Wait()
	s.mu.Lock()
	delete(s.wake, p)
	s.mu.Unlock()
}

func (s *Server) tally(f func(*Counts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.counts)
}

// refuse lets a client know why it is not let in. That others are waited for is no news, after the first time.
func (s *Server) refuse(p *wire.Pair, err error) {
	if later := (*LaterError)(nil); !errors.As(err, &later) {
		s.o.Log.Warn("a contributor was refused", "error", err)
		s.tally(func(c *Counts) { c.Refused++ })
	}
	_ = p.Send(refusal(err))
	s.told()
}

// meet hears who a client is.
func (s *Server) meet(p *wire.Pair) (hello, error) {
	m, err := p.Recv(3 * s.o.Heartbeat)
	if err != nil {
		return hello{}, err
	}
	h, err := parseHello(m[0])
	if err == nil && h.partition != teb.PartitionID(s.o.Partition) {
		err = fmt.Errorf("it belongs to another partition than %q", s.o.Partition)
	}
	return h, err
}

// after gives the number of the first decision that is remembered, of this pulse ID or a larger one.
func (e *era) after(pulse uint64) uint64 {
	n := e.count
	for n > 0 && e.count-n < uint64(len(e.history)) && e.history[(n-1)%uint64(len(e.history))].Pulse >= pulse {
		n--
	}
	return n
}

// read takes what a client contributes, until it ends.
func (s *Server) read(p *wire.Pair, t *teb.TEB, k int, generation uint64) error {
	for {
		m, err := p.Recv(3 * s.o.Heartbeat)
		if err != nil {
			return err
		}
		if err := t.ContributeAs(k, generation, m[0]); err != nil {
			return err
		}
	}
}

// write sends decisions, or else a sign of life.
func (s *Server) write(p *wire.Pair, e *era, cursor uint64, wake, done chan struct{}) {
	some := make([]teb.Decision, 0, batchDecisions)
	var message []byte
	head := teb.BatchHead{Partition: teb.PartitionID(s.o.Partition)}
	for {
		s.mu.Lock()
		overrun := e.count-cursor > uint64(len(e.history))
		for some = some[:0]; !overrun && cursor < e.count && len(some) < cap(some); cursor++ {
			some = append(some, e.history[cursor%uint64(len(e.history))])
		}
		over := e.over && cursor == e.count
		if overrun {
			s.counts.Overrun++
		}
		s.mu.Unlock()
		if overrun {
			p.Close()
			return
		}
		message, _ = teb.AppendDecisions(message[:0], head, some) // it cannot be too many
		head.Sequence++
		if p.Send(message) != nil {
			p.Close()
			return
		}
		if len(some) == cap(some) {
			continue
		}
		timer := time.NewTimer(s.o.Heartbeat)
		if over {
			wake = nil
		}
		select {
		case <-wake:
		case <-timer.C:
		case <-done:
		}
		timer.Stop()
		select {
		case <-done:
			return
		default:
		}
	}
}

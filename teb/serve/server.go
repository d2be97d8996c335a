package serve

import (
	"errors"
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
	t       *teb.TEB
	pairs   []*wire.Pairs
	running sync.WaitGroup

	mu      sync.Mutex // protects all below
	history []teb.Decision
	count   uint64 // of decisions so far; number n lies at n modulo the length
	over    bool   // no more will come
	wake    map[*wire.Pair]chan struct{}
	counts  Counts
}

// NewServer takes the decisions of a TEB, and lets nobody in yet.
func NewServer(t *teb.TEB, o Options) *Server {
	s := &Server{o: o.withDefaults(), t: t, wake: map[*wire.Pair]chan struct{}{}}
	s.history = make([]teb.Decision, s.o.History)
	s.running.Go(s.remember)
	return s
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

// Close ends all connections, and closes the TEB.
func (s *Server) Close() {
	s.t.Close() // contributors that wait in it go on
	s.mu.Lock()
	pairs := s.pairs
	s.mu.Unlock()
	for _, p := range pairs {
		p.Close()
	}
	s.running.Wait()
}

// remember keeps the decisions for the clients.
func (s *Server) remember() {
	some := make([]teb.Decision, batchDecisions)
	for {
		n := s.t.Next(some)
		s.mu.Lock()
		for _, d := range some[:n] {
			s.history[s.count%uint64(len(s.history))] = d
			s.count++
		}
		s.over = n == 0
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
	k, h, err := s.admit(p)
	if err != nil {
		s.o.Log.Warn("a contributor was refused", "error", err)
		s.tally(func(c *Counts) { c.Refused++ })
		_ = p.Send(append([]byte(refuseMagic), err.Error()...))
		return
	}
	defer s.t.Gone(k, h.generation)
	if p.Send(welcome(k, s.t.Table())) != nil {
		return
	}
	wake := make(chan struct{}, 1)
	s.mu.Lock()
	s.counts.Let++
	s.wake[p] = wake
	cursor := s.after(h.from)
	s.counts.Repeated += s.count - cursor
	s.mu.Unlock()
	var writer sync.WaitGroup
	done := make(chan struct{})
	writer.Go(func() { s.write(p, cursor, wake, done) })
	err = s.read(p, k, h.generation)
	var none net.Error
	switch {
	case errors.As(err, &none) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, teb.ErrClosed):
		s.tally(func(c *Counts) { c.Silent++ })
	default:
		s.tally(func(c *Counts) { c.Unfit++ })
	}
	s.o.Log.Info("a contributor is gone", "contributor", h.schema.Name(), "error", err)
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

func (s *Server) admit(p *wire.Pair) (int, hello, error) {
	m, err := p.Recv(3 * s.o.Heartbeat)
	if err != nil {
		return 0, hello{}, err
	}
	h, err := parseHello(m[0])
	if err != nil {
		return 0, h, err
	}
	if h.partition != teb.PartitionID(s.o.Partition) {
		return 0, h, errors.New("it belongs to another partition than " + s.o.Partition)
	}
	k, err := s.t.Join(h.schema, h.generation)
	return k, h, err
}

// after gives the number of the first decision that is remembered, of this pulse ID or a larger one.
func (s *Server) after(pulse uint64) uint64 {
	n := s.count
	for n > 0 && s.count-n < uint64(len(s.history)) && s.history[(n-1)%uint64(len(s.history))].Pulse >= pulse {
		n--
	}
	return n
}

// read takes what a client contributes, until it ends.
func (s *Server) read(p *wire.Pair, k int, generation uint64) error {
	for {
		m, err := p.Recv(3 * s.o.Heartbeat)
		if err != nil {
			return err
		}
		if err := s.t.ContributeAs(k, generation, m[0]); err != nil {
			return err
		}
	}
}

// write sends decisions, or else a sign of life.
func (s *Server) write(p *wire.Pair, cursor uint64, wake, done chan struct{}) {
	some := make([]teb.Decision, 0, batchDecisions)
	var message []byte
	head := teb.BatchHead{Partition: teb.PartitionID(s.o.Partition)}
	for {
		s.mu.Lock()
		overrun := s.count-cursor > uint64(len(s.history))
		for some = some[:0]; !overrun && cursor < s.count && len(some) < cap(some); cursor++ {
			some = append(some, s.history[cursor%uint64(len(s.history))])
		}
		over := s.over && cursor == s.count
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

package monitor

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"drp/internal/pace"
	"drp/internal/rundir"
	"drp/internal/wire"
	"drp/shm"
	"drp/xtc"
)

// Config says what a Server serves.
type Config struct {
	Name       string // PARTITION/DETECTOR
	EventBytes int    // the largest event
	Slots      int    // 0: as many as 128 MiB hold, but 8 to 4096
	Publisher  string // of constants, whose place BeginRun tells
	// Layout gives equal numbers to events whose fields lie at equal places, 0 for none. It is called by Publish.
	Layout func(xtc.Dgram) uint32
	Log    *slog.Logger

	// Of simulations.
	Alone bool             // nobody can connect
	Now   func() time.Time // nil is time.Now
}

// Times.
const (
	helloPatience = 5 * time.Second
	lookEvery     = time.Second // at whether consumers live
	endPatience   = time.Second // for consumers to be told of the end
	mostConsumers = 128

	greetedPerSecond = 20 // who come as fast as they can, and leave
)

// Server publishes the events of a run. A nil Server has nobody who listens.
type Server struct {
	cfg      Config
	ring     *ring
	listener net.Listener
	unlisten func()
	running  sync.WaitGroup
	stop     chan struct{}

	listening atomic.Int32 // consumers, so that nobody who publishes for nobody takes the mutex

	mu          sync.Mutex // protects all below, and the consumers
	audience    audience
	holding     state
	transitions uint64
	closed      bool
	books       Books
}

// Books count what was published since the start.
type Books struct {
	Consumers int64 `json:"consumers"` // that ever were
	Refused   int64 `json:"refused"`   // since there were too many, or they asked for nonsense
	Published int64 `json:"published"` // events that were copied
	Held      int64 `json:"held"`      // not, since consumers held all slots
	TooLarge  int64 `json:"too_large"` // not, since they do not fit a slot
	Entries   int64 `json:"entries"`   // events that were given to a consumer, for each
	Missed    int64 `json:"missed"`    // that a consumer chose and had no room for, for each
}

// Path is where the socket of a name lies.
func Path(name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	return filepath.Join(rundir.Base(), rundir.Monitor, strings.Replace(name, "/", "+", 1)), nil
}

// New makes the memory and listens.
func New(cfg Config) (*Server, error) {
	path, err := Path(cfg.Name)
	if err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{cfg: cfg, stop: make(chan struct{}), audience: audience{every: sweepTime, now: cfg.Now}}
	if s.ring, err = newRing(cfg.Slots, cfg.EventBytes, cfg.Now); err != nil {
		return nil, err
	}
	if cfg.Alone {
		s.unlisten = func() {}
		return s, nil
	}
	if _, err := rundir.Shared(rundir.Monitor); err != nil {
		return nil, errors.Join(err, s.ring.seg.Close())
	}
	if s.listener, s.unlisten, err = (wire.Endpoint{Path: path}).Listen(); err != nil {
		return nil, errors.Join(fmt.Errorf("monitor: %s: %w", cfg.Name, err), s.ring.seg.Close())
	}
	s.listener = wire.Paced(s.listener, &pace.Pace{Few: mostConsumers, Gap: time.Second / greetedPerSecond})
	s.running.Go(s.accept)
	s.running.Go(s.look)
	return s, nil
}

// Offer counts an event, and tells whether anybody gets it; then Publish must follow.
func (s *Server) Offer(f *Facts) bool {
	if s == nil {
		return false
	}
	a := &s.audience
	if a.offered++; s.listening.Load() == 0 {
		return false
	}
	came := a.changed.Load()
	if !came && !a.count(f) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a.settle()
	if came {
		a.meet()
		a.count(f)
		a.settle()
	}
	return a.offer()
}

// Publish copies an event that was offered just before.
func (s *Server) Publish(e *Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(e.Dgram)+len(e.Added) > s.ring.room() {
		if s.books.TooLarge++; s.books.TooLarge == 1 {
			s.cfg.Log.Warn(fmt.Sprintf("an event of %d bytes cannot be watched: monitors have room for %d", len(e.Dgram)+len(e.Added),
				s.ring.room()))
		}
		s.audience.pass()
		return
	}
	slot, free := s.ring.take(s.audience.all)
	if !free {
		s.books.Held++
		s.audience.pass()
		return
	}
	seq := s.ring.fill(slot, e, s.cfg.Layout)
	s.books.Published++
	s.books.Entries += s.audience.push(seq, s.transitions, slot)
}

// Transition publishes a transition, which is copied.
func (s *Server) Transition(e *Event) {
	if s == nil {
		return
	}
	t := &transition{kind: frameTransition, dgram: make(xtc.Dgram, len(e.Dgram)+len(e.Added))}
	e.putTo(t.dgram)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.audience.settle()
	s.transitions++
	t.number = s.transitions
	s.holding = s.holding.apply(t)
	for _, c := range s.audience.all {
		c.tell(t, s.holding)
	}
}

// Books are up to this moment.
func (s *Server) Books() Books {
	if s == nil {
		return Books{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.books
	b.Missed += s.audience.missed()
	return b
}

// Consumer is one who watches now.
type Consumer struct {
	Number int64  `json:"number"` // among all that ever were, from 1
	PID    int    `json:"pid"`
	Name   string `json:"name"` // as he calls himself
	Choice Choice `json:"choice"`

	Offered  uint64 `json:"offered"`  // events that he chose, since he came
	Entries  uint64 `json:"entries"`  // that he was given
	Missed   uint64 `json:"missed"`   // that he was not, since he had no room
	Waiting  uint64 `json:"waiting"`  // that he has not looked at
	Restarts uint64 `json:"restarts"` // how often he was so far behind that he lost transitions
}

// Consumers are those who watch at this moment.
func (s *Server) Consumers() (all []Consumer) {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.audience.all {
		all = append(all, Consumer{Number: c.number, PID: c.owner.PID, Name: c.name, Choice: c.choice, Offered: c.ordinal(), Entries: c.entries,
			Missed: c.ordinal() - c.entries, Waiting: min(c.entries-c.tail.Load(), c.window), Restarts: c.restarts})
	}
	return all
}

// look ends the connections of consumers that are dead and whose sockets are held open by others, as by what they forked.
func (s *Server) look() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		all := slices.Clone(s.audience.all)
		s.mu.Unlock()
		for _, c := range all { // which takes a while, and whoever publishes shall not wait for it
			if !c.owner.Alive() {
				_ = c.conn.Close()
			}
		}
	}
}

// Close tells all that the run has ended, and ends everything. Whoever publishes has ended before.
func (s *Server) Close() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.audience.settle()
	end := &transition{kind: frameEnd, number: s.transitions + 1}
	for _, c := range s.audience.all {
		c.tell(end, s.holding)
		if c.conn != nil {
			_ = c.conn.SetWriteDeadline(time.Now().Add(endPatience))
		}
	}
	s.mu.Unlock()
	s.unlisten()
	close(s.stop)
	s.running.Wait()
	return s.ring.seg.Close()
}

// Why somebody is not let in.
var (
	errFull  = fmt.Errorf("there are %d already, which is the most", mostConsumers)
	errEnded = errors.New("the run has ended")
)

// join lets a consumer in. What holds is the first that he is told of.
func (s *Server) join(r *request, pid int, conn net.Conn) (*consumer, error) {
	owner, err := shm.OwnerOf(pid)
	if err != nil {
		return nil, err
	}
	c, err := newConsumer(r, owner, conn, len(s.ring.kept))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.audience.all) >= mostConsumers {
		err = errFull
		if s.closed {
			err = errEnded
		}
		return nil, errors.Join(err, c.queue.Close())
	}
	c.begin(s.holding, s.transitions)
	s.audience.add(c)
	s.books.Consumers++
	c.number = s.books.Consumers
	s.listening.Store(int32(len(s.audience.all)))
	return c, nil
}

// leave forgets a consumer, and with him what he holds.
func (s *Server) leave(c *consumer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.books.Missed += int64(c.ordinal() - c.entries)
	s.audience.remove(c)
	s.listening.Store(int32(len(s.audience.all)))
	_ = c.queue.Close()
	c.queue, c.mem = nil, nil
}

package karabo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"drp/internal/wire"
)

// Stream is a run that is watched.
type Stream interface {
	// Next gives the next event or transition, which is valid until Next or Release is called. At the end of the run it fails
	// with io.EOF, and with another error when that has died.
	Next(context.Context) (Event, error)
	Release()
	Close() error
}

// Config says what a Server shows.
type Config struct {
	Name string // with which the names of sources begin
	// Watch begins to watch a run, and waits for it. It fails only when its context ends.
	Watch func(context.Context) (Stream, error)
	Log   *slog.Logger // nobody is told when it is nil
}

// Socket is where clients connect to.
type Socket struct {
	Kind     wire.OutletKind
	Endpoint wire.Endpoint
}

// Bounds of what clients can take.
const (
	mostClients = 64          // of a socket; each may have one message under way
	patience    = time.Minute // for one that takes nothing
	idleTime    = time.Second // without anybody, after which the run is not watched any more
	loggedOften = 10          // lines in a second about clients that come and go
)

// Server shows events at its sockets.
type Server struct {
	cfg     Config
	sockets []*socket
	quiet   quiet
}

// socket is one of them, with its own place among those who watch.
type socket struct {
	Socket
	address net.Addr
	outlet  *wire.Outlet
	given   atomic.Uint64
	missed  atomic.Uint64
}

// Books are of one socket, up to this moment.
type Books struct {
	Kind      wire.OutletKind
	Address   string
	Events    uint64 // that were given to anybody
	Missed    uint64 // that came when nobody had room for them
	Refused   uint64 // clients
	Consumers []wire.Consumer
}

// Listen opens the sockets.
func Listen(cfg Config, sockets ...Socket) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg}
	for _, at := range sockets {
		k := &socket{Socket: at}
		o := wire.OutletOptions{Options: wire.Options{Log: cfg.Log, Patience: patience, Peers: mostClients}, Request: "next",
			Met: func(c wire.Consumer) { s.met(k, c) }}
		var err error
		if k.outlet, k.address, err = wire.NewOutlet(at.Kind, at.Endpoint, o); err != nil {
			s.close()
			return nil, fmt.Errorf("karabo: %w", err)
		}
		s.sockets = append(s.sockets, k)
	}
	return s, nil
}

// Run shows events until its context ends; then all connections have ended, too.
func (s *Server) Run(ctx context.Context) {
	defer s.close()
	var running sync.WaitGroup
	for _, k := range s.sockets {
		running.Go(func() {
			for ctx.Err() == nil {
				s.serve(ctx, k)
			}
		})
	}
	running.Wait()
}

func (s *Server) close() {
	for _, k := range s.sockets {
		k.outlet.Close()
	}
}

// serve waits for somebody who is ready and for a run, and shows that to its end, or as long as anybody is there.
func (s *Server) serve(ctx context.Context, k *socket) {
	if k.outlet.Ready(ctx) != nil {
		return
	}
	stream, err := s.cfg.Watch(ctx)
	if err != nil {
		return
	}
	defer func() { _ = stream.Close() }()
	switch err := s.show(ctx, k, stream); {
	case errors.Is(err, io.EOF):
		s.cfg.Log.Info(fmt.Sprintf("karabo: the run of %s has ended; clients get the next one's events", s.cfg.Name))
	case err != nil && ctx.Err() == nil:
		s.cfg.Log.Warn(fmt.Sprintf("karabo: the run of %s is lost; clients get the next one's events", s.cfg.Name), "error", err)
	}
}

// show gives events to whoever is ready; without an error, when nobody is there any more.
func (s *Server) show(ctx context.Context, k *socket, stream Stream) error {
	e := NewEncoder(s.cfg.Name)
	for {
		ev, err := stream.Next(ctx)
		if err != nil {
			return err
		}
		if !ev.Dgram.Service().IsEvent() {
			if err := e.Transition(ev.Dgram); err != nil {
				s.cfg.Log.Warn("karabo: a transition makes no sense, and what it tells is left out", "error", err)
			}
			continue
		}
		if k.outlet.Give(e.Event(&ev)) > 0 {
			k.given.Add(1)
		}
		k.missed.Add(ev.Missed)
		stream.Release()
		for ready := false; !ready; {
			waiting, done := context.WithTimeout(ctx, idleTime)
			ready = k.outlet.Ready(waiting) == nil
			done()
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if !ready && len(k.outlet.Consumers()) == 0 {
				return nil
			}
		}
	}
}

// Books are of each socket.
func (s *Server) Books() (all []Books) {
	for _, k := range s.sockets {
		all = append(all, Books{Kind: k.Kind, Address: k.name(), Events: k.given.Load(), Missed: k.missed.Load(),
			Refused: k.outlet.Refused(), Consumers: k.outlet.Consumers()})
	}
	return all
}

// name is how clients write the address.
func (k *socket) name() string {
	if k.Endpoint.Path != "" {
		return k.Endpoint.String()
	}
	return "tcp://" + k.address.String()
}

// met says who has come and who is gone.
func (s *Server) met(k *socket, c wire.Consumer) {
	told, before := s.quiet.allows()
	if before > 0 {
		s.cfg.Log.Info(fmt.Sprintf("karabo: %d more times clients have come or gone", before))
	}
	if !told {
		return
	}
	who := fmt.Sprintf("karabo: %s: client %s", k.Kind, c.Address)
	switch {
	case !c.Left:
		s.cfg.Log.Info(who + " has connected")
	case c.Why != nil:
		s.cfg.Log.Warn(who+" was cut off after "+gotten(c), "error", c.Why)
	default:
		s.cfg.Log.Info(who + " has left after " + gotten(c))
	}
}

func gotten(c wire.Consumer) string {
	text := fmt.Sprintf("%d events, %.1f MB", c.Messages, float64(c.Bytes)/1e6)
	if c.Dropped > 0 {
		text += fmt.Sprintf(", %d more that it had no room for", c.Dropped)
	}
	if c.Bad > 0 {
		text += fmt.Sprintf(", %d requests that are none", c.Bad)
	}
	return text
}

// quiet bounds the lines of a second, so that nobody can fill the log.
type quiet struct {
	mu     sync.Mutex // protects what follows
	second int64
	lines  int
}

// allows tells whether one may be written, and how many were not, up to the second before.
func (q *quiet) allows() (told bool, before int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now := time.Now().Unix(); now != q.second {
		before = max(0, q.lines-loggedOften)
		q.second, q.lines = now, 0
	}
	q.lines++
	return q.lines <= loggedOften, before
}

package wire

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/go-zeromq/zmq4"
)

// Sub receives what a Pub, or any PUB of ZeroMQ, sends. It connects when it is asked for a message, and again whenever
// the connection is lost.
type Sub struct {
	o        Options
	endpoint Endpoint
	topics   []string

	mu     sync.Mutex // protects conn and closed
	conn   *conn
	closed bool
	count  int
}

// Message is what was received.
type Message struct {
	Topic      string
	Frames     [][]byte // after the topic
	Connection int      // how many times it was connected: a new number is a new connection
}

// NewSub makes a Sub for topics that begin like one of these; none is all.
func NewSub(e Endpoint, o Options, topics ...string) (*Sub, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	if len(topics) == 0 {
		topics = []string{""}
	}
	for _, t := range topics {
		if len(t) > topicBytes || len(topics) > topicsPerPeer {
			return nil, fmt.Errorf("wire: up to %d topics of up to %d bytes are possible", topicsPerPeer, topicBytes)
		}
	}
	return &Sub{o: o.withDefaults(), endpoint: e, topics: topics}, nil
}

// Pauses between attempts to connect.
const (
	firstPause = 10 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

// Recv waits for the next message. It gives an error only when ctx has ended or the Sub was closed. A connection in use
// when ctx ends is given up, since it may stand within a message.
func (s *Sub) Recv(ctx context.Context) (Message, error) {
	for pause := firstPause; ; {
		c, err := s.connected(ctx)
		if err != nil && ctx.Err() == nil && s.o.Unanswered != nil && !s.isClosed() {
			s.o.Unanswered(err)
		}
		if err == nil {
			stop := context.AfterFunc(ctx, func() { _ = c.Close() })
			var frames [][]byte
			frames, err = c.receive()
			stop()
			if err == nil {
				return Message{string(frames[0]), frames[1:], s.count}, nil
			}
			s.drop(c)
			pause = firstPause
		}
		if ctx.Err() != nil {
			return Message{}, ctx.Err()
		}
		if s.isClosed() {
			return Message{}, ErrClosed
		}
		s.o.Log.Debug("no connection", "endpoint", s.endpoint.String(), "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
		pause = min(2*pause, lastPause)
	}
}

// connected gives the connection, a new one if there is none.
func (s *Sub) connected(ctx context.Context) (*conn, error) {
	s.mu.Lock()
	c, closed := s.conn, s.closed
	s.mu.Unlock()
	if c != nil || closed {
		if closed {
			return nil, ErrClosed
		}
		return c, nil
	}
	raw, err := s.endpoint.Dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	if c, err = open(raw, zmq4.Sub, false, &s.o); err != nil {
		return nil, err
	}
	for _, t := range s.topics {
		if err := c.send(append([]byte{1}, t...)); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = c.Close()
		return nil, ErrClosed
	}
	s.conn = c
	s.count++
	return c, nil
}

func (s *Sub) drop(c *conn) {
	_ = c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = nil
}

func (s *Sub) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Close ends the connection, and a Recv that waits. It may be called again.
func (s *Sub) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.conn != nil {
		_ = s.conn.Close()
	}
}

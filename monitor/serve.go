package monitor

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"drp/internal/wire"
	"drp/shm"
)

// accept lets consumers in until the listener is closed.
func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // too many open files, for one
			s.cfg.Log.Warn("nobody can watch", "monitor", s.cfg.Name, "error", err)
			select {
			case <-s.stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		s.running.Go(func() { s.serve(conn) })
	}
}

// serve is the life of one consumer.
func (s *Server) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	pid, err := wire.Peer(conn)
	if err != nil {
		s.cfg.Log.Warn("somebody may not watch", "monitor", s.cfg.Name, "error", err)
		return
	}
	_ = conn.SetDeadline(time.Now().Add(helloPatience))
	r, err := readRequest(conn)
	var c *consumer
	if err == nil {
		c, err = s.join(r, pid, conn)
	}
	if err != nil {
		s.mu.Lock()
		s.books.Refused++
		s.mu.Unlock()
		_ = (&frame{kind: frameRefused, payload: []byte(err.Error())}).write(conn)
		return
	}
	defer s.leave(c)
	s.cfg.Log.Info(fmt.Sprintf("%s is watched by process %d (%s)", s.cfg.Name, pid, c.name))
	s.running.Go(func() { // whoever watches says nothing more, so this is the end of him
		_, _ = conn.Read(make([]byte, 1))
		_ = conn.Close()
		close(c.gone)
	})
	told := hello{Version: Version, Publisher: s.cfg.Publisher,
		Data:  place{ID: s.ring.seg.ID(), Offset: shm.HeaderBytes, Count: len(s.ring.kept), Bytes: s.ring.slotBytes},
		Queue: place{ID: c.queue.ID(), Offset: shm.HeaderBytes + queueEntries, Count: queueLength, Bytes: entryBytes}}
	text, err := json.Marshal(&told)
	if err == nil {
		err = (&frame{kind: frameHello, payload: text}).write(conn)
	}
	if err == nil {
		s.undue(conn)
		s.speak(c)
	}
	_ = conn.Close()
	<-c.gone
}

// undue takes the deadline of the greeting back, unless all is about to end.
func (s *Server) undue(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = conn.SetReadDeadline(time.Time{})
	if !s.closed {
		_ = conn.SetWriteDeadline(time.Time{})
	}
}

// speak tells a consumer what there is to be told, until he is gone or all has ended.
func (s *Server) speak(c *consumer) {
	for {
		select {
		case <-c.bell:
		case <-c.gone:
			return
		}
		for {
			s.mu.Lock()
			f, some := c.take()
			s.mu.Unlock()
			if !some {
				break
			}
			if f.write(c.conn) != nil || f.kind == frameEnd {
				return
			}
		}
	}
}

var errRequest = errors.New("what was asked for makes no sense: it is one line of JSON of up to 4096 bytes")

func readRequest(r io.Reader) (*request, error) {
	line, err := bufio.NewReaderSize(io.LimitReader(r, maxHelloBytes), maxHelloBytes).ReadBytes('\n')
	if err != nil {
		return nil, errRequest
	}
	var q request
	if err := json.Unmarshal(line, &q); err != nil {
		return nil, fmt.Errorf("%w: %w", errRequest, err)
	}
	if q.Version != Version {
		return nil, fmt.Errorf("this drp speaks version %d of the monitor protocol, and who asks version %d: install the same version",
			Version, q.Version)
	}
	q.Name = printable(q.Name)
	return &q, nil
}

// printable is a name that can be shown anywhere.
func printable(name string) string {
	const most = 80
	var b []rune
	for _, r := range name {
		if len(b) == most {
			break
		}
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			r = '?'
		}
		b = append(b, r)
	}
	return string(b)
}

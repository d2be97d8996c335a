package serve

import (
	"fmt"
	"maps"
	"time"
)

// claim is the process that contributes under a name: nobody else does while it is heard. All of it is protected by the mutex
// of the Server.
type claim struct {
	process uint64
	from    string
	me      *session      // its connection; nil once that has ended
	until   time.Duration // of one that was told to come again, how long its name is kept
}

// claim gives a name to a process, unless another one has it. A connection of which nothing is heard ends after three
// heartbeats, so that one that is there is heard; of the same process the latest counts, since it has given up the others.
func (s *Server) claim(me *session, h *hello) error {
	name, from := h.schema.Name(), peerOf(me.Conn)
	if old := s.claims[name]; old != nil && old.process != h.process && (old.me != nil || s.o.World.Now() < old.until) {
		return &TakenError{fmt.Sprintf("%s is connected already, from %s: another process contributes as %s", name, old.from, name)}
	}
	s.claims[name] = &claim{process: h.process, from: from, me: me}
	return nil
}

// release gives the name of a connection that has ended free, at once or when its process has had time to come again.
func (s *Server) release(me *session) {
	for name, c := range s.claims {
		switch {
		case c.me != me:
		case me.again:
			c.me, c.until = nil, s.o.World.Now()+s.o.Heartbeat
		default:
			delete(s.claims, name)
		}
	}
}

// peerOf says where a connection comes from.
func peerOf(c Conn) string {
	if p, ok := c.(interface{ Peer() string }); ok {
		return p.Peer()
	}
	return "elsewhere"
}

// Somebody who is refused may come again at once, and others with something else.
const (
	sayAgain = time.Minute
	mostSaid = 64
)

// news tells whether a refusal was not said for a while; all of them are counted.
func (s *Server) news(text string) bool {
	now := s.o.World.Now()
	maps.DeleteFunc(s.said, func(_ string, at time.Duration) bool { return now-at >= sayAgain })
	if _, said := s.said[text]; said || len(s.said) >= mostSaid {
		return false
	}
	s.said[text] = now
	return true
}

package monitor

import (
	"os"

	"drp/shm"
)

// Seat is a consumer in the process of the server: what a simulation needs of one, without a socket. It is read and written
// as a consumer's memory is.
type Seat struct {
	server *Server
	c      *consumer
	data   *shm.View
}

// Sit lets one in. He must leave, also when the server is closed.
func (s *Server) Sit(choose Choice, name string) (*Seat, error) {
	c, err := s.join(&request{Version: Version, Choose: choose, Name: name}, os.Getpid(), nil)
	if err != nil {
		return nil, err
	}
	t := &Seat{server: s, c: c}
	if t.data, err = shm.Attach(s.ring.seg.ID()); err != nil {
		t.server.leave(c)
		return nil, err
	}
	return t, nil
}

// Queue is the memory that he shares with the server, and may write.
func (t *Seat) Queue() []byte { return t.c.mem }

// Slot is one of those that events lie in.
func (t *Seat) Slot(i int) []byte {
	n := t.server.ring.slotBytes
	return t.data.Bytes()[i*n:][:n]
}

// Told is what would come by the socket next.
type Told struct {
	Begins bool // anew, with the transitions that hold: what was told before is of no more use
	End    bool
	Number uint64 // of a transition
	At     uint64 // entries of the queue that come before it
	Dgram  []byte
}

// Told gives what there is to be told.
func (t *Seat) Told() (told Told, some bool) {
	t.server.mu.Lock()
	defer t.server.mu.Unlock()
	for {
		f, some := t.c.take()
		if !some || f.kind != frameWake {
			return Told{f.kind == frameRestart, f.kind == frameEnd, f.number, f.at, f.payload}, some
		}
	}
}

// Leave ends it, as when a consumer is gone.
func (t *Seat) Leave() {
	t.server.leave(t.c)
	_ = t.data.Close()
}

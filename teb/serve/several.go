package serve

import (
	"errors"
	"fmt"
	"reflect"
	"sync"

	"drp/internal/world"
	"drp/teb"
)

// Several is a contributor's Clients of several Servers that share the events of a partition by pulse ID. Each event goes to
// the one that decides it, and each transition to all. The decisions come in the order of the rows.
type Several struct {
	clients []*Client
	more    world.Flag // a row was contributed
	room    world.Flag // decisions were taken

	mu          sync.Mutex // protects all below
	closed      bool
	owners      []int8 // a ring: who decides each row whose decision was not taken
	first, last uint64
}

// everyone decides a transition.
const everyone = -1

// MaxServers is how many may share the events.
const MaxServers = 64

// NewSeveral lets Clients of up to as many rows as each of them be one. They have the same schema, and Options.Share in order.
func NewSeveral(clients []*Client) (*Several, error) {
	if n := len(clients); n < 1 || n > MaxServers {
		return nil, fmt.Errorf("teb: %d servers: 1 to %d may share the events", n, MaxServers)
	}
	for i, c := range clients {
		if c.o.Share != i || c.o.Shares != len(clients) {
			return nil, fmt.Errorf("teb: server %d of %d is told that it is number %d of %d", i, len(clients), c.o.Share, c.o.Shares)
		}
		if !reflect.DeepEqual(c.table, clients[0].table) {
			return nil, errors.New("teb: the servers that share the events have other rules or contributors: start all with the same")
		}
	}
	w := clients[0].o.World
	return &Several{clients: clients, more: w.NewFlag(), room: w.NewFlag(), owners: make([]int8, clients[0].o.Window)}, nil
}

// Table is what the numbers in decisions mean.
func (s *Several) Table() teb.Table { return s.clients[0].table }

// Contribute is as that of a Client.
func (s *Several) Contribute(row []byte) error {
	h, owner := teb.HeadOf(row), int8(everyone)
	if h.Service.IsEvent() {
		owner = int8(teb.Owner(h.Pulse, len(s.clients)))
	}
	for !s.put(owner) {
		s.room.Wait(world.ForEver)
	}
	s.more.Set()
	for i, c := range s.clients {
		if owner == everyone || int(owner) == i {
			if err := c.Contribute(row); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Several) put(owner int8) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := uint64(len(s.owners))
	if s.last-s.first == size && !s.closed {
		return false
	}
	s.owners[s.last%size] = owner
	s.last++
	return true
}

// Next is as that of a Client.
func (s *Several) Next(dst []teb.Decision) int {
	for {
		owner, rows, closed := s.oldest(len(dst))
		switch {
		case closed || len(dst) == 0:
			return 0
		case rows == 0:
			s.more.Wait(world.ForEver)
			continue
		case owner == everyone:
			rows = s.transition(&dst[0])
		default:
			rows = s.clients[owner].Next(dst[:rows])
		}
		s.mu.Lock()
		s.first += uint64(rows)
		s.mu.Unlock()
		s.room.Set()
		return rows
	}
}

// oldest gives who decides the oldest rows, and how many of them up to a number.
func (s *Several) oldest(most int) (owner int8, rows int, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := uint64(len(s.owners))
	for n := s.first; n < s.last && rows < most; n++ {
		switch o := s.owners[n%size]; {
		case rows == 0:
			owner = o
		case o != owner || owner == everyone:
			return owner, rows, s.closed
		}
		rows++
	}
	return owner, rows, s.closed
}

// transition joins what all say of one: it is complete when it is so everywhere.
func (s *Several) transition(d *teb.Decision) int {
	var one [1]teb.Decision
	for i, c := range s.clients {
		if c.Next(one[:]) == 0 {
			return 0
		}
		if i == 0 {
			*d = one[0]
			continue
		}
		d.Contributions &= one[0].Contributions
		d.Damage |= one[0].Damage
		if one[0].Default {
			d.Default, d.Reason = true, teb.ReasonDefault
		}
	}
	return 1
}

// Books gives those of the Clients, in their order.
func (s *Several) Books() (all []ClientBooks) {
	for _, c := range s.clients {
		all = append(all, c.Books())
	}
	return all
}

// Close ends at once.
func (s *Several) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for _, c := range s.clients {
		c.Close()
	}
	s.more.Set()
	s.room.Set()
}

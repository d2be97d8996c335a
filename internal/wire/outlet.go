package wire

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/go-zeromq/zmq4"
)

// OutletKind is the kind of socket of an Outlet.
type OutletKind string

// The kinds. Each request to a Reply, and each message of a Push, goes to one peer; one of a Publish to all who have subscribed.
const (
	Reply   OutletKind = "REP"
	Publish OutletKind = "PUB"
	Push    OutletKind = "PUSH"
)

// OutletOptions say who may ask an Outlet for what.
type OutletOptions struct {
	Options
	Request string         // which a Reply answers with the next message; another one gets an error
	Met     func(Consumer) // is told of each peer that comes and goes; may be nil
}

// Consumer is a peer of an Outlet.
type Consumer struct {
	Address  string
	Since    time.Time
	Messages uint64 // that it was given
	Bytes    uint64
	Dropped  uint64 // that it had subscribed to and had no room for
	Bad      uint64 // requests that were refused
	Left     bool
	Why      error // why it was cut off, nil if it went by itself
}

// Outlet gives messages to those who have connected. Give and Ready belong to one goroutine; the rest may be called
// concurrently. There is no queue: a message goes to those who have room for it at that moment, and a peer has room when it has
// taken the one before.
type Outlet struct {
	kind    OutletKind
	o       OutletOptions
	pairs   *Pairs
	changed chan struct{} // holds one token when somebody may have become ready

	mu     sync.Mutex // protects what follows, and the takers
	takers []*taker   // who was served last is at the end
}

// NewOutlet opens an endpoint, and gives its address.
func NewOutlet(kind OutletKind, e Endpoint, o OutletOptions) (*Outlet, net.Addr, error) {
	out := &Outlet{kind: kind, o: o, changed: make(chan struct{}, 1)}
	pairs, addr, err := listenPairs(zmq4.SocketType(kind), e, o.Options, out.serve)
	out.pairs = pairs
	return out, addr, err
}

// Ready waits until somebody would take a message.
func (o *Outlet) Ready(ctx context.Context) error {
	for {
		o.mu.Lock()
		some := slices.ContainsFunc(o.takers, o.ready)
		o.mu.Unlock()
		if some {
			return nil
		}
		select {
		case <-o.changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ready tells whether a peer can be given something. It is called with the lock.
func (o *Outlet) ready(t *taker) bool {
	switch {
	case t.busy:
		return false
	case o.kind == Reply:
		return len(t.asks) > 0
	}
	return o.kind == Push || len(t.topics) > 0
}

// Give gives a message, whose frames are of one or several pieces each, to those who are ready, and tells how many these are.
// When it returns nothing of the message is needed any more, whether they have taken it or not.
func (o *Outlet) Give(frames [][][]byte) (takers int) {
	if len(frames) == 0 || len(frames[0]) == 0 {
		return 0
	}
	message := lend(frames)
	var back sync.WaitGroup
	o.mu.Lock()
	for _, t := range slices.Clone(o.takers) {
		if o.kind == Publish && !t.wants(frames[0][0]) {
			continue
		}
		if !o.ready(t) {
			if o.kind == Publish {
				t.Dropped++
			}
			continue
		}
		takers++
		back.Add(1)
		t.busy = true
		g := gift{message: message, back: back.Done}
		if o.kind == Reply {
			g.envelope, t.asks = t.asks[0], t.asks[1:]
		}
		t.work <- g // there is room, since it was not busy
		if o.kind != Publish {
			o.last(t)
			break
		}
	}
	o.mu.Unlock()
	back.Wait()
	return takers
}

// last puts one at the end, so that others come first the next time.
func (o *Outlet) last(t *taker) {
	at := slices.Index(o.takers, t)
	o.takers = append(slices.Delete(o.takers, at, at+1), t)
}

// Consumers are those who are connected, in the order in which they came.
func (o *Outlet) Consumers() (all []Consumer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, t := range o.takers {
		all = append(all, t.Consumer)
	}
	slices.SortStableFunc(all, func(a, b Consumer) int { return a.Since.Compare(b.Since) })
	return all
}

// Refused counts peers that were not let in, or not understood in their handshake.
func (o *Outlet) Refused() uint64 { return o.pairs.Refused() }

// Close ends all connections. What is under way is lost.
func (o *Outlet) Close() { o.pairs.Close() }

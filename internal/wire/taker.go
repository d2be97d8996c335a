package wire

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
)

// taker is a peer of an Outlet. A goroutine listens to it, and another writes what it is given.
type taker struct {
	Consumer
	*conn
	work chan gift // has room for one
	gone chan struct{}

	busy   bool       // it is being given something
	asks   [][][]byte // of a Reply: for each request that has no answer, the frames that say whom that is for
	topics [][]byte   // of a Publish
}

// mostAsks is how many answers a peer may wait for. A REQ waits for one.
const mostAsks = 64

// gift is a message for a peer; back says that its memory is not needed any more.
type gift struct {
	message  lent
	envelope [][]byte
	back     func()
}

// serve is the life of a peer.
func (o *Outlet) serve(p *Pair) {
	t := &taker{Consumer: Consumer{Address: p.Peer(), Since: time.Now()}, conn: p.c, work: make(chan gift, 1),
		gone: make(chan struct{})}
	o.meet(t.Consumer)
	o.mu.Lock()
	o.takers = append(o.takers, t)
	o.mu.Unlock()
	poke(o.changed)
	go o.write(t)
	err := error(nil)
	for err == nil {
		var frames [][]byte
		if frames, err = t.receive(); err == nil {
			err = o.hear(t, frames)
		}
	}
	_ = t.Close()
	o.mu.Lock()
	o.takers = slices.DeleteFunc(o.takers, func(other *taker) bool { return other == t })
	o.mu.Unlock()
	close(t.work)
	<-t.gone
	t.Left = true
	if bad := (*FrameError)(nil); t.Why == nil && errors.As(err, &bad) {
		t.Why = err
	}
	o.meet(t.Consumer)
}

func (o *Outlet) meet(c Consumer) {
	if o.o.Met != nil {
		o.o.Met(c)
	}
}

// hear takes what a peer says.
func (o *Outlet) hear(t *taker, frames [][]byte) error {
	switch o.kind {
	case Publish:
		return o.subscribe(t, frames)
	case Reply:
		return o.request(t, frames)
	}
	return nil // who pulls may talk; nobody listens
}

// subscribe takes a subscription, or the end of one.
func (o *Outlet) subscribe(t *taker, frames [][]byte) error {
	if len(frames) != 1 || len(frames[0]) == 0 || frames[0][0] > 1 {
		return nil
	}
	topic := frames[0][1:]
	o.mu.Lock()
	defer o.mu.Unlock()
	if frames[0][0] == 0 {
		if at := slices.IndexFunc(t.topics, func(b []byte) bool { return bytes.Equal(b, topic) }); at >= 0 {
			t.topics = slices.Delete(t.topics, at, at+1)
		}
		return nil
	}
	if len(t.topics) >= topicsPerPeer {
		return &FrameError{fmt.Sprintf("more than %d subscriptions", topicsPerPeer)}
	}
	t.topics = append(t.topics, topic)
	poke(o.changed)
	return nil
}

func (t *taker) wants(first []byte) bool {
	return slices.ContainsFunc(t.topics, func(topic []byte) bool { return bytes.HasPrefix(first, topic) })
}

// request takes a request. What is none is answered at once.
func (o *Outlet) request(t *taker, frames [][]byte) error {
	envelope, body := split(frames)
	if body == nil {
		return nil // who has not said whom to answer gets no answer
	}
	o.mu.Lock()
	known := len(body) == 1 && string(body[0]) == o.o.Request
	switch {
	case !known:
		t.Bad++
	case len(t.asks) < mostAsks:
		t.asks = append(t.asks, envelope)
	default:
		defer o.mu.Unlock()
		return &FrameError{fmt.Sprintf("more than %d requests before it has an answer", mostAsks)}
	}
	o.mu.Unlock()
	if !known {
		return t.send(append(envelope, badRequest(body[0]))...)
	}
	poke(o.changed)
	return nil
}

// split tells who is to be answered from what was asked: the frames before the first empty one, with it.
func split(frames [][]byte) (envelope, body [][]byte) {
	at := slices.IndexFunc(frames, func(f []byte) bool { return len(f) == 0 })
	if at < 0 || at == len(frames)-1 {
		return nil, nil
	}
	return frames[: at+1 : at+1], frames[at+1:]
}

// badRequest is the answer to what is none; of a long one it tells the beginning.
func badRequest(request []byte) []byte {
	const most = 100
	return append([]byte("Error: bad request "), request[:min(len(request), most)]...)
}

// write gives a peer what it is to get, until it is gone.
func (o *Outlet) write(t *taker) {
	defer close(t.gone)
	for g := range t.work {
		var pieces net.Buffers
		for _, f := range g.envelope {
			pieces = append(pieces, appendHead(nil, flagMore, len(f)), f)
		}
		err := t.sendLent(append(pieces, g.message.pieces...), g.back) // which uses the list up, so that each has his own
		o.mu.Lock()
		t.busy = false
		if err == nil {
			t.Messages++
			t.Bytes += uint64(g.message.bytes)
		} else if t.Why == nil && !gone(err) {
			t.Why = fmt.Errorf("wire: it takes nothing: %w", err)
		}
		o.mu.Unlock()
		poke(o.changed)
	}
}

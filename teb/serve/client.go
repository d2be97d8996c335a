package serve

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"

	"drp/internal/wire"
	"drp/internal/world"
	"drp/teb"
)

// ErrClosed says that a Client was closed.
var ErrClosed = errors.New("teb: the client is closed")

// ClientBooks is what became of the rows of a Client. Contributed = Decided + Lost + Overdue + Refused +
// Pending.
type ClientBooks struct {
	Contributed uint64 `json:"contributed"`
	Decided     uint64 `json:"decided"`
	Lost        uint64 `json:"lost"`    // the server went on without it: the default
	Late        uint64 `json:"late"`    // of these two, what the server had decided, or passed over, before it came
	Overdue     uint64 `json:"overdue"` // nobody decided in time, or was there to decide: the default
	Refused     uint64 `json:"refused"` // nobody would have, since the server does not let it in any more: the default at once
	Pending     uint64 `json:"pending"`
	Resent      uint64 `json:"resent"` // rows that were sent over more than one connection
	Connections uint64 `json:"connections"`
}

// Client contributes to the TEB of a Server.
type Client struct {
	o       Options
	dial    func(context.Context) (Conn, error)
	schema  *teb.Schema
	table   teb.Table // as the server had it at first
	rules   uint64    // its sum; 0 before
	process uint64
	said    map[string]bool // why it was not let in any more
	running *world.Join
	ctx     context.Context // of what dials
	stop    context.CancelFunc

	mu      sync.Mutex // protects all below
	closed  bool
	refused bool          // it is not let in any more
	conn    Conn          // the latest
	over    bool          // it has ended
	lost    time.Duration // since when
	heard   uint64        // batches, over it
	rows    []byte        // a ring of places, as is pending; row n lies at n modulo its length
	pending []pendingRow
	first   uint64          // the first row without a decision
	sent    uint64          // the first row that was not sent over this connection
	last    uint64          // the next row
	next    uint64          // the next decision that is taken: those of the rows before first are in the ring
	known   []teb.Decision  // a ring of the latest, those of events of others too
	knows   uint64          // decisions so far; number n lies at n modulo the length of known
	values  []*teb.Settings // that decisions were made with, over this connection
	books   ClientBooks
	full    world.Flag // there may be a place
	decided world.Flag // or a decision
	more    world.Flag // or a row to be sent
	pause   world.Flag // set when it is closed, as is the next
	clock   world.Flag
}

type pendingRow struct {
	head     teb.Head
	came     time.Duration
	decision teb.Decision
	sent     bool
}

// Dial connects to a Server that listens. See Connect.
func Dial(ctx context.Context, e wire.Endpoint, s *teb.Schema, process uint64, o Options) (*Client, error) {
	o = o.withDefaults()
	return Connect(ctx, func(ctx context.Context) (Conn, error) {
		p, err := wire.DialPair(ctx, e, o.wire())
		return pair{p}, err
	}, s, process, o)
}

// Connect lets a contributor speak to a Server, over the connections that dial gives. The process is a number that no other one
// has, and that stays the same until it is let in. It fails when nobody is there, or refuses.
func Connect(ctx context.Context, dial func(context.Context) (Conn, error), s *teb.Schema, process uint64, o Options) (*Client, error) {
	o = o.withDefaults()
	c := &Client{o: o, dial: dial, schema: s, process: process, said: map[string]bool{}, running: world.NewJoin(o.World),
		rows: make([]byte, o.Window*s.RowBytes()), pending: make([]pendingRow, o.Window), known: make([]teb.Decision, min(o.History, teb.MaxBatchRows))}
	for _, f := range []*world.Flag{&c.full, &c.decided, &c.more, &c.pause, &c.clock} {
		*f = o.World.NewFlag()
	}
	p, in, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	c.table, c.rules = in.table, in.rules
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.running.Go(func() { c.run(p, in) })
	c.running.Go(c.watch)
	return c, nil
}

// Table is what the numbers in decisions mean.
func (c *Client) Table() teb.Table { return c.table }

func (c *Client) connect(ctx context.Context) (Conn, seat, error) {
	p, err := c.dial(ctx)
	if err != nil {
		return nil, seat{}, fmt.Errorf("teb: %w", err)
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		p.Close()
		return nil, seat{}, ErrClosed
	}
	c.conn = p
	h := hello{partition: teb.PartitionID(c.o.Partition), process: c.process, rules: c.rules, schema: c.schema,
		share: uint32(c.o.Share), shares: uint32(c.o.Shares)}
	if c.first < c.last {
		h.from = c.at(c.first).head.Pulse + 1
	} else if c.last > 0 { // the next row may be a transition of the same pulse ID
		h.from = c.at(c.last-1).head.Pulse + 1
	}
	c.mu.Unlock()
	in, err := introduce(p, &h, c.remembered, 3*c.o.Heartbeat)
	if err != nil {
		p.Close()
		return nil, in, err
	}
	return p, in, nil
}

// giveUp lets all have the default at once, when the server refuses: it has other rules, for example, and would speak of
// reasons that nobody knows, or somebody else contributes under this name. It is asked again all the same.
func (c *Client) giveUp(err error) (gave bool) {
	refused, taken := (*RefusedError)(nil), (*TakenError)(nil)
	if !errors.As(err, &refused) && !errors.As(err, &taken) {
		return false
	}
	if !c.said[err.Error()] && len(c.said) < mostSaid {
		c.said[err.Error()] = true
		c.o.Log.Error("the trigger event builder decides nothing for this run any more, all events get the default: " + err.Error())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = true
	c.defaultAll()
	return true
}

// defaultAll gives the default to all that has no decision. The mutex is held.
func (c *Client) defaultAll() {
	for c.first < c.last {
		c.settle(c.instead())
		c.books.Refused++
	}
	c.decided.Set()
}

func (c *Client) at(n uint64) *pendingRow { return &c.pending[n%uint64(len(c.pending))] }

func (c *Client) row(n uint64) []byte {
	size := c.schema.RowBytes()
	return c.rows[int(n%uint64(len(c.pending)))*size:][:size]
}

// Contribute takes a row, behind the one before. It waits while as many have no decision, or have one that was not taken with
// Next, as the window holds.
func (c *Client) Contribute(row []byte) error {
	if len(row) != c.schema.RowBytes() {
		return fmt.Errorf("teb: contributor %s: a row of %d bytes, and not %d", c.schema.Name(), len(row), c.schema.RowBytes())
	}
	for {
		taken, err := c.put(row)
		if err != nil {
			return err
		}
		if taken {
			c.more.Set()
			return nil
		}
		c.full.Wait(world.ForEver)
	}
}

// put takes a row if there is a place.
func (c *Client) put(row []byte) (taken bool, err error) {
	h := teb.HeadOf(row)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false, ErrClosed
	}
	if c.last > 0 && !c.at(c.last-1).head.Key().Less(h.Key()) {
		return false, fmt.Errorf("teb: contributor %s: %v of pulse ID %d comes again, or too late", c.schema.Name(), h.Service, h.Pulse)
	}
	if c.last-c.next == uint64(len(c.pending)) {
		return false, nil
	}
	copy(c.row(c.last), row)
	*c.at(c.last) = pendingRow{head: h, came: c.o.World.Now()}
	c.last++
	c.books.Contributed++
	if c.decideLate(h.Key()); c.refused {
		c.defaultAll()
	}
	c.giveOverdue(c.o.World.Now())
	return true, nil
}

// decideLate looks whether a row came after the server's decision.
func (c *Client) decideLate(key teb.Key) {
	size := uint64(len(c.known))
	if c.knows == 0 || c.known[(c.knows-1)%size].Key().Less(key) {
		return
	}
	oldest := c.knows - min(c.knows, size)
	n := oldest + uint64(sort.Search(int(c.knows-oldest), func(i int) bool { return !c.known[(oldest+uint64(i))%size].Key().Less(key) }))
	c.books.Late++
	if d := c.known[n%size]; d.Key() == key {
		c.settle(d)
		c.books.Decided++
	} else {
		c.settle(c.instead())
		c.books.Lost++
	}
	c.decided.Set()
}

// Next gives decisions, one for each row, in their order. It waits until there is one; it gives none when the client is
// closed.
func (c *Client) Next(dst []teb.Decision) (n int) {
	for {
		c.mu.Lock()
		for n < len(dst) && c.next < c.first {
			dst[n] = c.at(c.next).decision
			n, c.next = n+1, c.next+1
		}
		closed := c.closed
		c.mu.Unlock()
		if n > 0 {
			c.full.Set()
		}
		if n > 0 || closed {
			return n
		}
		c.decided.Wait(world.ForEver)
	}
}

// Books gives what became of the rows so far.
func (c *Client) Books() ClientBooks {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.books
	b.Pending = c.last - c.first
	return b
}

// Close ends at once.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.conn.Close()
	c.mu.Unlock()
	c.stop()
	for _, f := range []world.Flag{c.full, c.decided, c.more, c.pause, c.clock} {
		f.Set()
	}
	c.running.Wait()
}

func (c *Client) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// settle gives the first row without a decision one.
func (c *Client) settle(d teb.Decision) {
	c.at(c.first).decision = d
	c.first++
	c.sent = max(c.sent, c.first)
	c.remember(d)
}

// remember keeps a decision for a server that was started again.
func (c *Client) remember(d teb.Decision) {
	size := uint64(len(c.known))
	if c.knows > 0 && !c.known[(c.knows-1)%size].Key().Less(d.Key()) {
		return // it is known, or came after it was given up
	}
	c.known[c.knows%size] = d
	c.knows++
}

// remembered is all of that, in a batch.
func (c *Client) remembered() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := uint64(len(c.known))
	var all []teb.Decision
	for n := c.knows - min(c.knows, size); n < c.knows; n++ {
		all = append(all, c.known[n%size])
	}
	b, _ := teb.AppendDecisions(nil, teb.BatchHead{Partition: teb.PartitionID(c.o.Partition)}, all) // it cannot be too many
	return b
}

// instead is the decision of the first row when there is no other.
func (c *Client) instead() teb.Decision {
	h := c.at(c.first).head
	d := teb.Decision{Pulse: h.Pulse, Time: h.Time, Groups: h.Groups, Damage: h.Damage, Service: h.Service,
		Persist: c.o.Default.Persist, Monitor: c.o.Default.Monitor, Reason: teb.ReasonDefault, Default: true}
	if !h.Service.IsEvent() {
		d.Persist = true
	}
	return d
}

// watch gives the default to what waits too long.
func (c *Client) watch() {
	often := max(c.o.Decide/16, time.Millisecond)
	if c.o.Grace > 0 {
		often = min(often, max(c.o.Grace/4, time.Millisecond))
	}
	for !c.isClosed() {
		c.clock.Wait(often)
		c.mu.Lock()
		c.giveOverdue(c.o.World.Now())
		c.mu.Unlock()
	}
}

// giveOverdue gives the default to what was not decided in time, and to all where nobody is there to decide, so that the source is
// not held up by those who have gone. The mutex is held.
func (c *Client) giveOverdue(now time.Duration) {
	alone := c.over && c.o.Grace > 0 && now-c.lost >= c.o.Grace
	for c.first < c.last && (alone || now-c.at(c.first).came >= c.o.Decide) {
		c.settle(c.instead())
		c.books.Overdue++
		c.decided.Set()
	}
}

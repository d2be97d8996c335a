package serve

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"drp/internal/wire"
	"drp/teb"
)

// ErrClosed says that a Client was closed.
var ErrClosed = errors.New("teb: the client is closed")

// ClientBooks is what became of the rows of a Client. Contributed = Decided + Lost + Overdue + Pending.
type ClientBooks struct {
	Contributed uint64 `json:"contributed"`
	Decided     uint64 `json:"decided"`
	Lost        uint64 `json:"lost"`    // the server went on without it: the default
	Overdue     uint64 `json:"overdue"` // nobody decided in time: the default
	Pending     uint64 `json:"pending"`
	Resent      uint64 `json:"resent"` // rows that were sent in more than one generation
	Connections uint64 `json:"connections"`
}

// Client contributes to the TEB of a Server.
type Client struct {
	o          Options
	endpoint   wire.Endpoint
	schema     *teb.Schema
	table      teb.Table // as the server had it at first
	generation uint64    // of the present connection
	said       string    // why it is not let in any more
	running    sync.WaitGroup
	stop       context.CancelFunc
	ctx        context.Context

	mu      sync.Mutex // protects all below
	rows    []byte     // a ring of places, as is pending; row n lies at n modulo its length
	pending []pendingRow
	first   uint64 // the first row without a decision
	sent    uint64 // the first row that was not sent in this generation
	last    uint64 // the next row
	next    uint64 // the next decision that is taken: those of the rows before first are in the ring
	books   ClientBooks
	full    chan struct{} // holds a token when there may be a place
	decided chan struct{} // or a decision
	more    chan struct{} // or a row to be sent
}

type pendingRow struct {
	head     teb.Head
	came     time.Time
	decision teb.Decision
	sent     bool
}

// Dial connects to a Server. The generation must be larger than any that this contributor had before; with each connection
// it grows by one. It fails when nobody is there, or refuses.
func Dial(ctx context.Context, e wire.Endpoint, s *teb.Schema, generation uint64, o Options) (*Client, error) {
	c := &Client{o: o.withDefaults(), endpoint: e, schema: s, generation: generation, full: make(chan struct{}, 1),
		decided: make(chan struct{}, 1), more: make(chan struct{}, 1)}
	c.rows, c.pending = make([]byte, c.o.Window*s.RowBytes()), make([]pendingRow, c.o.Window)
	p, place, table, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	c.table = table
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.running.Go(func() { c.run(p, place) })
	c.running.Go(c.watch)
	return c, nil
}

// Table is what the numbers in decisions mean.
func (c *Client) Table() teb.Table { return c.table }

func (c *Client) connect(ctx context.Context) (*wire.Pair, uint32, teb.Table, error) {
	p, err := wire.DialPair(ctx, c.endpoint, c.o.wire())
	if err != nil {
		return nil, 0, teb.Table{}, fmt.Errorf("teb: %w", err)
	}
	c.mu.Lock()
	h := hello{partition: teb.PartitionID(c.o.Partition), generation: c.generation, schema: c.schema}
	if c.first < c.last {
		h.from = c.at(c.first).head.Pulse
	} else if c.last > 0 {
		h.from = c.at(c.last-1).head.Pulse + 1
	}
	c.mu.Unlock()
	place, table, err := introduce(p, &h, 3*c.o.Heartbeat)
	if err != nil {
		p.Close()
		return nil, 0, table, err
	}
	return p, place, table, nil
}

// again connects once more. A server that was started anew with other rules would speak of reasons that nobody knows.
func (c *Client) again() (*wire.Pair, uint32, error) {
	p, place, table, err := c.connect(c.ctx)
	if err == nil && !reflect.DeepEqual(table, c.table) {
		p.Close()
		p, err = nil, errOtherRules
	}
	refused := (*RefusedError)(nil)
	if errors.Is(err, errOtherRules) || errors.As(err, &refused) {
		if err.Error() != c.said {
			c.o.Log.Error("the trigger event builder decides nothing for this run any more: " + err.Error())
		}
		c.said = err.Error()
	}
	return p, place, err
}

var errOtherRules = errors.New("teb: the server has other rules or contributors than when the run was configured: begin the run again")

func (c *Client) at(n uint64) *pendingRow { return &c.pending[n%uint64(len(c.pending))] }

func (c *Client) row(n uint64) []byte {
	size := c.schema.RowBytes()
	return c.rows[int(n%uint64(len(c.pending)))*size:][:size]
}

func poke(token chan struct{}) {
	select {
	case token <- struct{}{}:
	default:
	}
}

// Contribute takes a row, with a larger pulse ID than the one before. It waits while as many have no decision, or have one
// that was not taken with Next, as the window holds.
func (c *Client) Contribute(row []byte) error {
	if len(row) != c.schema.RowBytes() {
		return fmt.Errorf("teb: contributor %s: a row of %d bytes, and not %d", c.schema.Name(), len(row), c.schema.RowBytes())
	}
	h := teb.HeadOf(row)
	for {
		if c.ctx.Err() != nil {
			return ErrClosed
		}
		c.mu.Lock()
		if c.last > 0 && h.Pulse <= c.at(c.last-1).head.Pulse {
			c.mu.Unlock()
			return fmt.Errorf("teb: contributor %s: pulse ID %d comes again, or too late", c.schema.Name(), h.Pulse)
		}
		if c.last-c.next < uint64(len(c.pending)) {
			copy(c.row(c.last), row)
			*c.at(c.last) = pendingRow{head: h, came: time.Now()}
			c.last++
			c.books.Contributed++
			c.mu.Unlock()
			poke(c.more)
			return nil
		}
		c.mu.Unlock()
		select {
		case <-c.full:
		case <-c.ctx.Done():
		}
	}
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
		c.mu.Unlock()
		if n > 0 {
			poke(c.full)
			return n
		}
		select {
		case <-c.decided:
		case <-c.ctx.Done():
			return 0
		}
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
	c.stop()
	c.running.Wait()
}

// run keeps a connection, and makes another when it is lost.
func (c *Client) run(p *wire.Pair, place uint32) {
	for c.ctx.Err() == nil {
		if p != nil {
			c.speak(p, place)
		}
		c.generation++
		var err error
		if p, place, err = c.again(); err != nil {
			p = nil
			c.o.Log.Debug("no connection to the trigger event builder", "error", err)
			select {
			case <-c.ctx.Done():
			case <-time.After(c.o.Heartbeat / 10):
			}
		}
	}
	if p != nil {
		p.Close()
	}
}

// speak uses a connection until it ends.
func (c *Client) speak(p *wire.Pair, place uint32) {
	defer context.AfterFunc(c.ctx, p.Close)()
	c.mu.Lock()
	if c.books.Connections++; c.books.Connections > 1 {
		c.o.Log.Info("the trigger event builder is there again")
	}
	c.sent = c.first
	c.mu.Unlock()
	done := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() { c.send(p, place, done) })
	for {
		m, err := p.Recv(3 * c.o.Heartbeat)
		if err == nil {
			err = c.hear(m[0])
		}
		if err != nil {
			if c.ctx.Err() == nil {
				c.o.Log.Warn("the connection to the trigger event builder is lost", "error", err)
			}
			break
		}
	}
	close(done)
	p.Close()
	writer.Wait()
}

// rowsAtOnce is the most that goes into a batch; more wait for the next.
const rowsAtOnce = 1024

// send sends the rows that there are, or else a sign of life.
func (c *Client) send(p *wire.Pair, place uint32, done chan struct{}) {
	e, err := teb.NewEncoder(c.schema, teb.BatchHead{Partition: teb.PartitionID(c.o.Partition), Contributor: place,
		Generation: c.generation}, rowsAtOnce)
	if err != nil {
		p.Close()
		return
	}
	for {
		c.mu.Lock()
		for ; c.sent < c.last && e.Len() < rowsAtOnce; c.sent++ {
			r := c.at(c.sent)
			copy(e.Add(r.head), c.row(c.sent))
			if r.sent {
				c.books.Resent++
			}
			r.sent = true
		}
		rest := c.sent < c.last
		c.mu.Unlock()
		if p.Send(e.Batch()) != nil {
			p.Close()
			return
		}
		if rest {
			continue
		}
		timer := time.NewTimer(c.o.Heartbeat)
		select {
		case <-c.more:
		case <-timer.C:
		case <-done:
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// hear takes decisions. Those of events of others are left out.
func (c *Client) hear(b []byte) error {
	h, all, err := teb.ParseDecisions(b)
	if err == nil && h.Partition != teb.PartitionID(c.o.Partition) {
		err = errors.New("teb: the server decides for another partition")
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.first
	for d := range all {
		for c.first < c.last && c.at(c.first).head.Pulse < d.Pulse {
			c.settle(c.instead())
			c.books.Lost++
		}
		if c.first < c.last && c.at(c.first).head.Pulse == d.Pulse {
			c.settle(d)
			c.books.Decided++
		}
	}
	if c.first > before {
		poke(c.decided)
	}
	return nil
}

// settle gives the first row without a decision one.
func (c *Client) settle(d teb.Decision) {
	c.at(c.first).decision = d
	c.first++
	c.sent = max(c.sent, c.first)
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
	ticker := time.NewTicker(max(c.o.Decide/16, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case now := <-ticker.C:
			c.mu.Lock()
			for c.first < c.last && now.Sub(c.at(c.first).came) >= c.o.Decide {
				c.settle(c.instead())
				c.books.Overdue++
				poke(c.decided)
			}
			c.mu.Unlock()
		}
	}
}

package serve

import (
	"errors"

	"drp/internal/world"
	"drp/teb"
)

// run keeps a connection, and makes another when it is lost.
func (c *Client) run(p Conn, in seat) {
	least := c.o.Heartbeat / 10
	pause := least
	for !c.isClosed() {
		if p != nil {
			c.speak(p, in)
			pause = least
		}
		var err error
		if p, in, err = c.connect(c.ctx); err == nil {
			continue
		}
		c.o.Log.Debug("no connection to the trigger event builder", "error", err)
		if c.giveUp(err) {
			pause = min(2*pause, 4*c.o.Heartbeat)
		}
		c.pause.Wait(pause)
	}
	if p != nil {
		p.Close()
	}
}

// speak uses a connection until it ends.
func (c *Client) speak(p Conn, in seat) {
	c.mu.Lock()
	if c.books.Connections++; c.books.Connections > 1 {
		c.o.Log.Info("the trigger event builder is there again")
	}
	c.sent, c.over, c.heard, c.refused, c.values = c.first, false, 0, false, nil
	c.mu.Unlock()
	writer := world.NewJoin(c.o.World)
	writer.Go(func() { c.send(p, in) })
	for {
		m, err := p.Recv(3 * c.o.Heartbeat)
		if err == nil {
			err = c.hear(m)
		}
		if err != nil {
			if !c.isClosed() {
				c.o.Log.Warn("the connection to the trigger event builder is lost", "error", err)
			}
			break
		}
	}
	p.Close()
	c.mu.Lock()
	c.over, c.lost = true, c.o.World.Now()
	c.mu.Unlock()
	c.more.Set()
	writer.Wait()
}

// rowsAtOnce is the most that goes into a batch; more wait for the next.
const rowsAtOnce = 1024

// send sends the rows that there are, or else a sign of life.
func (c *Client) send(p Conn, in seat) {
	defer p.Close()
	e, err := teb.NewEncoder(c.schema, teb.BatchHead{Partition: teb.PartitionID(c.o.Partition), Contributor: in.place,
		Generation: in.generation}, rowsAtOnce)
	if err != nil {
		return
	}
	if len(in.table.Parameters) > 0 && p.Send([]byte(valuesMagic)) != nil {
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
		rest, over := c.sent < c.last, c.over || c.closed
		c.mu.Unlock()
		if over || p.Send(e.Batch()) != nil {
			return
		}
		if !rest {
			c.more.Wait(c.o.Heartbeat)
		}
	}
}

// hear takes decisions. Those of events of others are only remembered.
func (c *Client) hear(b []byte) error {
	if isValues(b) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.learn(b)
	}
	h, all, err := teb.ParseDecisions(b)
	if err == nil && h.Partition != teb.PartitionID(c.o.Partition) {
		err = errors.New("teb: the server decides for another partition")
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.Sequence != c.heard {
		return errGap
	}
	c.heard++
	before := c.first
	for d := range all {
		key := d.Key()
		for c.first < c.last && c.at(c.first).head.Key().Less(key) {
			c.settle(c.instead())
			c.books.Lost++
		}
		if c.first < c.last && c.at(c.first).head.Key() == key {
			d.Settings = c.valued(d.Generation)
			c.settle(d)
			c.books.Decided++
		}
		c.remember(d)
	}
	if c.first > before {
		c.decided.Set()
	}
	return nil
}

// errGap ends a connection, so that what is missing is sent again over the next.
var errGap = errors.New("teb: decisions were lost on their way")

package simtest

import (
	"context"
	"errors"
	"time"

	"drp/internal/wire"
	"drp/internal/world"
	"drp/teb"
	"drp/teb/serve"
	"drp/xtc"
)

// contributor is another process of the partition. It sees what the source of the pipeline gives, and contributes to it; it
// dies and comes again.
type contributor struct {
	p      *partition
	schema *teb.Schema
	bit    int

	queue []seen // what came, of which it is at
	at    int
	more  world.Flag
	ended bool // nothing more comes
	dead  bool // in this life

	settled bool // it is connected to all builders, and will go on

	client    *serve.Several
	last      teb.Key
	asked     []teb.Key // in this life
	when      []time.Duration
	decisions map[uint64]teb.Decision
	taken     int
}

// seen is a datagram that the source gave.
type seen struct {
	service xtc.TransitionID
	time    uint64
}

func newContributor(p *partition, k int) *contributor {
	s, err := teb.NewSchema(p.names[k], teb.Field{Name: "n", Type: teb.F64})
	if err != nil {
		p.lab.problem("%v", err)
	}
	return &contributor{p: p, schema: s, bit: k, more: p.lab.world.NewFlag()}
}

// live is all its lives.
func (c *contributor) live() {
	l := c.p.lab
	for {
		c.dead, c.asked, c.when, c.taken, c.decisions = false, nil, nil, 0, map[uint64]teb.Decision{}
		client := c.join()
		if c.client = client; client == nil {
			return
		}
		c.settled = true
		taking := world.NewJoin(l.world)
		taking.Go(func() { c.take(client) })
		c.feed()
		for _, b := range client.Books() {
			if b.Contributed != b.Decided+b.Lost+b.Overdue+b.Refused+b.Pending || !c.dead && b.Pending > 0 {
				l.problem("%s: the books do not balance: %+v", c.schema.Name(), b)
			}
		}
		c.settled = false
		if c.client = nil; !c.dead { // else it is closed already, or will be
			client.Close()
			taking.Wait()
			return
		}
		taking.Wait()
		l.world.Sleep(l.soon(400 * time.Millisecond))
		if l.world.Chance(2) == 0 {
			c.at = len(c.queue) // what came meanwhile is lost
		}
	}
}

// kill ends the present life.
func (c *contributor) kill() {
	if c.client != nil {
		c.dead = true
		c.more.Set()
		c.client.Close()
	}
}

// join connects to all builders, as the pipeline does; nil when it is too late.
func (c *contributor) join() *serve.Several {
	p, l := c.p, c.p.lab
	clients, process := make([]*serve.Client, len(p.servers)), uint64(l.world.Now())+1
	all := world.NewJoin(l.world)
	for i, b := range p.servers {
		all.Go(func() {
			o := p.options()
			o.Share, o.Shares = i, len(p.servers)
			for clients[i] == nil && !c.ended {
				var err error
				clients[i], err = p.connect(wire.Endpoint{Address: b.at}, c.schema, process, o)
				if refused := (*serve.RefusedError)(nil); errors.As(err, &refused) {
					l.problem("%s: %v", c.schema.Name(), err)
				}
				l.world.Sleep(l.soon(20 * time.Millisecond))
			}
		})
	}
	all.Wait()
	for _, one := range clients {
		if one == nil {
			for _, other := range clients {
				if other != nil {
					other.Close()
				}
			}
			return nil
		}
	}
	s, err := serve.NewSeveral(clients)
	if err != nil {
		l.problem("%v", err)
	}
	return s
}

func (p *partition) connect(at wire.Endpoint, s *teb.Schema, process uint64, o serve.Options) (*serve.Client, error) {
	return serve.Connect(context.Background(), func(ctx context.Context) (serve.Conn, error) { return p.net.dial(ctx, at) }, s, process, o)
}

// feed contributes what comes until all of it is decided, or it dies.
func (c *contributor) feed() {
	l, r := c.p.lab, &c.p.lab.plan.remote
	for !c.dead {
		switch {
		case c.at < len(c.queue):
			d := c.queue[c.at]
			c.at++
			switch {
			case d.service.IsEvent() && l.happens(r.skips):
				continue
			case l.happens(r.slow):
				l.world.Sleep(l.soon(2 * r.wait))
			}
			c.contribute(d)
		case c.ended && c.taken == len(c.asked):
			return
		default:
			c.more.Wait(world.ForEver)
		}
	}
}

// contribute brings a row; where it stands the pipeline has to find by itself.
func (c *contributor) contribute(d seen) {
	h := teb.Head{Pulse: max(d.time, c.last.Pulse), Time: d.time, Groups: 1, Service: d.service}
	c.last = h.Key()
	c.asked = append(c.asked, c.last)
	row := make([]byte, c.schema.RowBytes())
	teb.PutHead(row, h)
	c.schema.Field("n").PutFloat(row, 0, float64(c.p.lab.number(d.time)))
	if err := c.client.Contribute(row); err != nil && !c.dead {
		c.p.lab.problem("%s: %v", c.schema.Name(), err)
	}
	c.when = append(c.when, c.p.lab.world.Now())
}

// take wants one decision for each row, in order and in time.
func (c *contributor) take(client *serve.Several) {
	l := c.p.lab
	some := make([]teb.Decision, 7)
	for n := client.Next(some); n > 0; n = client.Next(some) {
		for _, d := range some[:n] {
			if want := c.asked[c.taken]; d.Key() != want {
				l.problem("%s: a decision about %v comes, and the next is %v", c.schema.Name(), d.Key(), want)
				return
			}
			limit := l.plan.trigger.deadline + l.plan.trigger.deadline/8
			if c.taken < len(c.when) && l.plan.suspendAt == 0 && l.world.Now()-c.when[c.taken] > limit {
				l.problem("%s: it had to wait %v for a decision", c.schema.Name(), l.world.Now()-c.when[c.taken])
			}
			c.taken++
			c.decisions[d.Pulse] = d
		}
		c.more.Set()
	}
}

// compareContributors holds the decisions against each other: who did not give up waiting has the same as the others. What a
// process knew that died is not held against anybody.
func (l *lab) compareContributors(found []recorded) {
	if l.partition == nil {
		return
	}
	known := map[uint64]teb.Decision{}
	for _, c := range l.partition.others {
		for _, d := range c.decisions {
			if !d.Service.IsEvent() || d.Default {
				continue
			}
			if other, there := known[d.Pulse]; there && other != d {
				l.problem("%s has decision %+v, and another one %+v", c.schema.Name(), d, other)
			}
			known[d.Pulse] = d
		}
	}
	for i := range found {
		d := found[i].decision
		if d == nil || d.reason == uint64(teb.ReasonDefault) {
			continue
		}
		other, there := known[d.pulse]
		if there && (d.contributions != other.Contributions || d.damage != uint64(other.Damage) || d.reason != uint64(other.Reason) ||
			d.persist != other.Persist || d.prescaled != other.Prescaled || d.monitor != uint64(other.Monitor)) {
			l.problem("event %d is recorded with decision %+v, and another contributor has %+v", found[i].number, *d, other)
		}
	}
}

package simtest

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"drp/drp"
	"drp/internal/wire"
	"drp/internal/world"
	"drp/teb"
	"drp/teb/serve"
	"drp/xtc"
)

// remotePlan is a partition: the pipeline is one contributor of several, and trigger event builders of their own decide.
type remotePlan struct {
	servers int
	others  int           // contributors beside the pipeline
	wait    time.Duration // of the builders, for a contribution
	latency time.Duration // of a message, on average
	slow    int64         // chance that another contributor takes long for an event
	skips   int64         // chance that it has nothing for one
	cuts    time.Duration // between two connections that break, on average; 0 is never
	kills   time.Duration // between two deaths of a builder
	deaths  time.Duration // and of another contributor
	rogue   time.Duration // between two who connect and talk nonsense
	faulty  bool          // the network breaks its promises
	loss    int64         // chance that it does, for a message
}

const (
	simHeartbeat = 200 * time.Millisecond
	simPartition = "sim"
)

func (p *plan) drawRemote(rng *rand.Rand) {
	if !p.trigger.there || rng.IntN(2) == 0 {
		return
	}
	maybe := func(least int) time.Duration {
		if rng.IntN(5) > 1 {
			return 0
		}
		return time.Duration(least+rng.IntN(2000)) * time.Millisecond
	}
	p.trigger.deadline, p.trigger.slow = time.Duration(3000+rng.IntN(3000))*time.Millisecond, 0
	p.remote = remotePlan{servers: 1 + rng.IntN(3), others: rng.IntN(3), wait: time.Duration(100+rng.IntN(300)) * time.Millisecond,
		latency: time.Duration(rng.IntN(2000)) * time.Microsecond, cuts: maybe(50), kills: maybe(200), deaths: maybe(200),
		rogue: maybe(20), faulty: rng.IntN(4) == 0, loss: 100}
	if rng.IntN(2) == 0 {
		p.remote.slow, p.remote.skips = 1+rng.Int64N(300), 1+rng.Int64N(1000)
	}
}

// calm tells that nothing happens for which an event could miss its decision.
func (r *remotePlan) calm() bool { return r.cuts+r.kills+r.deaths == 0 && !r.faulty && r.skips == 0 }

// partition is the processes around the pipeline.
type partition struct {
	lab     *lab
	net     *network
	names   []string
	servers []*builderProcess
	others  []*contributor
	feeding *world.Join
	killing *world.Join
	over    bool
}

// builderProcess is a trigger event builder, in its present life.
type builderProcess struct {
	p        *partition
	at       string
	server   *serve.Server
	builders []*teb.TEB // of this life
}

func newPartition(l *lab) *partition {
	r := &l.plan.remote
	if r.servers == 0 {
		return nil
	}
	p := &partition{lab: l, net: &network{lab: l, listen: map[string]func(serve.Conn){}}, feeding: world.NewJoin(l.world),
		killing: world.NewJoin(l.world)}
	for k := range 1 + r.others {
		p.names = append(p.names, "c"+strconv.Itoa(k))
	}
	for i := range r.servers {
		b := &builderProcess{p: p, at: "teb" + strconv.Itoa(i)}
		p.servers = append(p.servers, b)
		b.start()
		p.killing.Go(func() { p.again(r.kills, b.at, b.kill, b.start) })
	}
	for k := range r.others {
		c := newContributor(p, k+1)
		p.others = append(p.others, c)
		p.feeding.Go(c.live)
		p.killing.Go(func() { p.again(r.deaths, c.schema.Name(), c.kill, func() {}) })
	}
	l.world.Go(p.net.trouble)
	l.world.Go(p.rogues)
	return p
}

// again kills something now and then, and starts it again.
func (p *partition) again(every time.Duration, what string, kill, start func()) {
	l := p.lab
	for every > 0 {
		if l.world.Sleep(l.soon(every)); p.over {
			return
		}
		l.trace("%s is killed", what)
		kill()
		l.world.Sleep(l.soon(400 * time.Millisecond))
		l.trace("%s is started again", what)
		start()
	}
}

// trigger is what the pipeline knows of all this.
func (p *partition) trigger(t *drp.Trigger) {
	t.Logic, t.Partition, t.Contributor, t.Dial = nil, simPartition, p.names[0], p.net.dial
	for _, b := range p.servers {
		t.Servers = append(t.Servers, wire.Endpoint{Address: b.at})
	}
}

func (b *builderProcess) start() {
	l := b.p.lab
	if b.p.over {
		return
	}
	b.builders = nil
	b.server = serve.NewGathering(b.p.names, b.p.options(), func(schemas []*teb.Schema) (*teb.TEB, error) {
		c := teb.Config{World: l.world, Partition: simPartition, Window: 64, BatchEvents: 8, Deadline: l.plan.remote.wait,
			PrescaleSeed: l.o.Seed, Default: teb.Verdict{Persist: !l.plan.trigger.veto}, Logic: []teb.Logic{&teb.Func{
				Reasons: []teb.Reason{{Name: "wanted"}}, Do: func(b *teb.Batch) { l.decideFor(b, schemas) }}}}
		for _, s := range schemas {
			c.Contributors = append(c.Contributors, teb.Member{Schema: s})
		}
		for g := range c.Prescale {
			c.Prescale[g] = l.plan.trigger.prescale
		}
		t, err := teb.New(c)
		b.builders = append(b.builders, t)
		return t, err
	})
	b.p.net.listen[b.at] = b.server.Serve
}

func (p *partition) options() serve.Options {
	return serve.Options{World: p.lab.world, Partition: simPartition, Heartbeat: simHeartbeat, Window: 128,
		Decide: p.lab.plan.trigger.deadline, Default: teb.Verdict{Persist: !p.lab.plan.trigger.veto}}
}

// kill ends it as kill -9 does: its connections break, with what is on its way.
func (b *builderProcess) kill() {
	l := b.p.lab
	delete(b.p.net.listen, b.at)
	for _, e := range slices.Clone(b.p.net.ends) {
		if e.at == b.at {
			e.cut()
		}
	}
	b.server.Close()
	for _, t := range b.builders {
		if books := t.Books(); books.Check() != nil {
			l.problem("%s: %v", b.at, books.Check())
		}
	}
}

// decideFor is the logic of a builder. What it wants depends on the event alone; that it was asked twice is seen in what was
// contributed.
func (l *lab) decideFor(b *teb.Batch, schemas []*teb.Schema) {
	for i := range b.Len() {
		h := b.Head(i)
		if !h.Service.IsEvent() {
			continue
		}
		n := l.number(h.Time)
		for k, s := range schemas {
			row := b.Row(i, k)
			if row == nil {
				continue
			}
			if v := s.Field("n").Float(row, 0); v == v && v != float64(n) || k > 0 && v != v {
				l.problem("contributor %d brings %v for event %d", k, v, n)
			}
		}
		if l.plan.trigger.wants(n) {
			b.Verdicts[i] = teb.Verdict{Reason: teb.ReasonLogic, Persist: true, Monitor: uint32(n)}
		}
	}
}

// rogues connect and say what makes no sense.
func (p *partition) rogues() {
	l, every := p.lab, p.lab.plan.remote.rogue
	stranger, err := teb.NewSchema("stranger", teb.Field{Name: "n", Type: teb.F64})
	if err != nil {
		l.problem("%v", err)
		return
	}
	for every > 0 && !p.over {
		l.world.Sleep(l.soon(every))
		at := wire.Endpoint{Address: p.servers[l.world.Chance(int64(len(p.servers)))].at}
		switch l.world.Chance(4) {
		case 0:
			if c, err := p.net.dial(context.Background(), at); err == nil {
				_ = c.Send(make([]byte, []int{0, 7, 100, 70000}[l.world.Chance(4)]))
				_, _ = c.Recv(simHeartbeat)
				c.Close()
			}
			continue
		case 1:
			p.impostor(at)
			continue
		case 2:
			o := p.options()
			o.Partition = "another"
			_, err = p.connect(at, stranger, 1, o)
		default:
			_, err = p.connect(at, stranger, 1, p.options())
		}
		if err == nil {
			l.problem("a stranger was let in")
		}
	}
}

// impostor comes under the name of another contributor, which has to go on as if nobody had come while it is there itself.
func (p *partition) impostor(at wire.Endpoint) {
	if len(p.others) == 0 {
		return
	}
	l := p.lab
	c := p.others[l.world.Chance(int64(len(p.others)))]
	client, err := p.connect(at, c.schema, math.MaxUint64, p.options())
	if err != nil {
		return
	}
	client.Close()
	if c.settled && l.plan.remote.calm() {
		l.problem("another process was let in as %s, which is there", c.schema.Name())
	}
}

// passes lets the other contributors see what the source gives.
func (p *partition) passes(service xtc.TransitionID, time uint64) {
	if p == nil || service == xtc.Configure {
		return
	}
	for _, c := range p.others {
		c.queue = append(c.queue, seen{service, time})
		c.more.Set()
	}
}

// end waits until all are through.
func (p *partition) end() {
	if p == nil {
		return
	}
	for _, c := range p.others {
		c.ended = true
		c.more.Set()
	}
	p.feeding.Wait()
	p.over = true
	p.killing.Wait()
	for _, b := range p.servers {
		if p.net.listen[b.at] != nil {
			b.kill()
		}
	}
}

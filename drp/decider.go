package drp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"drp/internal/wire"
	"drp/internal/world"
	"drp/teb"
	tebscript "drp/teb/script"
	"drp/teb/serve"
)

// decider is a trigger event builder, here or elsewhere. For each row that is contributed it gives one decision, in order,
// and no later than a while after.
type decider interface {
	contribute(row []byte)
	flush() // lets go what was contributed
	Next(dst []teb.Decision) int
	Table() teb.Table
	Close()
}

// local decides in this process.
type local struct {
	*teb.TEB
	rows *teb.Encoder
}

func (o *local) contribute(row []byte) {
	copy(o.rows.Add(teb.HeadOf(row)), row)
	if o.rows.Len() == rowsAtOnce {
		o.flush()
	}
}

func (o *local) flush() {
	if o.rows.Len() == 0 {
		return
	}
	if err := o.Contribute(o.rows.Batch()); err != nil {
		panic(err) // it was made for these rows, and is not closed before the last
	}
}

// remote lets stand-alone ones decide.
type remote struct{ *serve.Several }

func (s remote) contribute(row []byte) {
	if err := s.Contribute(row); err != nil {
		panic(err) // as above
	}
}

func (remote) flush() {}

// open begins to decide about rows of a schema.
func (t *Trigger) open(of *trigger, s *teb.Schema) (decider, error) {
	if len(t.Servers) > 0 {
		return t.dialAll(of, s)
	}
	const generation, batch = 1, rowsAtOnce
	logic, err := t.logic(of.c.Run)
	if err != nil {
		return nil, err
	}
	c := teb.Config{World: of.c.world, Partition: t.Partition, Contributors: []teb.Member{{Schema: s}}, Logic: logic,
		Decide: t.Deadline, Default: t.otherwise(), Prescale: t.Prescale, PrescaleSeed: t.PrescaleSeed, BatchEvents: batch,
		// What is asked for, what logics that hang hold, and what is kept back for a contributor.
		Window: len(of.answers) + batch*len(logic) + 2, Settings: of.c.steering.trigger.now.Load}
	defer context.AfterFunc(of.c.soft, func() { teb.CloseLogic(logic) })() // a script may take long to begin
	b, err := teb.New(c)
	if ended := context.Cause(of.c.soft); ended != nil && err != nil {
		return nil, ended
	}
	if err != nil {
		return nil, fail(Configuration, err)
	}
	of.c.steering.trigger.declare(b.Parameters())
	if script, is := logic[0].(*tebscript.Logic); is {
		of.c.triggerLogic.Store(script)
	}
	k, err := b.Join(s, generation)
	rows, failed := teb.NewEncoder(s, teb.BatchHead{Partition: teb.PartitionID(t.Partition), Contributor: uint32(k), Generation: generation},
		rowsAtOnce)
	if err = errors.Join(err, failed); err != nil {
		b.Close()
		return nil, fail(Configuration, err)
	}
	return &local{b, rows}, nil
}

// logic makes what decides in this process.
func (t *Trigger) logic(r *Run) ([]teb.Logic, error) {
	cfg := &r.cfg
	if t.Script == nil {
		return []teb.Logic{t.Logic()}, nil
	}
	c := *t.Script
	c.PythonPath, c.Deadline, c.BatchEvents, c.Log = cfg.PythonPath, t.Deadline, rowsAtOnce, cfg.Log
	c.Spares, c.MaxRestarts = cfg.Spares, cfg.MaxRestarts
	c.Trouble = func(text string) { r.troubles.set(troubleText, text) }
	var err error
	c.Python, err = FindPython(cfg.Python)
	return tebscript.New(c), err
}

// dialAll waits until all stand-alone ones are there, and know all their contributors.
func (t *Trigger) dialAll(of *trigger, s *teb.Schema) (decider, error) {
	ctx, cancel := context.WithTimeoutCause(of.c.soft, t.Connect, errNobodyDecides)
	defer cancel()
	clients := make([]*serve.Client, len(t.Servers))
	errs := make([]error, len(t.Servers))
	all := world.NewJoin(of.c.world)
	for i := range t.Servers { // at once, since one may wait for a process that waits for another
		all.Go(func() { clients[i], errs[i] = t.dial(ctx, of, s, i) })
	}
	all.Wait()
	err := cmp.Or(errs...)
	if err == nil {
		var several *serve.Several
		if several, err = serve.NewSeveral(clients); err == nil {
			return remote{several}, nil
		}
		err = fail(Configuration, err)
	}
	for _, c := range clients {
		if c != nil {
			c.Close()
		}
	}
	return nil, err
}

// dial waits until one of them lets this contributor in.
func (t *Trigger) dial(ctx context.Context, of *trigger, s *teb.Schema, number int) (*serve.Client, error) {
	at, w, log := t.Servers[number], of.c.world, of.c.cfg.Log
	o := serve.Options{World: w, Log: log, Partition: t.Partition, Window: len(of.answers), Decide: t.Deadline,
		Default: t.otherwise(), Grace: min(t.Deadline, tebGrace), Share: number, Shares: len(t.Servers)}
	said, pause, deadline, process, free := "", w.NewFlag(), w.Now()+t.Connect, rand.Uint64(), w.Now()
	for {
		c, err := t.connect(ctx, at, s, process, o)
		if err == nil {
			log.Info(fmt.Sprintf("the trigger event builder at %v decides, for %s of partition %q", at, s.Name(), t.Partition))
			return c, nil
		}
		if refused := (*serve.RefusedError)(nil); errors.As(err, &refused) {
			return nil, fail(Configuration, err)
		}
		if taken := (*serve.TakenError)(nil); !errors.As(err, &taken) {
			free = w.Now()
		} else if w.Now()-free >= min(takenFor, t.Connect/2) {
			return nil, failf(Configuration, "%w: end that one, or give --contributor another name", err)
		}
		if err.Error() != said && ctx.Err() == nil {
			said = err.Error()
			log.Info(fmt.Sprintf("waiting up to %v for the trigger event builder at %v: %v", t.Connect, at, err))
		}
		pause.Wait(redial)
		switch cause := context.Cause(ctx); {
		case errors.Is(cause, errNobodyDecides), cause == nil && w.Now() >= deadline:
			return nil, failf(Configuration, "no trigger event builder lets %s in at %v within %v (%s): start one with drp teb -t RULES "+
				"--listen %v, or give --teb another address", s.Name(), at, t.Connect, said, at)
		case cause != nil:
			return nil, cause
		}
	}
}

func (t *Trigger) connect(ctx context.Context, at wire.Endpoint, s *teb.Schema, process uint64, o serve.Options) (*serve.Client, error) {
	if t.Dial == nil {
		return serve.Dial(ctx, at, s, process, o)
	}
	return serve.Connect(ctx, func(ctx context.Context) (serve.Conn, error) { return t.Dial(ctx, at) }, s, process, o)
}

// tebGrace is how long events wait for a stand-alone one whose connection was lost to come back. As long as it is away, later ones
// get the default at once.
const tebGrace = 2 * time.Second

// redial is the pause between two attempts.
const redial = 50 * time.Millisecond

// takenFor is how long another process of the same name is waited for, which may be one that was killed: on a host that is
// gone, it is heard for three heartbeats more.
const takenFor = 5 * time.Second

var errNobodyDecides = errors.New("the trigger event builder was waited for long enough")

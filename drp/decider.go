package drp

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// remote lets a stand-alone one decide.
type remote struct{ *serve.Client }

func (s remote) contribute(row []byte) {
	if err := s.Contribute(row); err != nil {
		panic(err) // as above
	}
}

func (remote) flush() {}

// open begins to decide about rows of a schema.
func (t *Trigger) open(of *trigger, s *teb.Schema) (decider, error) {
	if t.Server.Path+t.Server.Address != "" {
		return t.dial(of, s)
	}
	const generation, batch = 1, rowsAtOnce
	logic, err := t.logic(&of.c.cfg)
	if err != nil {
		return nil, err
	}
	c := teb.Config{World: of.c.world, Partition: t.Partition, Contributors: []teb.Member{{Schema: s}}, Logic: logic,
		Decide: t.Deadline, Default: t.otherwise(), Prescale: t.Prescale, PrescaleSeed: t.PrescaleSeed, BatchEvents: batch,
		// What is asked for, what logics that hang hold, and what is kept back for a contributor.
		Window: len(of.answers) + batch*len(logic) + 2}
	b, err := teb.New(c)
	if err != nil {
		return nil, fail(Configuration, err)
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
func (t *Trigger) logic(cfg *Config) ([]teb.Logic, error) {
	if t.Script == nil {
		return []teb.Logic{t.Logic()}, nil
	}
	c := *t.Script
	c.PythonPath, c.Deadline, c.BatchEvents, c.Log = cfg.PythonPath, t.Deadline, rowsAtOnce, cfg.Log
	c.Spares, c.MaxRestarts = cfg.Spares, cfg.MaxRestarts
	var err error
	c.Python, err = FindPython(cfg.Python)
	return tebscript.New(c), err
}

// dial waits until the stand-alone one is there, and knows all its contributors.
func (t *Trigger) dial(of *trigger, s *teb.Schema) (decider, error) {
	log := of.c.cfg.Log
	ctx, cancel := context.WithTimeoutCause(of.c.soft, t.Connect, errNobodyDecides)
	defer cancel()
	said := ""
	for {
		generation := uint64(time.Now().UnixNano()) // larger than any that this contributor had before
		c, err := serve.Dial(ctx, t.Server, s, generation, serve.Options{Log: log, Partition: t.Partition, Window: len(of.answers),
			Decide: t.Deadline, Default: t.otherwise()})
		if err == nil {
			log.Info(fmt.Sprintf("the trigger event builder at %v decides, for %s of partition %q", t.Server, s.Name(), t.Partition))
			return remote{c}, nil
		}
		if refused := (*serve.RefusedError)(nil); errors.As(err, &refused) {
			return nil, fail(Configuration, err)
		}
		if err.Error() != said && ctx.Err() == nil {
			said = err.Error()
			log.Info(fmt.Sprintf("waiting up to %v for the trigger event builder at %v: %v", t.Connect, t.Server, err))
		}
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errNobodyDecides) {
				return nil, failf(Configuration, "no trigger event builder lets %s in at %v within %v (%s): start one with drp teb -t RULES "+
					"--listen %v, or give --teb another address", s.Name(), t.Server, t.Connect, said, t.Server)
			}
			return nil, context.Cause(ctx)
		case <-time.After(redial):
		}
	}
}

// redial is the pause between two attempts.
const redial = 50 * time.Millisecond

var errNobodyDecides = errors.New("the trigger event builder was waited for long enough")

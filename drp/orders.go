package drp

import (
	"cmp"

	"drp/control"
	"drp/source"
	"drp/xtc"
)

// Orders is run control, as a run sees it (package control).
type Orders interface {
	Orders() <-chan control.Order // closed when the run is to end
	Why() string                  // it is to end
	Done(order uint64, trouble error)
	// Settings are what a run is to begin with that is there again. It may take seconds.
	Settings() (control.Settings, error)
	// Unheard says what becomes of what is set now, where run control does not hear of it; empty where it does.
	Unheard() string
}

// Progress tells run control how far a run is.
type Progress func() control.Report

// openOrders registers with run control, when all is ready.
func (r *Run) openOrders() (err error) {
	if r.cfg.Control == nil {
		return nil
	}
	r.orders, err = r.cfg.Control(func() control.Report {
		last, through := r.held.Last()
		told := control.Report{Last: last, Events: r.books.received.Load(), Through: through}
		told.Settings = r.steering.words()
		r.fate(&told)
		return told
	})
	return fail(Configuration, err)
}

// obey hands orders to the source, until run control lets the run go.
func (r *Run) obey() {
	for o := range r.orders.Orders() {
		service, transition := o.Service()
		r.held.Order(source.Order{Number: o.Number, Service: service, Hold: o.Holds(), GoOn: !transition && !o.Holds(), Time: o.Time,
			From: o.From, Run: o.Run, Step: o.Step})
	}
	if r.orders.Why() != "" {
		r.finish(nil)
	}
}

// halted tells run control that the source gives no more events, or does again.
func (r *Run) halted(order uint64) { r.orders.Done(order, nil) }

// numberRun gives a run the number that run control has for it.
func (r *Run) numberRun(service xtc.TransitionID, d xtc.Dgram) {
	if r.held != nil && service == xtc.BeginRun {
		xtc.SetRun(r.layouts.table, d, r.held.Ordered().Run)
	}
}

// mark notes which order a transition follows. What is made up follows none, but the closing ones, which nobody waits for.
func (r *Run) mark(e *entry) {
	if r.held == nil || e.implied {
		return
	}
	o := r.held.Ordered()
	if o.Service == e.service {
		e.detail.order, e.detail.run = o.Number, o.Run
	}
}

// obeyed is the last order that was followed, and what went wrong with it or those before that nobody was told of.
type obeyed struct {
	order   uint64
	service xtc.TransitionID
	trouble error
}

func (o *obeyed) note(t *told) {
	d := t.detail
	if d.order == 0 {
		return
	}
	if o.order, o.service = d.order, t.service; o.trouble == nil {
		o.trouble = d.trouble
	}
}

// tell tells run control of what was followed, when it is in the files.
func (c *collector) tell() {
	if c.obeyed.order > 0 {
		c.orders.Done(c.obeyed.order, cmp.Or(c.unable(c.obeyed.service), c.obeyed.trouble))
		c.obeyed = obeyed{}
	}
}

package teb

import (
	"time"

	"drp/internal/settings"
	"drp/xtc"
)

// Logic decides. It is used by one goroutine at a time, and for as long as the TEB runs. One that is an io.Closer is closed
// with the TEB, also while it decides: Decide then returns soon.
type Logic interface {
	// Configure is called once, with the schemas of all contributors in their order, and gives the reasons that Decide will
	// name: verdict reason ReasonLogic is the first of them. An error says that it cannot work with these schemas.
	Configure(schemas []*Schema) ([]Reason, error)
	// Decide fills the verdicts of a batch, which are all zero before: rejected. What it says of transitions, which are
	// among the events, does not count. A Configure, BeginRun or BeginStep comes alone, while no other Logic decides.
	Decide(b *Batch)
}

// alone tells whether something comes to a Logic alone, while no other Logic has anything: what changes with a run or a step
// changes then.
func alone(e *event) bool {
	return e.service == xtc.BeginRun || e.service == xtc.Configure || e.service == xtc.BeginStep
}

// Reason is why an event is kept.
type Reason struct {
	Name     string `json:"name"`
	Prescale uint32 `json:"prescale,omitempty"` // only one in so many of its events is; 0 is each
	When     string `json:"when,omitempty"`     // the expression, where it is one
}

// Table is what decisions refer to by numbers. It is known from Configure on, and does not change.
type Table struct {
	Reasons      []Reason `json:"reasons"`
	Contributors []string `json:"contributors"`       // in the order of the bits
	Settings     bool     `json:"settings,omitempty"` // decisions have the generation of parameters
	// Parameters are these, as far as one must know to read their values.
	Parameters []Parameter `json:"parameters,omitempty"`
}

// Parameter is one of a Steered Logic: what it is called, and of which type of package settings its values are.
type Parameter struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Steered is a Logic with parameters that can be changed while it decides. They are known from Configure on.
type Steered interface {
	Parameters() []settings.Parameter
}

// Settings are what parameters are set to, in the order in which they were declared, from one batch on. They do not change.
type Settings struct {
	Generation uint32
	Values     []any
}

// Verdict is what a Logic says of an event. Its reason is one of those that the Logic has named, ReasonRejected, or
// ReasonFailed, with which the event gets the default.
type Verdict struct {
	Reason  uint16
	Persist bool
	Monitor uint32
}

// Func is a Logic of one function, for those who build on this package.
type Func struct {
	Reasons []Reason
	Check   func(schemas []*Schema) error // may be nil
	Do      func(b *Batch)
}

// Configure implements Logic.
func (f *Func) Configure(schemas []*Schema) ([]Reason, error) {
	if f.Check == nil {
		return f.Reasons, nil
	}
	return f.Reasons, f.Check(schemas)
}

// Decide implements Logic.
func (f *Func) Decide(b *Batch) { f.Do(b) }

// Batch is events for a Logic, in the order of their pulse IDs, with what each contributor brought for them. All of it is
// read-only but the verdicts.
type Batch struct {
	Verdicts []Verdict // one for each event

	builder  *builder
	places   []int32
	seed     uint64
	settings *Settings

	begun     time.Duration // when a Logic got it
	done      bool
	abandoned bool // it took too long, and the default was given instead
}

// Len is the number of events.
func (b *Batch) Len() int { return len(b.places) }

func (b *Batch) event(i int) *event { return &b.builder.events[b.places[i]] }

// Head is what is known of event i: of all who brought something, the groups and the damage are joined.
func (b *Batch) Head(i int) Head {
	e := b.event(i)
	return Head{Pulse: e.key.Pulse, Time: e.time, Groups: e.groups, Damage: e.damage, Service: e.service}
}

// Contributions has a bit for each contributor that brought something for event i.
func (b *Batch) Contributions(i int) uint64 { return b.event(i).have }

// Row is what contributor k brought for event i, or nil.
func (b *Batch) Row(i, k int) []byte {
	if b.event(i).have>>k&1 == 0 {
		return nil
	}
	return b.row(i, k)
}

func (b *Batch) row(i, k int) []byte {
	c := &b.builder.contributors[k]
	size := c.schema.rowBytes
	return c.rows[int(b.places[i])*size:][:size]
}

// Prescale is true for one in n events of the lowest readout group of event i, exactly; which, the seed decides. It does
// not matter how often it is asked.
func (b *Batch) Prescale(i int, n int64) bool {
	if n <= 1 {
		return n == 1
	}
	e := b.event(i)
	return hits(e.ordinal, b.seed, uint64(lowest(e.groups)), uint64(n))
}

// Ordinal counts the events of the lowest readout group of event i, and Seed chooses where: what Prescale computes with, for
// a Logic that prescales elsewhere.
func (b *Batch) Ordinal(i int) uint64 { return b.event(i).ordinal }

// Seed is Config.PrescaleSeed.
func (b *Batch) Seed() uint64 { return b.seed }

// Settings are what the parameters of whoever decides are set to for this batch; nil where there are none.
func (b *Batch) Settings() *Settings { return b.settings }

// hits tells whether one that was counted is the one in n. Seed and stream choose where the count begins.
func hits(count, seed, stream, n uint64) bool {
	return (count+mix(seed+stream*0x9e3779b97f4a7c15)%n)%n == 0
}

// Owner tells which of n TEBs that share the events of a partition decides about an event. Each gets blocks of 64 pulse IDs, in
// an order that no period of the machine can meet.
func Owner(pulse uint64, n int) int { return int(mix(pulse>>6) % uint64(n)) }

// mix makes of near numbers distant ones (the finaliser of SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

package teb

import (
	"fmt"
	"log/slog"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
)

// Rule keeps events for which an expression is true.
type Rule struct {
	Name     string `json:"name" yaml:"name"` // the reason in the decision
	When     string `json:"when" yaml:"when"`
	Persist  bool   `json:"persist" yaml:"persist"`
	Monitor  uint32 `json:"monitor" yaml:"monitor"`   // one bit for each destination
	Prescale uint32 `json:"prescale" yaml:"prescale"` // keep only one in so many of its events
}

const (
	maxRules     = 64
	maxRuleBytes = 4096
	chunk        = 256 // events that are looked at together
)

// Expression is a Logic of rules. The first one that is true is the reason; an event is kept, and monitored, as all that
// are true say. Rules are parsed and checked against the schemas by expr-lang/expr; what is made of numbers, comparisons,
// and sums over contributors is then computed column by column, and the rest by the library, one event at a time.
type Expression struct {
	Log *slog.Logger // says on which events a rule fails: the 1st, 2nd, 4th, … of each rule; nil says nothing

	rules  []Rule
	when   []condition
	values *environment
	part   Batch // that is decided now
}

// condition is a rule that was checked: one of both.
type condition struct {
	column  *column
	program *vm.Program
	failed  uint64 // on so many events
}

// NewExpression makes a Logic of rules. Each Logic of a TEB has its own.
func NewExpression(rules []Rule) *Expression {
	return &Expression{rules: append([]Rule(nil), rules...)}
}

// Configure implements Logic.
func (x *Expression) Configure(schemas []*Schema) (reasons []Reason, err error) {
	if len(x.rules) < 1 || len(x.rules) > maxRules {
		return nil, fmt.Errorf("teb: %d rules: 1 to %d are possible", len(x.rules), maxRules)
	}
	if x.values, err = newEnvironment(schemas); err != nil {
		return nil, err
	}
	x.when = nil
	for _, r := range x.rules {
		if err := checkName(r.Name); err != nil {
			return nil, fmt.Errorf("teb: rule: %w", err)
		}
		if len(r.When) > maxRuleBytes {
			return nil, fmt.Errorf("teb: rule %s has %d bytes: at most %d are possible", r.Name, len(r.When), maxRuleBytes)
		}
		w, err := x.compile(r.When)
		if err != nil {
			return nil, fmt.Errorf("teb: rule %s: %w", r.Name, err)
		}
		x.when = append(x.when, w)
		reasons = append(reasons, Reason{Name: r.Name, Prescale: r.Prescale, When: r.When})
	}
	return reasons, nil
}

// compile checks an expression. Columns are made of its tree as it was written, which the library changes for itself.
func (x *Expression) compile(when string) (w condition, err error) {
	checked, err := expr.Compile(when, append(x.values.options(), expr.Optimize(false))...)
	if err != nil {
		return w, fmt.Errorf("%w\nthere are: %s", err, x.values.names())
	}
	c := compiler{schemas: x.values.schemas}
	if w.column = c.compile(checked.Node()); w.column != nil || c.err != nil {
		return w, c.err
	}
	w.program, err = expr.Compile(when, x.values.options()...)
	return w, err
}

// Slow names the rules that the library computes, one event at a time.
func (x *Expression) Slow() (names []string) {
	for i, w := range x.when {
		if w.column == nil {
			names = append(names, x.rules[i].Name)
		}
	}
	return names
}

// Decide implements Logic.
func (x *Expression) Decide(b *Batch) {
	for at := 0; at < b.Len(); at += chunk {
		end := min(at+chunk, b.Len())
		x.part = Batch{Verdicts: b.Verdicts[at:end], places: b.places[at:end], builder: b.builder, seed: b.seed}
		for i := range x.when {
			x.apply(&x.part, i)
		}
	}
}

// apply lets one rule speak.
func (x *Expression) apply(b *Batch, rule int) {
	r, w := &x.rules[rule], &x.when[rule]
	if w.column == nil {
		x.ask(b, rule)
		return
	}
	w.column.compute(b)
	for i, is := range w.column.truths[:b.Len()] {
		if is {
			b.Verdicts[i].add(r, rule)
		}
	}
}

// ask lets the library compute a rule.
func (x *Expression) ask(b *Batch, rule int) {
	for i := range b.Verdicts {
		x.values.set(b, i)
		switch is, err := expr.Run(x.when[rule].program, x.values.vars); {
		case err != nil:
			b.Verdicts[i].Reason = ReasonFailed
			x.complain(rule, b.Head(i), err)
		case is == true:
			b.Verdicts[i].add(&x.rules[rule], rule)
		}
	}
}

// complain says that a rule failed on an event.
func (x *Expression) complain(rule int, h Head, err error) {
	w := &x.when[rule]
	if w.failed++; w.failed&(w.failed-1) == 0 && x.Log != nil && h.Service.IsEvent() {
		x.Log.Error(fmt.Sprintf("rule %s fails on the event of pulse %d, which gets the default, reason failed (%d so far): %v",
			x.rules[rule].Name, h.Pulse, w.failed, err))
	}
}

// add joins what a rule says that is true.
func (v *Verdict) add(r *Rule, rule int) {
	if v.Reason == ReasonRejected {
		v.Reason = ReasonLogic + uint16(rule)
	}
	v.Persist = v.Persist || r.Persist
	v.Monitor |= r.Monitor
}

package control

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// UndoneError says that an order was passed on, and that what it is for could not begin, as the recording of a run.
type UndoneError struct{ Err error }

func (e *UndoneError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *UndoneError) Unwrap() error { return e.Err }

// mostTroubles is how many kinds of trouble a process can tell of, and longestKind as long as the name of one can be.
const (
	mostTroubles = 16
	longestKind  = 32
)

// exitLoss is the exit code of a process that lost more events than it may (docs/operations.md).
const exitLoss = 6

// bounded keeps the words of a process short.
func (r *Report) bounded() {
	r.Warning, r.Left = cut(r.Warning, longestReason), cut(r.Left, longestReason)
	kept := map[string]string{}
	for _, kind := range slices.Sorted(maps.Keys(r.Troubles)) {
		if len(kept) < mostTroubles && kind != "" && r.Troubles[kind] != "" {
			kept[cut(kind, longestKind)] = cut(r.Troubles[kind], longestReason)
		}
	}
	r.Troubles = kept
	if r.Settings != nil {
		r.Settings.bounded()
	}
}

// hear writes to the log what is new among the troubles of a process: each kind once in a run, since what comes and goes would
// fill it.
func (p *Partition) hear(m *member, r *Report) {
	for _, kind := range slices.Sorted(maps.Keys(r.Troubles)) {
		if m.said[kind] {
			continue
		}
		if m.said == nil {
			m.said = map[string]bool{}
		}
		m.said[kind] = true
		p.cfg.Log.Error(fmt.Sprintf("%s: %q", m.Name, r.Troubles[kind]))
	}
}

// trouble is all that there is to say of a process that is not as it should be.
func (m *member) trouble(absent string, troubles map[string]string) string {
	if absent != "" {
		return absent
	}
	var all []string
	if text := cmp.Or(m.clock, m.report.Warning); text != "" {
		all = append(all, text)
	}
	for _, kind := range slices.Sorted(maps.Keys(troubles)) {
		all = append(all, troubles[kind])
	}
	return strings.Join(all, "; ")
}

// loses tells what a process that is no more has lost, empty if nothing. What it may lose by its own flags is no loss: then it
// ended with exit code 0. One that was killed has said no more than how things were.
func (m *member) loses() string {
	r := &m.report
	switch {
	case r.Exit == exitLoss, r.Exit != 0 && r.Lost > 0:
		return fmt.Sprintf("has lost data, and ended: %s", r.Left)
	case r.Left == "" && r.Lost > 0:
		return fmt.Sprintf("had lost %d events before it was gone", r.Lost)
	}
	return ""
}

// bury remembers what a process has lost that is forgotten now.
func (p *Partition) bury(m *member) {
	if what := m.loses(); what != "" {
		p.losses[m.Name] = what
	}
}

// ended is what went wrong with processes, now that all have ended: above all that data was lost.
func (p *Partition) ended(first error) error {
	lost := maps.Clone(p.losses)
	badly := map[string]string{}
	for name, m := range p.members {
		if what := m.loses(); what != "" {
			lost[name] = what
		} else if m.report.Exit != 0 && m.report.Exit != exitInterrupted {
			badly[name] = m.gone
		}
	}
	switch {
	case len(lost) > 0:
		maps.Copy(lost, badly)
		problem := &Problem{Kind: Lost, Message: "the partition has ended, and data was lost: " + sentence(lost), Failed: lost}
		p.cfg.Log.Error(problem.Message)
		return problem
	case first != nil:
		return first
	case len(badly) > 0:
		return &Problem{Kind: Ended, Message: "the partition has ended, but with errors: " + sentence(badly), Failed: badly}
	}
	return nil
}

// exitInterrupted is that of a process that somebody interrupted, who knows.
const exitInterrupted = 130

// undone tells why a process could not do what an order is for, empty if it could.
func (m *member) undone(order uint64) string {
	if m.report.Undone != order || order == 0 {
		return ""
	}
	return "failed: " + m.report.Warning
}

// isUndone tells whether what went wrong with an order is that.
func isUndone(err error) bool { return errors.As(err, new(*UndoneError)) }

package control

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"drp/xtc"
)

// State is how far a partition has been brought, or a process of it.
type State int

// The states, from one end of a run to the other.
const (
	Unconfigured State = iota
	Configured
	Running
	InStep
	Enabled
)

var stateNames = [...]string{"unconfigured", "configured", "running", "in-step", "enabled"}

func (s State) String() string { return stateNames[s] }

// MarshalText implements encoding.TextMarshaler.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *State) UnmarshalText(text []byte) error {
	i := slices.Index(stateNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("control: there is no state %q: there are %s", clip(string(text)), strings.Join(stateNames[:], ", "))
	}
	*s = State(i)
	return nil
}

// A Transition leads from a state to one of its neighbours.
type Transition struct {
	Name     string
	Service  xtc.TransitionID
	From, To State
	Deadline time.Duration // unless somebody gives another
}

// Transitions are all, those that lead up before those that lead down.
func Transitions() []Transition {
	return []Transition{
		// A trigger event builder is waited for for 30 s, and scripts for 60.
		{"configure", xtc.Configure, Unconfigured, Configured, 90 * time.Second},
		{"begin-run", xtc.BeginRun, Configured, Running, 60 * time.Second},
		{"begin-step", xtc.BeginStep, Running, InStep, 30 * time.Second},
		{"enable", xtc.Enable, InStep, Enabled, 30 * time.Second},
		{"disable", xtc.Disable, Enabled, InStep, 60 * time.Second},
		{"end-step", xtc.EndStep, InStep, Running, 30 * time.Second},
		{"end-run", xtc.EndRun, Running, Configured, 60 * time.Second},
		{"unconfigure", xtc.Unconfigure, Configured, Unconfigured, 30 * time.Second},
	}
}

// hold is the order before a Disable: give no more events, and say how far they went.
const hold = "hold"

// goOn is the order that lifts a hold whose Disable never came.
const goOn = "go-on"

// drop and back are no orders but lines of the journal alone: a process need not be there, or must be again.
const (
	drop = "drop"
	back = "back"
)

// find gives the transition of a name.
func find(name string) (Transition, error) {
	all, names := Transitions(), []string{}
	for _, t := range all {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return Transition{}, refuse(Wrong, "there is no transition %q: there are %s", clip(name), strings.Join(names, ", "))
}

// towards is the transition that leads from one state nearer to another.
func towards(from, to State) Transition {
	for _, t := range Transitions() {
		if t.From == from && (t.To > from) == (to > from) {
			return t
		}
	}
	panic("control: no transition leads there") // from is to
}

// Order is what a process is to do next.
type Order struct {
	Number uint64 `json:"number"` // of the journal, from 1
	Name   string `json:"name"`   // a transition, hold or go-on
	Time   uint64 `json:"time"`   // seconds since 1990 << 32 | nanoseconds, as in datagrams; 0 of what is no transition
	Run    int    `json:"run,omitempty"`
	Step   int    `json:"step,omitempty"` // of the run, from 0
	From   uint64 `json:"from,omitempty"` // of an enable for one that comes late: no event before this time

	Process string `json:"process,omitempty"` // in the journal, who was dropped, or has come back
}

// Holds tells whether no more events are to be given; if not, and no datagram follows either, they are to go on.
func (o Order) Holds() bool { return o.Name == hold }

// Service is the kind of datagram that follows the order; ok is false where none does.
func (o Order) Service() (id xtc.TransitionID, ok bool) {
	t, err := find(o.Name)
	return t.Service, err == nil
}

// leads gives the orders that hold after another: those by which a process comes from nothing to where the others are.
func leads(stack []Order, o Order) []Order {
	t, err := find(o.Name)
	switch {
	case o.Process != "":
		return stack
	case o.Name == goOn:
		return slices.DeleteFunc(stack, func(before Order) bool { return before.Name == hold })
	case err != nil:
		return append(stack, o) // a hold
	case t.To > t.From:
		return append(stack, o)
	}
	return slices.DeleteFunc(stack, func(before Order) bool {
		b, err := find(before.Name)
		return err != nil || b.From >= t.To
	})
}

// stateOf is where orders that hold lead.
func stateOf(stack []Order) State {
	at := Unconfigured
	for _, o := range stack {
		if t, err := find(o.Name); err == nil {
			at = t.To
		}
	}
	return at
}

func timeOf(t time.Time) uint64 { return uint64(t.Unix()-xtc.Epoch)<<32 | uint64(t.Nanosecond()) }

// next is the time after another: nanoseconds end at a thousand million. Nothing comes after the last second of all.
func next(time uint64) uint64 {
	const second = 1000000000
	if time>>32 == math.MaxUint32 {
		return math.MaxUint32 << 32
	}
	if time&0xffffffff >= second-1 {
		return (time>>32 + 1) << 32
	}
	return time + 1
}

// clip keeps words of others short, and cut their sentences.
func clip(text string) string { return cut(text, 80) }

func cut(text string, enough int) string {
	if len(text) > enough {
		return strings.ToValidUTF8(text[:enough], "") + "…"
	}
	return text
}

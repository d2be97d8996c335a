package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"drp/record"
	"drp/xtc"
)

// eventChoice says which event of a file is meant: by number, by time, or, with neither, the only one.
type eventChoice struct {
	number int64 // -1: not by number
	time   uint64
	byTime bool
}

// parseTime reads a timestamp as messages print it, seconds.nanoseconds, or as 64 bits.
func parseTime(text string) (uint64, error) {
	seconds, nano, dotted := strings.Cut(text, ".")
	if !dotted {
		v, err := strconv.ParseUint(text, 0, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is neither seconds.nanoseconds nor a number of 64 bits", text)
		}
		return v, nil
	}
	s, err := strconv.ParseUint(seconds, 10, 32)
	n, errNano := strconv.ParseUint(nano, 10, 32)
	if err != nil || errNano != nil || len(nano) != 9 {
		return 0, fmt.Errorf("%q: the seconds need 9 digits behind the point", text)
	}
	return s<<32 | n, nil
}

// pickEvent reads the event that is meant, with the transitions that hold before it.
func pickEvent(path string, choice eventChoice) (*record.Quarantined, error) {
	q, err := findEvent(path, choice)
	if errors.Is(err, errWhichEvent) {
		return nil, fmt.Errorf("%s holds %w", path, err) // a matter of usage
	}
	if err != nil {
		return nil, fileError(err)
	}
	if len(q.State) == 0 || q.State[0].Service() != xtc.Configure {
		return nil, fileError(fmt.Errorf("%s: no Configure comes before the event: give the first chunk of the run", path))
	}
	return q, nil
}

var errWhichEvent = errors.New("more than one event: choose with --event-number or --time")

func findEvent(path string, choice eventChoice) (*record.Quarantined, error) {
	r, err := xtc.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var found *record.Quarantined
	var state []xtc.Dgram
	for number := int64(0); ; {
		d, err := r.Next()
		if errors.Is(err, io.EOF) || err != nil && found != nil {
			break // what lies behind the event is not needed
		}
		if err != nil {
			return nil, err
		}
		isEvent := d.Service().IsEvent()
		if isEvent && !choice.means(number, d.Time()) {
			number++
			continue
		}
		if isEvent && found != nil {
			return nil, errWhichEvent
		}
		if d, err = r.ReadDgram(nil); err != nil {
			return nil, err
		}
		if !isEvent {
			state = hold(state, d)
			continue
		}
		found = &record.Quarantined{State: slices.Clone(state), Event: d, Number: number}
		if choice.number >= 0 || choice.byTime {
			break
		}
		number++
	}
	if found == nil {
		return nil, fmt.Errorf("%s: there is no such event", path)
	}
	return found, nil
}

func (c *eventChoice) means(number int64, time uint64) bool {
	switch {
	case c.byTime:
		return time == c.time
	case c.number >= 0:
		return number == c.number
	}
	return true
}

// ends maps each transition that holds to the one that ends it.
var ends = map[xtc.TransitionID]xtc.TransitionID{
	xtc.Configure:  xtc.Unconfigure,
	xtc.BeginRun:   xtc.EndRun,
	xtc.BeginStep:  xtc.EndStep,
	xtc.Enable:     xtc.Disable,
	xtc.SlowUpdate: xtc.EndRun, // the latest
}

// hold adds a transition to those that hold, and drops what it ends or repeats.
func hold(state []xtc.Dgram, d xtc.Dgram) []xtc.Dgram {
	id := d.Service()
	if id == xtc.Configure || id == xtc.Unconfigure {
		state = nil
	}
	state = slices.DeleteFunc(state, func(old xtc.Dgram) bool { return ends[old.Service()] == id || old.Service() == id })
	if _, holds := ends[id]; holds {
		state = append(state, d)
	}
	return state
}

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"drp/monitor"
	"drp/xtc"
)

// mostMerged is how many runs can be watched as one.
const mostMerged = 64

// expandNames puts the names of runs that are there in the place of patterns.
func expandNames(args []string) (names []string, err error) {
	for _, name := range args {
		if !strings.ContainsAny(name, "*?[") {
			names = append(names, name)
			continue
		}
		fit, err := monitor.Names(name)
		if err == nil && len(fit) == 0 {
			err = fmt.Errorf("no run that can be watched is named like %s: drp --monitor gives names", name)
		}
		if err != nil {
			return nil, general(err)
		}
		names = append(names, fit...)
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) > mostMerged {
		return nil, fmt.Errorf("%d runs are too many: at most %d can be watched as one", len(names), mostMerged)
	}
	return names, nil
}

// watchAll prints the events of several runs, until all of them have ended.
func (f *consumerFlags) watchAll(ctx context.Context, names []string) error {
	m, err := monitor.NewMerge(monitor.MergeOptions{Names: names, Who: "drp monitor", Choose: f.choose, Deadline: f.deadline,
		Complete: f.whole, Wait: max(f.wait, time.Second)})
	if err != nil {
		return general(err)
	}
	defer m.Close()
	if !f.asJSON {
		printf("%11s  %-30s  %10s  %-4s  %8s  %7s  %s\n", "event", "time", "bytes", "", "bits", "missed", "without a part")
	}
	for n := uint64(0); f.events == 0 || n < f.events; {
		e, err := m.Next(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, monitor.ErrAllEnded):
			return nil
		case err != nil:
			return general(err)
		case e.Transition != nil && e.Again:
			continue
		case e.Transition != nil:
			err = f.print(e.Transition, nil)
		default:
			n++
			err = f.printMerged(e)
		}
		if err != nil {
			return general(err)
		}
	}
	return nil
}

func (f *consumerFlags) printMerged(e *monitor.Merged) error {
	all := e.Facts()
	l := line{Event: &all.Number, Time: e.Time, Bits: all.Bits, Hit: all.Flags&monitor.Hit != 0, Rejected: all.Flags&monitor.Rejected != 0,
		Vetoed: all.Flags&monitor.Vetoed != 0, Missing: e.Missing}
	var damage xtc.Damage
	for _, p := range e.Parts {
		if p != nil {
			l.Bytes += len(p.Dgram)
			l.Missed += p.Missed
			damage |= p.Dgram.Damage()
		}
	}
	l.Damage = damage.String()
	if f.asJSON {
		return l.encode()
	}
	_, err := fmt.Fprintf(&stdout, "%11d  %-30v  %10d  %-4s  %8x  %7d  %s\n", all.Number, xtc.TimestampOf(l.Time), l.Bytes, l.marks(), l.Bits, l.Missed,
		strings.TrimSpace(strings.Join(l.Missing, " ")+" "+l.Damage))
	return err
}

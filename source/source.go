package source

import (
	"context"
	"fmt"
	"strings"

	"drp/pebble"
	"drp/xtc"
)

// Source delivers the datagrams of a run in order.
type Source interface {
	// Info says what is known before the first datagram.
	Info() Info
	// Next announces the next datagram, waiting until it is due.
	Next(ctx context.Context) (Header, error)
	// Fill reads the announced datagram into a slot and returns its length.
	Fill(loan *pebble.Loan) (int, error)
	// Skip leaves the announced datagram out.
	Skip() error
	// Close frees what the source holds.
	Close() error
}

// Header announces a datagram.
type Header struct {
	Service xtc.TransitionID
	Time    uint64 // see xtc.Dgram.Time
	Bytes   int
}

// Info is what a source knows about itself.
type Info struct {
	Name               string // for people
	Expt               string // empty when not known
	Run                int
	Stream             int
	Events             int // number of L1Accepts to come, of the longest stream; -1 when not known
	MaxEventBytes      int // size of the largest L1Accept
	MaxTransitionBytes int
	Warnings           []string // oddities that do not keep it from being replayed
}

// Options are what the user chose for any source.
type Options struct {
	Expt   string // for the simulator's runinfo
	Run    int
	Loop   bool
	Events int64 // how many the user wants in all; 0 is not said
	Held   bool  // transitions are ordered, and a camera has no end of its own
}

// Open opens what the user named: "sim:key=value,…", or XTC2 files, folders and patterns.
func Open(names []string, o Options) (Source, error) {
	for _, name := range names {
		if rest, ok := strings.CutPrefix(name, "sim:"); ok {
			if len(names) > 1 {
				return nil, fmt.Errorf("source: %s cannot be joined with other sources", name)
			}
			p, err := ParseSim(rest)
			if err != nil {
				return nil, err
			}
			if o.Held && !strings.Contains(rest, "events=") {
				p.Events = 0
			}
			if o.Events > 0 && !strings.Contains(rest, "events=") {
				parts := int64(p.Steps * p.Runs * p.Configs)
				p.Events = int((o.Events + parts - 1) / parts)
			}
			s, err := NewSim(p, o)
			if err != nil {
				return nil, err
			}
			s.info.Name = name // which says what its constants are
			return s, nil
		}
		if scheme, _, ok := strings.Cut(name, ":"); ok && !strings.ContainsAny(scheme, "/.*") && scheme != "file" {
			return nil, fmt.Errorf("source: %q is no source: give sim: or XTC2 files", name)
		}
	}
	return OpenFiles(names, o)
}

// nanoseconds and timestamp convert between a datagram's time (seconds in the high half) and a linear count.
func nanoseconds(time uint64) uint64 { return time>>32*1e9 + time&0xffffffff }

func timestamp(ns uint64) uint64 { return ns/1e9<<32 | ns%1e9 }

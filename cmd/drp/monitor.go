package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"drp/drp"
	"drp/internal/wire"
	"drp/monitor"
	"drp/xtc"
)

// monitorFlags are those of a run about who can watch it.
type monitorFlags struct {
	name   string
	slots  int
	karabo []string
}

func (f *monitorFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&f.name, "monitor", "", "let others of this machine watch the run as `PARTITION/DETECTOR` (docs/monitoring.md)")
	fl.StringSliceVar(&f.karabo, "karabo", nil, "also give them to clients of the Karabo bridge at `ADDRESS`, as "+bridgeAddress+" (docs/karabo.md)")
	fl.IntVar(&f.slots, "monitor-slots", 0, "events that are kept for those who watch (default: as many as 128 MiB hold, 8 to 4096)")
}

// complete gives what a run is to know of it, nil where nobody can watch.
func (f *monitorFlags) complete() (*drp.Monitor, error) {
	if f.name == "" {
		if len(f.karabo) > 0 {
			return nil, errors.New("--karabo gives away what --monitor shows: give that, too")
		}
		if f.slots != 0 {
			return nil, errors.New("--monitor-slots is for --monitor: give that, too")
		}
		return nil, nil
	}
	return &drp.Monitor{Name: f.name, Slots: f.slots}, nil
}

// bridge gives the events of the run to clients of the Karabo bridge; nil if none are to have them.
func (f *monitorFlags) bridge(log *slog.Logger) (*bridge, error) {
	if len(f.karabo) == 0 {
		return nil, nil
	}
	sockets, err := appendSockets(nil, "--karabo", wire.Reply, f.karabo)
	if err != nil {
		return nil, err
	}
	return openBridge(f.name, monitor.Choice{}, sockets, log)
}

// consumerFlags are those of drp monitor.
type consumerFlags struct {
	choose monitor.Choice
	bits   string
	events uint64
	wait   time.Duration
	asJSON bool

	whole    bool
	deadline time.Duration
	page     watchFlags
	plot     plotFlags
}

func newMonitorCommand() *cobra.Command {
	var f consumerFlags
	cmd := &cobra.Command{
		Use:   "monitor PARTITION/DETECTOR...",
		Short: "Show the events of a run, or of several as one, as they come",
		Long: `monitor watches a run of this machine and this user that was started with --monitor, and prints a line for each event
and each transition: it never slows the run. What is missed, since lines are slower than events, is counted in each line.

  drp -p myroi.py --monitor tmo/epix                     a run that can be watched
  drp monitor tmo/epix --newest                          its events, as fast as they can be printed
  drp monitor tmo/epix --hits --every 10 --json          every 10th hit, for other programs
  drp monitor tmo/epix0 tmo/epix1                        events of two runs, put together by their time
  drp monitor 'tmo/*' --complete                         those of all that are there now which have a part of each
  drp monitor tmo/epix --plot                            the newest event as a picture, in a terminal, also through ssh
  drp monitor tmo/epix --png newest.png                  the same as a file, for who shows it elsewhere
  drp monitor tmo/epix --http 127.0.0.1:8081             its page, from a process of its own`,
		Args: needs(1, mostMerged),
		RunE: func(_ *cobra.Command, args []string) error {
			names, err := expandNames(args)
			if err != nil {
				return err
			}
			for _, name := range names {
				if err := f.complete(name); err != nil {
					return err
				}
			}
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			plots, err := f.plots(names)
			switch {
			case err != nil:
				return err
			case plots:
				return f.draw(ctx, names[0])
			case f.page.http != "" && len(names) > 1:
				return errors.New("--http shows one run: give one name")
			case f.page.http != "":
				return f.page.serve(ctx, names[0])
			case len(names) > 1 || f.whole:
				return f.watchAll(ctx, names)
			}
			return f.watch(ctx, names[0])
		},
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	f.choice(fl)
	fl.Uint64Var(&f.events, "events", 0, "stop after so many events (0: at the end of the run)")
	fl.DurationVar(&f.wait, "wait", 0, "how long to wait for the run to begin")
	fl.BoolVar(&f.whole, "complete", false, "of several runs: only events of which each has a part")
	fl.DurationVar(&f.deadline, "deadline", time.Second, "of several runs: how long to wait for one that shows nothing")
	fl.BoolVar(&f.asJSON, "json", false, "print a JSON object for each line")
	f.plot.add(fl)
	f.page.addWatching(fl)
	f.page.aim.add(fl)
	return cmd
}

// choice adds the flags of which events.
func (f *consumerFlags) choice(fl *pflag.FlagSet) {
	fl.BoolVar(&f.choose.Hits, "hits", false, "hits only")
	fl.StringVar(&f.bits, "bits", "", "only events for which the trigger's word for monitors has any of these `bits`, as 0x5")
	fl.Uint64Var(&f.choose.Every, "every", 1, "one in so many of these")
	fl.BoolVar(&f.choose.Newest, "newest", false, "the next that comes after the one before was shown, and none that has waited")
}

func (f *consumerFlags) complete(name string) error {
	if err := monitor.CheckName(name); err != nil {
		return err
	}
	if f.choose.Every < 1 || f.wait < 0 {
		return errors.New("--every must be 1 or more, and --wait not negative")
	}
	if f.bits == "" {
		return nil
	}
	var bits uint64
	if _, err := fmt.Sscanf(f.bits, "%v", &bits); err != nil || bits == 0 || bits > math.MaxUint32 {
		return fmt.Errorf("--bits %q: give a number of up to 32 bits that is not 0, as 5 or 0x5", f.bits)
	}
	f.choose.Bits = uint32(bits)
	return nil
}

// watch prints until the run ends.
func (f *consumerFlags) watch(ctx context.Context, name string) error {
	c, err := f.dial(ctx, name)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if !f.asJSON {
		printf("%11s  %-30s  %10s  %-4s  %8s  %7s  %s\n", "event", "time", "bytes", "", "bits", "missed", "damage")
	}
	ends := endings{}
	for n := uint64(0); f.events == 0 || n < f.events; {
		it, err := c.Next(ctx)
		switch {
		case errors.Is(err, io.EOF) || ctx.Err() != nil:
			return nil
		case err != nil:
			return general(err)
		}
		if it.Dgram.Service().IsEvent() {
			n++
		}
		if err := f.print(it, ends.of(it.Dgram)); err != nil {
			return general(err)
		}
	}
	return nil
}

// dial waits until the run is there.
func (f *consumerFlags) dial(ctx context.Context, name string) (*monitor.Client, error) {
	for deadline := time.Now().Add(f.wait); ; {
		c, err := monitor.Dial(ctx, name, f.choose, "drp monitor")
		if err == nil {
			return c, nil
		}
		absent := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
		if !absent || ctx.Err() != nil || !time.Now().Before(deadline) {
			return nil, general(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// line is what is printed as JSON.
type line struct {
	Transition string `json:"transition,omitempty"`
	Replayed   bool   `json:"replayed,omitempty"`
	Event      *int64 `json:"event,omitempty"`
	Time       uint64 `json:"time"`
	TimeHex    string `json:"time_hex"` // as in reports, for readers that know only float64 and round the number
	Bytes      int    `json:"bytes"`
	Hit        bool   `json:"hit,omitempty"`
	Rejected   bool   `json:"rejected,omitempty"`
	Vetoed     bool   `json:"vetoed,omitempty"`
	Bits       uint32 `json:"bits,omitempty"`
	Missed     uint64 `json:"missed,omitempty"`
	Damage     string `json:"damage,omitempty"`

	Books   map[string]int64 `json:"books,omitempty"`   // of the run, at its EndRun
	Missing []string         `json:"missing,omitempty"` // runs without a part
}

func (f *consumerFlags) print(it *monitor.Item, of *books) error {
	d := it.Dgram
	l := line{Time: d.Time(), Bytes: len(d), Hit: it.Flags&monitor.Hit != 0, Rejected: it.Flags&monitor.Rejected != 0,
		Vetoed: it.Flags&monitor.Vetoed != 0, Bits: it.Bits, Missed: it.Missed, Replayed: it.Replayed}
	if d.Damage() != 0 {
		l.Damage = d.Damage().String()
	}
	if d.Service().IsEvent() {
		l.Event = &it.Number
	} else {
		l.Transition = d.Service().String()
	}
	if of != nil {
		l.Books = of.values
	}
	if f.asJSON {
		return l.encode()
	}
	var err error
	if l.Event == nil {
		note := ""
		if l.Replayed {
			note = " (before)"
		}
		if of != nil {
			note += " " + of.String()
		}
		_, err = fmt.Fprintf(&stdout, "%11s  %-30v  %10d  %s\n", l.Transition, xtc.TimestampOf(l.Time), l.Bytes, strings.TrimSpace(note+" "+l.Damage))
	} else {
		_, err = fmt.Fprintf(&stdout, "%11d  %-30v  %10d  %-4s  %8x  %7d  %s\n", it.Number, xtc.TimestampOf(l.Time), l.Bytes, l.marks(), l.Bits,
			l.Missed, l.Damage)
	}
	return err
}

func (l *line) encode() error {
	l.TimeHex = fmt.Sprintf("0x%016x", l.Time)
	return json.NewEncoder(&stdout).Encode(l)
}

// marks are letters for what became of an event: hit, rejected, vetoed.
func (l *line) marks() string {
	text := ""
	for _, m := range []struct {
		is     bool
		letter string
	}{{l.Hit, "H"}, {l.Rejected, "R"}, {l.Vetoed, "V"}} {
		if m.is {
			text += m.letter
		}
	}
	return text
}

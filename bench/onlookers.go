package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Turns that are taken at the least, even where there is no time for them, and otherwise; and the standard error of the median at which
// no more are.
const (
	fewestTurns = 4
	usualTurns  = 8
	smallError  = 0.002
)

// kindOfRun is a run that is looked at.
type kindOfRun struct {
	name, what, source, script string
	flags                      []string
	large                      bool // only some look at it, and all its memory is in use before
}

func kindsOfRuns(o *MonitorOptions) []kindOfRun {
	return []kindOfRun{
		{name: "4k", what: "events of 4 KiB", source: "sim:segments=1,rows=32,cols=64,bank=1,hits=0,slow=0,events=1000000000000", script: o.Script},
		{name: "4m", what: "events of 4.3 MB", source: "sim:segments=4,rows=288,cols=1877,bank=4,hits=0,slow=0,events=1000000000000",
			script: o.Reader, flags: []string{"--slots", "8", "--monitor-slots", "8"}, large: true},
	}
}

// onlook measures, in turns, what becomes of a run when somebody looks: its throughput, as events in a second of the time
// that drp and its worker use of a core that they have for themselves, and its memory. What onlookers do elsewhere is not
// taken from it so, and what others do on that core is not, either. Each of them gets as much of the time that is left.
func (w *watching) onlook(ctx context.Context) error {
	end, left := time.Now().Add(w.o.Onlooking), 0
	runs := kindsOfRuns(&w.o)
	for i := range runs {
		left += len(runs[i].onlookers(&w.o))
	}
	if left == 0 {
		return fmt.Errorf("bench: nobody is named %s", strings.Join(w.o.Only, ", "))
	}
	for i := range runs {
		of := &runs[i]
		if len(of.onlookers(&w.o)) == 0 {
			continue
		}
		run, err := startRun(ctx, &w.o, of)
		if err != nil {
			return err
		}
		if of.large && w.o.Turns > 1 {
			err = w.warm(ctx, run)
		}
		for _, l := range of.onlookers(&w.o) {
			if err != nil {
				break
			}
			c := comparison{watching: w, run: run, name: l.name + "_" + of.name, what: of.what + ", " + l.what,
				end: time.Now().Add(time.Until(end) / time.Duration(left))}
			left--
			if err = c.compare(ctx, l); err != nil {
				err = fmt.Errorf("%s: %w", l.name, err)
			}
		}
		if err = errors.Join(err, run.close()); err != nil {
			return err
		}
	}
	return nil
}

// onlookers are those who look at it.
func (k *kindOfRun) onlookers(o *MonitorOptions) (all []*onlooker) {
	for i := range onlookers {
		if l := &onlookers[i]; (!k.large || l.large) && (len(o.Only) == 0 || slices.Contains(o.Only, l.name)) {
			all = append(all, &onlookers[i])
		}
	}
	return all
}

// warm lets everything be looked at until the run has touched all the memory that it ever uses for that.
func (w *watching) warm(ctx context.Context, run *watchedRun) (err error) {
	who, err := run.look(&everything, &w.o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, who.close()) }()
	if err := who.turn("there"); err != nil {
		return err
	}
	const enough, most = 5, 40
	before, same := 0.0, 0
	for n := 0; n < most && same < enough; n++ {
		var l looked
		if err := run.stretch(ctx, 0.5, &l); err != nil {
			return err
		}
		if same++; l.memory > before*1.002 {
			before, same = l.memory, 0
		}
	}
	if same < enough {
		w.report.Notes = append(w.report.Notes, "the memory of events of 4.3 MB still grew when it was begun to be compared")
	}
	return who.turn("gone")
}

// comparison is that of a run with somebody who looks, and without.
type comparison struct {
	*watching
	run        *watchedRun
	name, what string
	end        time.Time // from which on no more turns are taken than have to be
}

// compare lets somebody look for a while, and not, and so on. Each stretch with him is held against those before and after,
// so that what drifts is on both sides.
func (c *comparison) compare(ctx context.Context, l *onlooker) (err error) {
	who, err := c.run.look(l, &c.o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, who.close()) }()
	before, err := c.alone(ctx)
	if err != nil {
		return err
	}
	var ratios []float64
	for len(ratios) < c.o.Turns && (len(ratios) < fewestTurns || time.Now().Before(c.end) &&
		(len(ratios) < usualTurns || standardError(ratios) > smallError)) {
		if err := who.turn("there"); err != nil {
			return err
		}
		with, err := c.alone(ctx)
		if err == nil {
			err = who.turn("gone")
		}
		if err != nil {
			return err
		}
		after, err := c.alone(ctx)
		if err != nil {
			return err
		}
		without := (before.rate + after.rate) / 2
		ratios = append(ratios, with.rate/without)
		c.report.add("with_"+c.name, "1/s", c.what, with.rate)
		c.report.add("without_"+c.name, "1/s", "the same without", without)
		c.report.add("memory_with_"+c.name, "MB", "of drp, "+c.what, with.memory/1e6)
		c.report.add("memory_without_"+c.name, "MB", "the same without", (before.memory+after.memory)/2e6)
		before = after
	}
	return nil
}

// alone is a stretch of the run when what was before is over: to come is another matter than to be there.
func (c *comparison) alone(ctx context.Context) (l looked, err error) {
	if err = c.run.stretch(ctx, 0, &l); err == nil {
		err = c.run.stretch(ctx, c.o.Seconds/2, &l)
	}
	return l, err
}

// judge adds what onlookers may cost.
func (w *watching) judge() {
	for _, of := range kindsOfRuns(&w.o) {
		for _, l := range of.onlookers(&w.o) {
			f := w.report.find("with_" + l.name + "_" + of.name)
			if f.Name == "" {
				continue
			}
			name := strings.TrimPrefix(f.Name, "with_")
			least, most := l.bounds()
			w.report.barInTurns("throughput, "+f.What, "with_"+name, "without_"+name, least, false)
			w.report.barInTurns("memory, "+f.What, "memory_with_"+name, "memory_without_"+name, most, true)
		}
	}
}

// standardError is that of the median, estimated by the quartiles: one turn that was disturbed says nothing of the others.
func standardError(values []float64) float64 {
	v := slices.Clone(values)
	slices.Sort(v)
	n := len(v)
	if n < 4 {
		return math.Inf(1)
	}
	const deviation, median = 1.349, 1.2533 // quartiles in standard deviations, and the error of a median beside that of a mean
	return (v[n*3/4] - v[n/4]) / deviation * median / math.Sqrt(float64(n))
}

// looked is what a stretch of a run came to.
type looked struct {
	rate   float64 // events in a second of the processor
	memory float64
}

// stretch lets a run go on for so many seconds at least, and looks at it from where it was looked at last.
func (r *watchedRun) stretch(ctx context.Context, seconds float64, to *looked) error {
	now, err := r.until(ctx, seconds)
	if err != nil {
		return err
	}
	to.rate = float64(now.events-r.last.events) / (now.used - r.last.used).Seconds()
	r.last = now
	to.memory, err = r.resident()
	return err
}

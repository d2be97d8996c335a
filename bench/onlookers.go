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

// Turns that are taken at the least, even where there is no time for them, and otherwise; and the standard error at which no more are.
const (
	fewestTurns = 6
	usualTurns  = 20
	smallError  = 0.0015
)

// calm is how long it is waited, in seconds, for what was before to be over.
const calm = 0.05

// kindOfRun is a run that is looked at.
type kindOfRun struct {
	name, what, source, script string
	rate                       string // of events where it is paced
	flags                      []string
	large                      bool // only some look at it, and all its memory is in use before
	paced                      bool // it has no more events than it can do with ease, on a core that is full all the same
}

// measure is what of a run shows that somebody looks, with its unit and what it is called.
func (k *kindOfRun) measure() (unit, called string) {
	if k.paced {
		return "cores", "what is left of a core"
	}
	return "1/s", "throughput"
}

func kindsOfRuns(o *MonitorOptions) []kindOfRun {
	all := []kindOfRun{
		{name: "4k", what: "events of 4 KiB", rate: "100", source: "sim:segments=1,rows=32,cols=64,bank=1,hits=0,slow=0,events=1000000000000", script: o.Script},
		{name: "4m", what: "events of 4.3 MB", rate: "20", source: "sim:segments=4,rows=288,cols=1877,bank=4,hits=0,slow=0,events=1000000000000",
			script: o.Reader, flags: []string{"--slots", "8", "--monitor-slots", "8"}, large: true},
	}
	for _, k := range all {
		k.name, k.what, k.paced = "paced_"+k.name, k.what+" at a rate of "+k.rate, true
		k.flags = append(slices.Clone(k.flags), "--rate", k.rate)
		all = append(all, k)
	}
	return all
}

// onlook measures, in turns, what becomes of a run when somebody looks: its throughput, as events in a second of the time
// that drp and its worker use of a core that they have for themselves, and its memory. What onlookers do elsewhere is not
// taken from it so, and what others do on that core is not, either. How fast a core is changes from one moment to the next, on a
// virtual machine by tenths, and so does that throughput. So the same is done with runs that have little to do, where that is tenths
// of little: what they leave of a core that is full is what a run that fills it would have. Each of them gets as much of the time that is left.
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
		warm := false
		for _, l := range of.onlookers(&w.o) {
			if l.page && !warm && of.large && w.o.Turns > 1 {
				warm, err = true, w.warm(ctx, run)
			}
			if err != nil {
				break
			}
			c := comparison{watching: w, run: run, of: of, name: l.name + "_" + of.name, what: of.what + ", " + l.what,
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

// warm lets everything be looked at until the run has touched all the memory that it ever uses for that. It is done before the first who
// looks at the page: ten seconds after the last has gone, the page gives back what it keeps of events, and a row would end with
// less than it began with.
func (w *watching) warm(ctx context.Context, run *watchedRun) (err error) {
	who, err := run.look(&everything, &w.o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, who.close()) }()
	if err := who.turn("there"); err != nil {
		return err
	}
	const enough, most = 5, 160 // an event in a second is kept where the processors are full, of 64
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
	of         *kindOfRun
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
	before, err := c.alone(ctx, l)
	if err != nil {
		return err
	}
	var ratios []float64
	for len(ratios) < c.o.Turns && (len(ratios) < fewestTurns || time.Now().Before(c.end) &&
		(len(ratios) < usualTurns || !known(ratios))) {
		if err := who.turn("there"); err != nil {
			return err
		}
		with, err := c.alone(ctx, l)
		if err == nil {
			err = who.turn("gone")
		}
		if err != nil {
			return err
		}
		after, err := c.alone(ctx, l)
		if err != nil {
			return err
		}
		without := (before.rate + after.rate) / 2
		ratios = append(ratios, with.rate/without)
		unit, _ := c.of.measure()
		c.report.add("with_"+c.name, unit, c.what, with.rate)
		c.report.add("without_"+c.name, unit, "the same without", without)
		c.report.add("memory_with_"+c.name, "MB", "of drp, "+c.what, with.memory/1e6)
		c.report.add("memory_without_"+c.name, "MB", "the same without", (before.memory+after.memory)/2e6)
		before = after
	}
	return nil
}

// alone is a stretch of the run when what was before is over: to come is another matter than to be there.
func (c *comparison) alone(ctx context.Context, l *onlooker) (seen looked, err error) {
	if err = c.run.stretch(ctx, calm, &seen); err == nil {
		err = c.run.stretch(ctx, l.stretch()*c.o.Seconds, &seen)
	}
	return seen, err
}

// judge adds what onlookers may cost.
func (w *watching) judge() {
	for _, of := range kindsOfRuns(&w.o) {
		_, called := of.measure()
		for _, l := range of.onlookers(&w.o) {
			f := w.report.find("with_" + l.name + "_" + of.name)
			if f.Name == "" {
				continue
			}
			name := strings.TrimPrefix(f.Name, "with_")
			w.report.barInTurns(called+", "+f.What, "with_"+name, "without_"+name, leastLeft, false)
			if of.paced { // which has the memory of the other one
				continue
			}
			w.report.barInTurns("memory, "+f.What, "memory_with_"+name, "memory_without_"+name, l.mostMemory(), true)
		}
	}
}

// trimmed is the mean of the middle values, without a fifth at each end, since what was disturbed says nothing of the others; and its
// standard error, by those that it would be with the last of the middle in place of the ends. Two turns that follow each other have
// a stretch without onlooker in common, which makes the error of many a seventh larger.
func trimmed(values []float64) (mean, standardError float64) {
	const ends, common = 0.2, 1.155
	v := slices.Clone(values)
	slices.Sort(v)
	cut := int(ends * float64(len(v)))
	middle := v[cut : len(v)-cut]
	for _, one := range middle {
		mean += one / float64(len(middle))
	}
	if len(v) < 4 {
		return mean, math.Inf(1)
	}
	between, squares := 0., 0. // of all, with ends replaced
	for i := range v {
		v[i] = min(max(v[i], middle[0]), middle[len(middle)-1])
		between += v[i] / float64(len(v))
	}
	for _, one := range v {
		squares += (one - between) * (one - between)
	}
	n := float64(len(v))
	return mean, common * math.Sqrt(squares/(n-1)) / (float64(len(middle)) / n * math.Sqrt(n))
}

// known tells whether a ratio is known well enough.
func known(ratios []float64) bool {
	_, e := trimmed(ratios)
	return e <= smallError
}

// looked is what a stretch of a run came to.
type looked struct {
	rate   float64 // events in a second of the processor; of a run that is paced, what it leaves of its core
	memory float64
}

// stretch lets a run go on for so many seconds, and looks at it from where it was looked at last. One in which nothing was done, since
// others had the core, says nothing, and goes on.
func (r *watchedRun) stretch(ctx context.Context, seconds float64, to *looked) error {
	for patience := time.Now().Add(time.Minute); ; {
		if err := sleep(ctx, seconds); err != nil {
			return err
		}
		now, err := r.now()
		if err != nil {
			return err
		}
		events, used := now.events-r.last.events, (now.used - r.last.used).Seconds()
		if (events <= 0 || used <= 0) && time.Now().Before(patience) {
			continue
		}
		if events <= 0 || used <= 0 {
			return errors.New("bench: the run that is looked at does nothing any more")
		}
		to.rate = events / used
		if r.filler != nil {
			to.rate = 1 - used/now.at.Sub(r.last.at).Seconds()
		}
		r.last = now
		to.memory, err = r.resident()
		return err
	}
}

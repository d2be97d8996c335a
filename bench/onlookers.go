package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Turns that are taken at the least, and the standard error of the median at which no more are.
const (
	fewestTurns = 8
	smallError  = 0.002
)

// onlook measures, in turns, what becomes of a run when somebody looks: its throughput, as events in a second of the time
// that drp and its worker use of a core that they have for themselves, and its memory. What onlookers do elsewhere is not
// taken from it so, and what others do on that core is not, either.
func (w *watching) onlook(ctx context.Context) error {
	for _, of := range []struct {
		name, what, source, script string
		most                       int // onlookers
	}{
		{"4k", "events of 4 KiB", "sim:segments=1,rows=32,cols=64,bank=1,hits=0,slow=0,events=1000000000000", w.o.Script, len(onlookers)},
		{"4m", "events of 4.3 MB", "sim:segments=4,rows=288,cols=1877,bank=4,hits=0,slow=0,events=1000000000000", w.o.Reader, copied},
	} {
		run, err := startRun(ctx, &w.o, of.source, of.script)
		if err != nil {
			return err
		}
		for i := range onlookers[:of.most] {
			l := &onlookers[i]
			if err = w.compare(ctx, run, l, l.name+"_"+of.name, of.what+", "+l.what); err != nil {
				err = fmt.Errorf("%s: %w", l.name, err)
				break
			}
		}
		if err = errors.Join(err, run.close()); err != nil {
			return err
		}
	}
	return nil
}

// compare lets somebody look for a while, and not, and so on. Each stretch with him is held against those before and after,
// so that what drifts is on both sides.
func (w *watching) compare(ctx context.Context, run *watchedRun, l *onlooker, name, what string) (err error) {
	who, err := run.look(l, &w.o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, who.close()) }()
	if err := run.stretch(ctx, 0, &looked{}); err != nil {
		return err
	}
	var before looked
	if err := run.stretch(ctx, w.o.Seconds, &before); err != nil {
		return err
	}
	var ratios []float64
	for len(ratios) < w.o.Turns && (len(ratios) < fewestTurns || standardError(ratios) > smallError) {
		var with, after looked
		err := who.turn("there")
		if err == nil { // to come is another matter than to be there
			err = run.stretch(ctx, 0, &looked{})
		}
		if err == nil {
			err = run.stretch(ctx, w.o.Seconds, &with)
		}
		if err == nil {
			err = who.turn("gone")
		}
		if err == nil {
			err = run.stretch(ctx, 0, &looked{})
		}
		if err == nil {
			err = run.stretch(ctx, w.o.Seconds, &after)
		}
		if err != nil {
			return err
		}
		without := (before.rate + after.rate) / 2
		ratios = append(ratios, with.rate/without)
		w.report.add("with_"+name, "1/s", what, with.rate)
		w.report.add("without_"+name, "1/s", "the same without", without)
		w.report.add("memory_with_"+name, "MB", "of drp, "+what, with.memory/1e6)
		w.report.add("memory_without_"+name, "MB", "the same without", (before.memory+after.memory)/2e6)
		before = after
	}
	if e := standardError(ratios); e > 2*smallError {
		w.report.Notes = append(w.report.Notes, fmt.Sprintf("%s: the machine is restless: the ratio is known to %.1f %%", name, 100*e))
	}
	return nil
}

// judge adds what onlookers may cost.
func (w *watching) judge() {
	for _, f := range slices.Clone(w.report.Figures) {
		var name string
		if n, err := fmt.Sscanf(f.Name, "with_%s", &name); n == 1 && err == nil {
			w.report.bar("throughput, "+f.What, "with_"+name, "without_"+name, 0.99, false)
			if !strings.HasSuffix(name, "_4m") { // whose slots are touched one by one, for minutes
				w.report.bar("memory, "+f.What, "memory_with_"+name, "memory_without_"+name, mostMemory(name[:len(name)-3]), true)
			}
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

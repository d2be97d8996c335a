package bench

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"drp/teb"
	"drp/xtc"
)

// TEBOptions say how long to measure.
type TEBOptions struct {
	Rounds  int
	Seconds float64 // of each measurement
	Events  int     // of the run that shows whether memory grows

	Python, PythonPath string // of trigger scripts
}

// The rates that were promised, in events per second and core.
const (
	promisedAlone = 1e6
	promisedEight = 250e3
)

// What is decided by: most events lose. The other one is left to the library.
const (
	tebRule     = "sum(c.npeaks) >= 15 || prescale(100)"
	tebSlowRule = "sum(filter(c.npeaks, # > 3)) >= 15 || prescale(100)"
)

// TEB measures the trigger event builder, in one process and over sockets, with its contributors and whoever takes the
// decisions.
func TEB(ctx context.Context, o TEBOptions) (*Report, error) {
	r := &Report{Machine: machine()}
	for round := range o.Rounds + 1 {
		var rates [3]float64
		for i, load := range []struct {
			contributors int
			rule         string
		}{{1, tebRule}, {8, tebRule}, {1, tebSlowRule}} {
			b, err := newTEBLoad(load.contributors, expression(load.rule))
			if err != nil {
				return nil, err
			}
			if rates[i], err = b.rate(ctx, o.Seconds); err != nil {
				return nil, err
			}
		}
		messages, err := messageRate(o.Seconds)
		if err != nil {
			return nil, err
		}
		if round == 0 {
			continue
		}
		r.add("events_1", "1/s/core", "events of one contributor that are built and decided, by "+tebRule, rates[0])
		r.add("events_8", "1/s/core", "events of eight contributors, the same", rates[1])
		r.add("contributions_8", "1/s/core", "their contributions", 8*rates[1])
		r.add("events_library", "1/s/core", "events of one contributor by a rule that is no column, "+tebSlowRule, rates[2])
		r.add("messages", "1/s/core", "rows that go through a channel of Go, one by one", messages)
		r.add("promised_1", "1/s/core", "what is promised for one contributor", promisedAlone)
		r.add("promised_8", "1/s/core", "what is promised for eight", promisedEight)
	}
	if err := tebScripts(ctx, r, o); err != nil {
		return nil, err
	}
	if err := tebSockets(ctx, r, o); err != nil {
		return nil, err
	}
	if err := tebMemory(ctx, r, o.Events); err != nil {
		return nil, err
	}
	r.settle()
	r.bar("expression, 1 contributor, in process", "events_1", "promised_1", 1, false)
	r.bar("expression, 8 contributors, in process", "events_8", "promised_8", 1, false)
	r.bar("an event of one contributor against a message", "events_1", "messages", 0.25, false)
	r.bar("script, batches, in one process", "script_batches_1", "promised_batches", 1, false)
	r.bar("script, one event at a time, in one process", "script_events_1", "promised_events", 1, false)
	r.bar("3 contributors over sockets", "served_3", "promised_served", 1, false)
	r.bar("latency over sockets, p50", "latency_p50", "promised_p50", 1, true)
	r.bar("latency over sockets, p99", "latency_p99", "promised_p99", 1, true)
	r.bar("memory over 10^8 events", "growth", "memory", 0.5, true)
	r.bar("allocations of 1000 events", "allocations", "one", 1, true)
	return r, nil
}

// tebLoad is a TEB with contributors that bring as much as it takes.
type tebLoad struct {
	teb          *teb.TEB
	contributors []*teb.Encoder
	field        *teb.Field
	decided      int
	took         time.Duration // until the last of these
	look         func()        // called now and then by whoever takes the decisions
}

// tebRows is what a contributor sends at once.
const tebRows = 256

func expression(rule string) []teb.Logic {
	return []teb.Logic{teb.NewExpression([]teb.Rule{{Name: "hit", When: rule, Persist: true}})}
}

func newTEBLoad(contributors int, logic []teb.Logic) (*tebLoad, error) {
	const partition = "bench"
	l := &tebLoad{look: func() {}}
	c := teb.Config{Partition: partition, Deadline: time.Minute, Decide: time.Minute, Logic: logic}
	for k := range contributors {
		s, err := teb.NewSchema("segment_"+strconv.Itoa(k), teb.Field{Name: "npeaks", Type: teb.U16},
			teb.Field{Name: "energy", Type: teb.F32})
		if err != nil {
			return nil, err
		}
		l.field = s.Field("npeaks")
		c.Contributors = append(c.Contributors, teb.Member{Schema: s})
		e, err := teb.NewEncoder(s, teb.BatchHead{Partition: teb.PartitionID(partition), Contributor: uint32(k), Generation: 1}, tebRows)
		if err != nil {
			return nil, err
		}
		l.contributors = append(l.contributors, e)
	}
	t, err := teb.New(c)
	if err != nil {
		return nil, err
	}
	l.teb = t
	for k := range contributors {
		if _, err := t.Join(c.Contributors[k].Schema, 1); err != nil {
			t.Close()
			return nil, err
		}
	}
	return l, nil
}

// run lets all bring events until one says that it is enough, and waits until the last is decided. The function is called
// by each contributor after each batch.
func (l *tebLoad) run(enough func(events int) bool) error {
	defer l.teb.Close()
	var all sync.WaitGroup
	failed := make(chan error, len(l.contributors))
	stop := make(chan struct{})
	var once sync.Once
	for k, e := range l.contributors {
		all.Go(func() {
			defer l.teb.Gone(k, 1) // the others may be ahead
			for pulse := 0; ; {
				for range tebRows {
					row := e.Add(teb.Head{Pulse: uint64(pulse), Time: uint64(pulse), Groups: 1, Service: xtc.L1Accept})
					l.field.PutInt(row, 0, int64(pulse)&1)
					pulse++
				}
				if err := l.teb.Contribute(e.Batch()); err != nil {
					failed <- err
				}
				select {
				case <-stop:
					return
				default:
				}
				if enough(pulse) {
					once.Do(func() { close(stop) })
				}
			}
		})
	}
	go func() { all.Wait(); l.teb.Shutdown() }()
	begin := time.Now()
	some := make([]teb.Decision, tebRows)
	for n := l.teb.Next(some); n > 0; n = l.teb.Next(some) {
		l.decided += n
		l.took = time.Since(begin)
		l.look()
	}
	select {
	case err := <-failed:
		return err
	default:
	}
	books := l.teb.Books()
	return books.Check()
}

// rate gives the events of each second of processor time, of all that takes part.
func (l *tebLoad) rate(ctx context.Context, seconds float64) (float64, error) {
	begin, err := processTime()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	err = l.run(func(int) bool { return ctx.Err() != nil || time.Since(start).Seconds() >= seconds })
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return 0, err
	}
	end, err := processTime()
	return float64(l.decided) / (end - begin).Seconds(), err
}

// processTime is the processor time of all threads.
func processTime() (time.Duration, error) {
	var ts unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts)
	return time.Duration(ts.Nano()), err
}

// messageRate is how many rows pass from one goroutine to another by a channel, for each second of processor time.
func messageRate(seconds float64) (float64, error) {
	begin, err := processTime()
	if err != nil {
		return 0, err
	}
	rows := make(chan [32]byte, 1024)
	go func() {
		defer close(rows)
		for start := time.Now(); time.Since(start).Seconds() < seconds; {
			for range tebRows {
				rows <- [32]byte{}
			}
		}
	}()
	n := 0
	for range rows {
		n++
	}
	end, err := processTime()
	return float64(n) / (end - begin).Seconds(), err
}

// tebMemory lets eight contributors bring many events, and looks from time to time what is in use.
func tebMemory(ctx context.Context, r *Report, events int) error {
	before := inUse()
	l, err := newTEBLoad(8, expression(tebRule))
	if err != nil {
		return err
	}
	const looks = 20
	var at, live []float64
	var first, last runtime.MemStats
	l.look = func() {
		if l.decided < len(at)*events/looks {
			return
		}
		last = inUse()
		if len(at) == 0 {
			first = last
		}
		at, live = append(at, float64(l.decided)), append(live, float64(last.HeapAlloc))
	}
	if err := l.run(func(n int) bool { return ctx.Err() != nil || n >= events }); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	passed := at[len(at)-1] - at[0]
	r.add("memory", "B", "memory in use of the trigger event builder and its contributors", float64(first.HeapAlloc)-float64(before.HeapAlloc))
	r.add("growth", "B", fmt.Sprintf("what that grows by in 10^8 events, from a line through %d looks at %.3g", len(at), passed),
		1e8*slope(at, live))
	r.add("allocations", "", "allocations in 1000 events", 1000*float64(last.Mallocs-first.Mallocs)/passed)
	r.add("one", "", "one", 1)
	return nil
}

// inUse is the memory after what nobody uses was given back.
func inUse() (m runtime.MemStats) {
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}

// slope is that of the line with the least squares.
func slope(x, y []float64) float64 {
	var mx, my, xy, xx float64
	for i := range x {
		mx, my = mx+x[i]/float64(len(x)), my+y[i]/float64(len(x))
	}
	for i := range x {
		xy += (x[i] - mx) * (y[i] - my)
		xx += (x[i] - mx) * (x[i] - mx)
	}
	return xy / xx
}

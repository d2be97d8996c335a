package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"drp/monitor"
	"drp/xtc"
)

// MonitorOptions say how long to measure.
type MonitorOptions struct {
	Python     string
	PythonPath string
	Rounds     int
	Seconds    float64       // of each measurement
	Program    string        // drp; without it nothing is measured of a whole run
	Script     string        // that touches nothing
	Reader     string        // that reads all pixels
	Turns      int           // with and without each onlooker, at most
	Only       []string      // of the onlookers, by name; empty is all
	Onlooking  time.Duration // for all of them together, but for the fewest turns
}

// What was promised, in events per second.
const (
	promisedRing   = 1e6
	promisedPython = 50e3
)

// stoppedConsumers never look at what they are given.
const stoppedConsumers = 100

// Monitor measures what it costs to publish events, and how fast they are taken.
func Monitor(ctx context.Context, o MonitorOptions) (*Report, error) {
	r := &Report{Machine: machine()}
	r.add("promised_ring", "1/s", "what is promised for small events into the ring", promisedRing)
	r.add("promised_python", "1/s", "what is promised for a consumer in Python", promisedPython)
	r.add("promised_rate", "1/s", "pictures that the page is to show in a second", promisedRate)
	r.add("promised_share", "cores", "what they may take of a core", promisedShare)
	r.add("promised_page", "ms", "what a picture may take: a tenth of a core at ten a second", promisedPage)
	m := &watching{o: o, report: r}
	for range o.Rounds {
		for _, measure := range []func(context.Context) error{m.large, m.small, m.stopped, m.python} {
			if err := errors.Join(ctx.Err(), measure(ctx)); err != nil {
				return nil, err
			}
		}
	}
	if err := m.page(ctx); err != nil {
		return nil, err
	}
	if o.Program != "" {
		if err := m.onlook(ctx); err != nil {
			return nil, err
		}
	}
	r.settle()
	r.bar("a large event that one consumer gets, of a copy", "publish_4m", "copy_4m", 1.5, true)
	r.bar("a large event that nobody wants, of a copy", "publish_nobody", "copy_4m", 0.001, true)
	r.bar("a large event with 100 consumers that are stopped, of a copy", "publish_stopped", "copy_4m", 0.01, true)
	r.bar("small events into the ring", "publish_small", "promised_ring", 1, false)
	r.bar("small events to Python", "python_small", "promised_python", 1, false)
	r.bar("a large event in Python, of a copy", "python_4m", "copy_4m", 0.2, true)
	r.bar("a picture on the page, ten of which may take a tenth of a core", "page_picture", "promised_page", 1, true)
	m.judgePage()
	m.judge()
	return r, nil
}

// watching measures in turns.
type watching struct {
	o      MonitorOptions
	report *Report
	spare  float64 // cores that were idle while the page was looked at
}

// published is a server, and an event to be published.
type published struct {
	*monitor.Server
	name  string
	event monitor.Event
}

func newPublished(c camera, slots int) (*published, error) {
	configure, err := c.configure()
	if err != nil {
		return nil, err
	}
	d, err := c.event()
	if err != nil {
		return nil, err
	}
	p := &published{name: fmt.Sprintf("bench/%d", os.Getpid()), event: monitor.Event{Dgram: d}}
	p.Server, err = monitor.New(monitor.Config{Name: p.name, EventBytes: len(d), Slots: slots,
		Layout: func(xtc.Dgram) uint32 { return 1 }})
	if err != nil {
		return nil, err
	}
	for _, d := range []xtc.Dgram{configure, header(xtc.BeginRun), header(xtc.BeginStep), header(xtc.Enable)} {
		p.Transition(&monitor.Event{Dgram: d})
	}
	return p, nil
}

// one publishes an event, and tells whether anybody got it.
func (p *published) one() bool {
	p.event.Number++
	if !p.Offer(&p.event.Facts) {
		return false
	}
	p.Publish(&p.event)
	return true
}

// joined waits until a server has so many consumers.
func (p *published) joined(ctx context.Context, n int) error {
	for len(p.Consumers()) < n {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// consume lets one consumer take what is there up to the last event that was published.
func (p *published) consume(ctx context.Context, c *monitor.Client) error {
	for {
		it, err := c.Next(ctx)
		if err != nil || it.Dgram.Service().IsEvent() && it.Number == p.event.Number {
			return err
		}
	}
}

// pacing says how many events are published before the consumer takes them, and what is done in between.
type pacing struct {
	slots, atOnce int
	between       func()
}

// pace publishes a few events, then lets the consumer take them, and so on. It gives the time of an event and the time that
// it took to take one.
func (w *watching) pace(ctx context.Context, c camera, o pacing) (publish, take time.Duration, err error) {
	p, err := newPublished(c, o.slots)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	client, err := monitor.Dial(ctx, p.name, monitor.Choice{}, "bench")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if err := p.joined(ctx, 1); err != nil {
		return 0, 0, err
	}
	events := 0
	for publish.Seconds()+take.Seconds() < w.o.Seconds || events == 0 {
		o.between()
		start := time.Now()
		for range o.atOnce {
			if !p.one() {
				return 0, 0, fmt.Errorf("bench: event %d found no room", p.event.Number)
			}
		}
		middle := time.Now()
		if err := p.consume(ctx, client); err != nil {
			return 0, 0, err
		}
		client.Release()
		publish, take, events = publish+middle.Sub(start), take+time.Since(middle), events+o.atOnce
	}
	return publish / time.Duration(events), take / time.Duration(events), nil
}

// large compares the publishing of large events with copies between as much memory.
func (w *watching) large(ctx context.Context) error {
	const slots, atOnce = 16, 8
	c := frameCamera()
	d, err := c.event()
	if err != nil {
		return err
	}
	places := make([][]byte, slots)
	for i := range places {
		places[i] = make([]byte, len(d))
		copy(places[i], d)
	}
	took, n := time.Duration(0), 0
	publish, _, err := w.pace(ctx, c, pacing{slots, atOnce, func() {
		start := time.Now()
		for range atOnce {
			copy(places[n%slots], d)
			n++
		}
		took += time.Since(start)
	}})
	if err != nil {
		return err
	}
	w.report.add("copy_4m", "µs", "copy of an event of 4.3 MB", micros(took/time.Duration(n)))
	w.report.add("publish_4m", "µs", "publishing it to one consumer, in turns with the copy", micros(publish))
	return nil
}

func (w *watching) small(ctx context.Context) error {
	publish, take, err := w.pace(ctx, newCamera(xtc.UInt8, "uint8", 8, 8), pacing{4096, 1024, func() {}})
	if err != nil {
		return err
	}
	w.report.add("publish_small", "1/s", "events of 200 bytes that are published to one consumer", 1/publish.Seconds())
	w.report.add("take_small", "1/s", "events that a consumer in Go takes", 1/take.Seconds())
	return nil
}

// stopped measures what large events cost when nobody gets them.
func (w *watching) stopped(ctx context.Context) (err error) {
	p, err := newPublished(frameCamera(), 16)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	w.report.add("publish_nobody", "µs", "an event of 4.3 MB when nobody listens", micros(w.offers(p)))
	for range stoppedConsumers {
		c, err := monitor.Dial(ctx, p.name, monitor.Choice{}, "bench")
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
	}
	if err := p.joined(ctx, stoppedConsumers); err != nil {
		return err
	}
	for p.one() { // what they have room for
	}
	w.report.add("publish_stopped", "µs", fmt.Sprintf("when %d consumers are stopped", stoppedConsumers), micros(w.offers(p)))
	return nil
}

// offers is the time of an event that nobody gets.
func (w *watching) offers(p *published) time.Duration {
	const atOnce = 1000
	start, n := time.Now(), 0
	for ; n == 0 || time.Since(start).Seconds() < w.o.Seconds/4; n += atOnce {
		for range atOnce {
			p.one()
		}
	}
	return time.Since(start) / time.Duration(n)
}

// frameCamera has the frames of an ePixHR of 2 megapixels.
func frameCamera() camera { return newCamera(xtc.UInt16, "uint16", 4*288, 5*384-43) }

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

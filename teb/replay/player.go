package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"drp/teb"
	"drp/xtc"
)

// Options say who decides.
type Options struct {
	Logic        func() ([]teb.Logic, error) // new ones, alike; a replay needs others when something else is contributed
	Prescale     [16]uint32                  // as in teb.Config
	PrescaleSeed uint64
	Default      teb.Verdict
	Decide       time.Duration // for a logic; 1 minute
	Warn         func(string)
	Each         func(*Event) error // told of each event; may be nil
}

// Event is what was decided about an event, and what would be now.
type Event struct {
	Pulse        uint64  `json:"pulse"`
	Time         uint64  `json:"time"` // as in the datagram
	Groups       uint16  `json:"groups"`
	Contributors int     `json:"contributors"` // how many contributed to it
	Missing      int     `json:"missing"`      // and how many did not, of whom there are files
	Now          Outcome `json:"now"`
	Was          Outcome `json:"was"`
}

// batchEvents is how many events are given to the TEB before it is asked what became of them.
const batchEvents = 1024

// generation of contributors; each TEB has them once.
const generation = 1

// player gives the TEB what the streams have.
type player struct {
	ctx     context.Context //nolint:containedctx // for as long as it runs
	o       Options
	streams []*stream
	report  *Report

	teb     *teb.TEB // nil where another is to be made
	last    uint64   // pulse ID of the event before
	begins  uint64   // time of the BeginRun that the next event comes after; 0 is none
	schemas []string
	reasons []string // by number
	rows    []*teb.Encoder
	ends    func() bool // takes back that the end of the context closes the TEB
	batch   []Event
	decided []teb.Decision
}

// Run lets a trigger decide about what files have. The report is that of what was done before an error, too.
func Run(ctx context.Context, paths []string, o Options) (*Report, error) {
	if o.Decide == 0 {
		o.Decide = time.Minute
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	p := &player{ctx: ctx, o: o, report: newReport(paths), decided: make([]teb.Decision, batchEvents)}
	err := p.open(paths)
	if err == nil {
		err = p.run()
	}
	p.close()
	for _, s := range p.streams {
		s.close()
		p.report.count(s)
	}
	p.report.finish(p.reasons)
	return p.report, err
}

// open reads the beginnings of all files, and finds out who contributes what.
func (p *player) open(paths []string) error {
	var all []input
	for _, path := range paths {
		in, err := openInput(path)
		if err != nil {
			return err
		}
		all = append(all, in)
	}
	slices.SortStableFunc(all, func(a, b input) int { return cmp.Compare(a.first, b.first) })
	of := map[string]*stream{}
	for _, in := range all {
		name := in.record.schema.Name()
		if of[name] == nil {
			of[name] = &stream{warn: p.o.Warn, known: in.record}
			p.streams = append(p.streams, of[name])
		}
		of[name].files = append(of[name].files, in)
		of[name].runs = append(of[name].runs, in.run)
	}
	if err := p.meet(); err != nil {
		return err
	}
	order := all[0].record.contributors
	slices.SortStableFunc(p.streams, func(a, b *stream) int {
		return cmp.Compare(placeOf(order, a), placeOf(order, b))
	})
	for _, name := range order {
		if of[name] == nil {
			p.o.Warn(fmt.Sprintf("contributor %s of the partition has none of the files: it is missing in all events", name))
		}
	}
	for _, s := range p.streams {
		p.report.Contributors = append(p.report.Contributors, s.schema().Name())
		if err := s.advance(); err != nil {
			return err
		}
	}
	return nil
}

// meet refuses a contributor that took part in no run of the others: nothing of it could be joined. One that lacks some of the
// runs is missing in their events. Where a file does not say which run it is, nothing is known.
func (p *player) meet() error {
	var all []string
	for _, s := range p.streams {
		all = append(all, s.runs...)
	}
	slices.Sort(all)
	if all = slices.Compact(all); slices.Contains(all, "") {
		return nil
	}
	for _, s := range p.streams {
		lacks := slices.DeleteFunc(slices.Clone(all), func(run string) bool { return slices.Contains(s.runs, run) })
		alone := !slices.ContainsFunc(p.streams, func(other *stream) bool {
			return other != s && slices.ContainsFunc(other.runs, func(run string) bool { return slices.Contains(s.runs, run) })
		})
		switch name := s.known.schema.Name(); {
		case alone && len(lacks) > 0:
			return fmt.Errorf("%s is of contributor %s in %s, and the files of the others are of %s: name files of the same run",
				s.files[0].path, name, strings.Join(slices.Compact(s.runs), ", "), strings.Join(lacks, ", "))
		case len(lacks) > 0:
			p.o.Warn(fmt.Sprintf("contributor %s has no file of %s: it is missing in all events there", name, strings.Join(lacks, ", ")))
		}
	}
	return nil
}

// placeOf is that of a contributor in the partition, so that sets of them mean the same as in the run.
func placeOf(order []string, s *stream) int {
	if k := slices.Index(order, s.schema().Name()); k >= 0 {
		return k
	}
	return len(order)
}

// run goes over all items: events in the order of their pulse IDs, and a transition before all events that are not earlier.
func (p *player) run() (err error) {
	for err == nil {
		switch pulse, other := p.lowest(); {
		case pulse <= p.last:
			err = p.leaveOut(pulse)
		case pulse < math.MaxUint64:
			err = p.event(pulse)
		case other == nil:
			return p.flush()
		case other.head.service == xtc.Configure:
			err = p.configure(other)
		default:
			p.begins = max(other.head.time, 1)
			err = other.advance()
		}
	}
	return err
}

// lowest finds the lowest pulse ID of the events that are earlier than any transition; where there is none, the stream of the
// earliest transition.
func (p *player) lowest() (pulse uint64, other *stream) {
	for _, s := range p.streams {
		if !s.ended && !s.head.service.IsEvent() && (other == nil || s.head.time < other.head.time) {
			other = s
		}
	}
	pulse = math.MaxUint64
	for _, s := range p.streams {
		if !s.ended && s.head.service.IsEvent() && (other == nil || s.head.time < other.head.time) {
			pulse = min(pulse, s.head.pulse)
		}
	}
	return pulse, other
}

// configure takes a Configure of a stream. Where something else is contributed from here on, another TEB decides.
func (p *player) configure(s *stream) error {
	if at := slices.Index(p.streams, s); p.teb != nil && p.schemas[at] != s.schema().Text() {
		if err := p.flush(); err != nil {
			return err
		}
		p.close()
	}
	return s.advance()
}

// begin makes a TEB for what is contributed now.
func (p *player) begin() error {
	logic, err := p.o.Logic()
	if err != nil {
		return err
	}
	const never = 1 << 20 * time.Hour // nothing is waited for, however slowly files are read
	c := teb.Config{Partition: "replay", Logic: logic, Window: 2 * batchEvents, Deadline: never, Decide: p.o.Decide,
		Default: p.o.Default, Prescale: p.o.Prescale, PrescaleSeed: p.o.PrescaleSeed}
	for _, s := range p.streams {
		c.Contributors = append(c.Contributors, teb.Member{Schema: s.schema()})
	}
	if p.teb, err = teb.New(c); err != nil {
		return &LogicError{err}
	}
	p.reasons, p.rows, p.schemas = nil, nil, nil
	for _, r := range p.teb.Reasons() {
		p.reasons = append(p.reasons, r.Name)
	}
	p.ends = context.AfterFunc(p.ctx, p.teb.Close)
	for k, s := range p.streams {
		_, err := p.teb.Join(s.schema(), generation)
		head := teb.BatchHead{Partition: teb.PartitionID(c.Partition), Contributor: uint32(k), Generation: generation}
		rows, failed := teb.NewEncoder(s.schema(), head, batchEvents+1) // and a BeginRun
		if err = errors.Join(err, failed); err != nil {
			return err
		}
		p.rows, p.schemas = append(p.rows, rows), append(p.schemas, s.schema().Text())
	}
	return nil
}

// LogicError says that a logic cannot work with what is contributed.
type LogicError struct{ Err error }

func (e *LogicError) Error() string { return e.Err.Error() }

// Unwrap gives the logic's error.
func (e *LogicError) Unwrap() error { return e.Err }

// leaveOut passes over an event that comes too late, where times and pulse IDs of the streams do not go together.
func (p *player) leaveOut(pulse uint64) error {
	for _, s := range p.streams {
		if !s.ended && s.head.service.IsEvent() && s.head.pulse == pulse {
			s.again++
			return s.advance()
		}
	}
	return nil
}

// beginRun lets the logic know that a run begins, behind all events before it.
func (p *player) beginRun() error {
	if err := p.flush(); err != nil {
		return err
	}
	for _, rows := range p.rows {
		rows.Add(teb.Head{Pulse: p.last, Time: p.begins, Service: xtc.BeginRun})
	}
	p.begins = 0
	return nil
}

// event takes the event of a pulse ID from all streams that have it.
func (p *player) event(pulse uint64) error {
	if p.teb == nil {
		if err := p.begin(); err != nil {
			return err
		}
	}
	if p.begins > 0 {
		if err := p.beginRun(); err != nil {
			return err
		}
	}
	e := Event{Pulse: pulse}
	for k, s := range p.streams {
		if s.ended || !s.head.service.IsEvent() || s.head.pulse != pulse {
			continue
		}
		copy(p.rows[k].Add(teb.HeadOf(s.head.row)), s.head.row)
		if e.Contributors > 0 && e.Was != s.head.was {
			p.report.Disagreeing++
		}
		if e.Contributors == 0 {
			e.Time, e.Was = s.head.time, s.head.was
		}
		e.Groups |= s.head.groups
		e.Contributors++
		if err := s.advance(); err != nil {
			return err
		}
	}
	p.last = pulse
	e.Missing = len(p.streams) - e.Contributors
	if p.batch = append(p.batch, e); len(p.batch) == batchEvents {
		return p.flush()
	}
	return nil
}

// flush has the batch decided. All of it fits in the window, so that nothing waits.
func (p *player) flush() error {
	if len(p.batch) == 0 {
		return nil
	}
	for _, rows := range p.rows {
		if err := p.teb.Contribute(rows.Batch()); err != nil {
			return cmp.Or(context.Cause(p.ctx), err)
		}
	}
	for k := range p.rows {
		p.teb.Passed(k, generation, p.last)
	}
	left := p.batch
	for len(left) > 0 {
		n := p.teb.Next(p.decided)
		if n == 0 {
			return cmp.Or(context.Cause(p.ctx), teb.ErrClosed)
		}
		for i := range p.decided[:n] {
			if !p.decided[i].Service.IsEvent() {
				continue
			}
			if err := p.decide(&left[0], &p.decided[i]); err != nil {
				return err
			}
			left = left[1:]
		}
	}
	p.batch = p.batch[:0]
	return nil
}

// decide takes a decision.
func (p *player) decide(e *Event, d *teb.Decision) error {
	if d.Pulse != e.Pulse {
		panic(fmt.Sprintf("replay: pulse %d was decided in the place of %d", d.Pulse, e.Pulse))
	}
	e.Now = Outcome{d.Persist, d.Prescaled, d.Monitor, p.reasons[d.Reason]}
	p.report.add(e)
	if p.o.Each == nil {
		return nil
	}
	return p.o.Each(e)
}

// close ends the TEB. What is in it was decided.
func (p *player) close() {
	if p.teb != nil && p.ends() {
		p.teb.Close()
	}
	p.teb = nil
}

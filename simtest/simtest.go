// Package simtest runs the whole pipeline in a simulated world: the production code of drp, fex, record and xtc, with
// simulated time, chance, children and disk, all decided by one seed. Children are slow, hang, die at any point and
// talk nonsense; the disk is slow, full for a while, or breaks; the source stalls, bursts and sends what makes no sense;
// the operator interrupts. Afterwards a checker that shares no code with the pipeline looks at what is on the disk and
// in quarantine, and at the books: nothing lost, nothing twice, the order kept, damage where it belongs and nowhere
// else.
//
// The same seed gives the same run, step by step; Result.Digest is the proof.
package simtest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"drp/drp"
	"drp/hit"
	"drp/internal/memdisk"
	"drp/internal/world"
	"drp/pebble"
	"drp/record"
	"drp/source"
)

// Options choose what is simulated.
type Options struct {
	Seed  uint64
	Trace func(line string) // told what happens, when; may be nil
	Plant Fault             // a fault of the pipeline, which the checker must find
}

// Fault is something wrong that is put into what the pipeline has written, to try the checker.
type Fault int

// The faults.
const (
	NoFault   Fault = iota
	Loss            // of a recorded event
	Duplicate       // of a recorded event
	Exchange        // of two recorded events
	Change          // of a byte
	Undamaged       // an event whose script failed, without its damage
	Miscount        // in the books
	Mishit          // what was found in a recorded event
	Undecided       // a recorded event, whose decision is gone
	Unposted        // what the second script added to one
)

// Result is what came of one seed.
type Result struct {
	Seed     uint64
	Digest   uint64 // of everything that happened, in order
	Steps    uint64
	Time     time.Duration // simulated
	Summary  drp.Summary
	Deaths   int
	Problems []string // what the checker found; none is good
}

const maxSteps = 2_000_000

// Run simulates one seed.
func Run(o Options) (res Result) {
	l := newLab(o)
	defer l.detach()
	return l.simulate()
}

// simulate runs the lab and looks at what came of it.
func (l *lab) simulate() (res Result) {
	res.Seed = l.o.Seed
	var summary drp.Summary
	var ended error
	stuck := l.world.Run(func() { summary, ended = l.pipeline() })
	res.Steps, res.Time, res.Summary, res.Deaths = l.world.Steps(), l.world.Now(), summary, l.deaths
	if stuck != nil {
		l.problem("%v", stuck)
	} else {
		l.tamper(&summary, l.o.Plant)
		l.monitors.check(&summary)
		l.check(&summary, ended)
	}
	res.Problems, res.Digest = l.problems, l.digest.Sum64()
	return res
}

// lab is one simulated run, with all that its parts have to say to each other.
type lab struct {
	o      Options
	plan   plan
	world  *world.Simulated
	disk   *memdisk.Disk
	pool   *pebble.Pool
	beside *pebble.Pool // of the second script
	run    *drp.Run
	digest interface {
		Write([]byte) (int, error)
		Sum64() uint64
	}
	pids      int
	deaths    int
	events    map[int64]*event // by number
	order     []int64          // as the source gave them
	kept      []*record.Quarantined
	seats     map[bool]map[int]*child // who has each worker's place, of the second script and of the first
	retired   bool
	fullUntil time.Duration // of the disk
	pedestals []float32     // of each generation of constants
	enables   int           // so far
	inChild   int           // events that children work on at this moment
	attached  map[int][]byte
	steering  steering
	texts     texts
	told      []toldText // as the data tells
	ended     bool
	monitors  *monitors
	partition *partition // nil where the pipeline has its trigger inside, or none
	problems  []string
}

// event is what the lab knows of one.
type event struct {
	payload []byte // as the source filled it
	corrupt bool
	flipped bool // in memory, after the source filled it; payload is as it was then
	skipped bool
	held    int    // deaths of children with it in hand
	shown   int    // how often a child took it
	told    uint64 // the generation that the child that took it last was told of
	used    uint64 // the one its pixels were corrected with when a script looked at them, 0 if none did

	searched   []byte // the payload that it was searched with, where that has changed since
	time       uint64
	step       int         // counted by Enable
	generation uint64      // that held when it came
	hits       *hit.Record // what there is to find, nil where nobody looks
	seen       *hit.Record // what the latest script saw
	asked      int         // how often the trigger was asked
	level      level       // of the parameter, as scripts saw it
	posted     int         // how often the second script was shown it
}

func newLab(o Options) *lab {
	l := &lab{o: o, world: world.NewSimulated(o.Seed, maxSteps), disk: memdisk.New(), digest: fnv.New64a(),
		events: map[int64]*event{}, seats: map[bool]map[int]*child{false: {}, true: {}}, attached: map[int][]byte{}}
	l.plan = draw(rand.New(rand.NewPCG(o.Seed, 0x73696d)))
	l.plan.settings = drawSettings(o.Seed)
	l.plan.reload, l.texts.number = drawReload(o.Seed), 1
	l.plan.reload.there = l.plan.reload.there && !l.plan.searches // whose thresholds begin anew at each Enable, also one that is made up
	l.trace("plan %+v", l.plan)
	l.disk.Fault = l.diskFault
	return l
}

// trace notes what happens.
func (l *lab) trace(format string, args ...any) {
	line := fmt.Sprintf("%14v  ", l.world.Now()) + fmt.Sprintf(format, args...)
	_, _ = l.digest.Write([]byte(line))
	if l.o.Trace != nil {
		l.o.Trace(line)
	}
}

func (l *lab) problem(format string, args ...any) {
	if len(l.problems) < 20 {
		l.problems = append(l.problems, fmt.Sprintf(format, args...))
	}
}

// pipeline is the production code on this lab.
func (l *lab) pipeline() (drp.Summary, error) {
	p := &l.plan
	sim, err := source.NewSim(p.camera, source.Options{Expt: "sim"})
	if err != nil {
		return drp.Summary{}, err
	}
	cfg := drp.Config{Script: "script.py", Source: &timedSource{Sim: sim, lab: l}, World: l.world, Disk: l.disk,
		Start: l.startChild, Memory: func(pool *pebble.Pool) { l.pool = pool }, Quarantine: l.quarantine,
		OutputDir: "out", Stream: -1, Workers: p.workers, Slots: p.slots, ResultBytes: 4096, TransitionBytes: 128 << 10,
		Drop: p.drop, Prescale: p.prescale, EventDeadline: p.deadline, SoftDeadline: p.deadline / 2,
		TransitionDeadline: 4 * p.deadline, Spares: p.spares, Retries: p.retries, MaxRestarts: p.maxRestarts,
		RecycleAfter: p.recycleAfter, MaxQuarantine: p.maxQuarantine, CRC: p.crc, Verify: p.verify, ChunkBytes: p.chunkBytes,
		Log: slog.New(&logHandler{lab: l})}
	if p.reload.there {
		cfg.Read, cfg.TrialMemory = l.readText, func(pool *pebble.Pool) { l.texts.trial = pool }
	}
	if p.calibrated {
		cfg.Constants, cfg.Calibration.Deadline = &constants{lab: l}, p.storeTime
	}
	if p.searches {
		cfg.Hits = &p.hits
	}
	cfg.Trigger, cfg.Post = p.trigger.config(l), p.second.config(l)
	cfg.Monitor = p.monitors.config(l)
	defer func() { l.monitors.leave() }()
	if l.partition = newPartition(l); l.partition != nil {
		l.partition.trigger(cfg.Trigger)
	}
	defer l.partition.end()
	defer l.openGPU(&cfg)()
	run, err := drp.New(context.Background(), cfg)
	if err != nil {
		return drp.Summary{}, err
	}
	l.run = run
	l.steer()
	l.edit()
	if p.interruptAt > 0 {
		l.world.After(p.interruptAt, func() {
			l.trace("the operator interrupts")
			run.Interrupt()
		})
	}
	if p.suspendAt > 0 {
		l.world.After(p.suspendAt, func() {
			l.world.Jump(p.suspendFor)
			l.trace("the machine was suspended for %v", p.suspendFor)
		})
	}
	s, err := run.Run(context.Background())
	l.ended = true
	l.trace("ended: %v; %s", err, s.Text())
	return s, err
}

func (l *lab) quarantine(q *record.Quarantined) (string, error) {
	l.trace("event %d is quarantined", q.Number)
	copied := *q
	copied.Event = append([]byte(nil), q.Event...)
	l.kept = append(l.kept, &copied)
	return q.Name(), nil
}

// tolerated tells an end of a run that a plan may bring about.
func (l *lab) tolerated(err error) bool {
	var f *drp.Failure
	if err == nil || !errors.As(err, &f) {
		return err == nil
	}
	switch f.Kind {
	case drp.Interrupted:
		return l.plan.interruptAt > 0
	case drp.Script:
		// A transition that killed every child it was given to, or no worker left.
		p := &l.plan
		return p.deadly+p.hangs+p.badStarts+p.nonsense+p.poison+p.sticky > 0
	case drp.General, drp.Configuration:
		if !l.plan.remote.calm() && strings.Contains(err.Error(), "no trigger event builder lets") {
			return true
		}
		if l.plan.searches && strings.Contains(err.Error(), "hits cannot be found without constants") {
			return true
		}
		if l.plan.forgets > 0 && strings.Contains(err.Error(), "do not hold the constants") {
			return true
		}
		return l.plan.diskTrouble() // the first files could not be opened, or the last not be closed
	}
	return false
}

// logHandler traces the log of the pipeline.
type logHandler struct {
	lab   *lab
	attrs string
}

func (h *logHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	text := h.attrs
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	h.lab.trace("log %s: %s%s", r.Level, r.Message, text)
	if r.Message == outOfService {
		h.lab.retired = true
	}
	return nil
}

// outOfService is how the pipeline says that a worker gets no child any more.
const outOfService = "the worker is out of service"

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	more := *h
	for _, a := range attrs {
		more.attrs += " " + a.String()
	}
	return &more
}

func (h *logHandler) WithGroup(string) slog.Handler { return h }

package drp

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"drp/fex"
	"drp/internal/invariant"
	"drp/internal/world"
	"drp/pebble"
	"drp/record"
	"drp/source"
	tebscript "drp/teb/script"
)

// Run is one run of the pipeline. Make it with New, let it go with Run, watch it with Snapshot.
type Run struct {
	cfg         Config
	world       world.World
	books       Books
	complaints  complaints
	source      source.Source
	info        source.Info
	pool        *pebble.Pool
	spawner     *fex.Spawner
	group       *fex.Group
	post        *post // nil without a second script
	recorder    *record.Recorder
	window      *window
	preparation *preparation
	calibration calibration
	hits        hits
	watched     watched
	steering    steering
	control     runControl
	held        *source.Held // nil without orders
	orders      Orders       // nil without
	layouts     *layouts
	sums        checksums
	timing      timing
	standing    standing
	reloads     reloads
	troubles    troubles
	// triggerLogic is the trigger script that decides here; nil without, and before the first Configure.
	triggerLogic atomic.Pointer[tebscript.Logic]

	started  atomic.Int64    // when the run began, and when it has come the first event, in the time of the world
	finished atomic.Int64    // nanoseconds the run took, once it is over
	soft     context.Context // cancelled when the run shall end in order
	stop     context.CancelCauseFunc
	hard     context.Context // cancelled by Abandon
	abandon  context.CancelCauseFunc
	// transitionDone tells the dispatcher that all workers have answered a transition.
	transitionDone world.Flag
	awaited        atomic.Int32 // answers to the last transition that are still to come
	lastTime       uint64       // the latest time seen
	inHand         pebble.Loan  // being filled; a field, so that handing it to the source allocates nothing
	nextWorker     int
	swapped        bool // another text of the script is used from the transition at hand on
	early          bool // we end the run, not the source
	python         string
	bytesRecorded  atomic.Int64

	troubleMu sync.Mutex
	trouble   []error // what went wrong beside the error that ends the run
}

// New opens everything a run needs: source, output, memory and children, in this order, so that what is wrong is said
// before anything is touched. The error is a *Failure.
func New(ctx context.Context, cfg Config) (*Run, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	r := &Run{cfg: cfg, world: cfg.World, layouts: newLayouts(), transitionDone: cfg.World.NewFlag(),
		sums: newChecksums(cfg.Verify)}
	r.complaints.log = cfg.Log
	r.hard, r.abandon = context.WithCancelCause(context.Background())
	r.soft, r.stop = context.WithCancelCause(r.hard)
	r.reloads.open(r)
	if err := r.open(ctx); err != nil {
		return nil, errors.Join(err, r.close(false))
	}
	return r, nil
}

func (r *Run) open(ctx context.Context) (err error) {
	cfg := &r.cfg
	if err := r.openSource(); err != nil {
		return err
	}
	sizes, err := cfg.sizes(r.info)
	if err != nil {
		return err
	}
	if cfg.Start == nil {
		if r.python, err = FindPython(cfg.Python); err != nil {
			return err
		}
	}
	if err := r.openOutput(); err != nil {
		return err
	}
	if r.pool, err = pebble.Open(sizes); err != nil {
		return fail(Configuration, err)
	}
	if err := r.openConstants(); err != nil {
		return err
	}
	r.hits.r, r.hits.cfg = r, cfg.Hits
	if err := r.hits.open(sizes); err != nil {
		return err
	}
	if err := r.watched.open(r, sizes); err != nil {
		return err
	}
	if err := r.steering.open(r); err != nil {
		return err
	}
	r.window = newWindow(r.world, sizes.Workers*sizes.Slots+r.pool.Transitions.Slots())
	if cfg.Memory != nil {
		cfg.Memory(r.pool)
	}
	if cfg.Start == nil {
		if r.spawner, err = fex.NewSpawner(cfg.Log); err != nil {
			return fail(General, err)
		}
	}
	r.reloads.base[0] = r.children()
	if r.group, err = fex.Start(ctx, r.reloads.base[0], r.pool); err != nil {
		return fail(Configuration, err)
	}
	r.preparation = newPreparation(r)
	cfg.Log.Info(fmt.Sprintf("%s: %v, %d slots of %d bytes each", r.info.Name, r.group, sizes.Slots, sizes.EventBytes))
	if err := r.openPost(ctx); err != nil {
		return err
	}
	return r.openOrders()
}

func (r *Run) openSource() (err error) {
	opened := r.cfg.Source
	if opened == nil {
		if opened, err = r.openNamed(); err != nil {
			return err
		}
	}
	r.info = opened.Info()
	for _, w := range r.info.Warnings {
		r.cfg.Log.Warn(w)
	}
	if r.source = source.Paced(opened, r.cfg.Rate); r.cfg.Control != nil {
		r.held = source.Hold(opened, r.openNamed, r.cfg.Rate, r.halted)
		r.source = r.held
	}
	return nil
}

// openNamed opens what the user named.
func (r *Run) openNamed() (source.Source, error) {
	c := &r.cfg
	opened, err := source.Open(c.Sources, source.Options{Expt: c.Expt, Run: c.Run, Loop: c.Loop, Events: c.Events, Held: c.Control != nil})
	return opened, fail(SourceTrouble, err)
}

func (r *Run) openConstants() error {
	r.calibration.r, r.calibration.from = r, r.cfg.Constants
	r.calibration.publisher = strconv.FormatInt(r.world.Chance(math.MaxInt64), 36)
	if r.cfg.Constants != nil || r.cfg.Calibration.Store == nil {
		return nil
	}
	from, err := newConstants(&r.cfg.Calibration, r.cfg.Loop, r.cfg.Log)
	if err != nil {
		return fail(Configuration, err)
	}
	r.calibration.from = from
	return nil
}

func (r *Run) openOutput() (err error) {
	if r.cfg.OutputDir == "" {
		return nil
	}
	number := r.runNumber()
	if r.cfg.Control != nil {
		number = 0 // it is known when the run begins
	}
	r.recorder, err = record.New(record.Config{Dir: r.cfg.OutputDir, Expt: r.exptName(), Run: number, Stream: r.stream(),
		Later: r.cfg.Control != nil, ChunkBytes: r.cfg.ChunkBytes, ChunkTime: r.cfg.ChunkTime, CRC: r.cfg.CRC, Disk: r.cfg.Disk, Now: r.clock,
		News: r.recordNews})
	return fail(Configuration, err)
}

// Info is what the source knows about itself.
func (r *Run) Info() source.Info { return r.info }

// Run lets all datagrams through, and returns when everything is closed. A cancelled context ends the run in order;
// Abandon ends it at once. The error is a *Failure, or nil.
func (r *Run) Run(ctx context.Context) (Summary, error) {
	defer r.stop(nil)
	defer context.AfterFunc(ctx, r.Interrupt)()
	r.started.Store(int64(r.world.Now()))
	collecting := world.NewJoin(r.world)
	collecting.Go(r.collect)
	if r.orders != nil {
		go r.obey()
	}
	err := r.dispatch(r.soft)
	r.window.ended.Store(true)
	r.window.signal()
	collecting.Wait()
	r.finished.Store(int64(r.world.Now()) - r.started.Load())
	complete := r.hard.Err() == nil
	closed := r.close(complete)
	s := r.Snapshot()
	s.Files = append(s.Files, r.recorder.Files()...)
	if invariant.Enabled && complete {
		invariant.Check(s.InFlight == 0, "the books do not balance: %+v", s)
	}
	return s, r.verdict(err, closed)
}

// errInterrupted is why a run ends when its context is cancelled.
var errInterrupted = &Failure{Kind: Interrupted, Err: errors.New("interrupted")}

// verdict chooses the error that is reported: what ended the run, or else the first trouble in it, or in closing it.
func (r *Run) verdict(ended, closed error) error {
	r.troubleMu.Lock()
	defer r.troubleMu.Unlock()
	all := append([]error{ended}, r.trouble...)
	if closed != nil {
		all = append(all, fail(General, closed))
	}
	if cause := context.Cause(r.hard); cause != nil {
		all = append([]error{cause}, all...)
	}
	for _, e := range slices.DeleteFunc(all, func(e error) bool { return e == nil }) {
		return e
	}
	return nil
}

// clock is the time of day as the world counts it on: it does not jump when somebody sets the machine's.
func (r *Run) clock() time.Time { return began.Add(r.world.Now()) }

// began only has to be some moment of today.
var began = time.Now()

func (r *Run) recordNews(n record.News) {
	r.troubles.recorded(n)
	switch n.Kind {
	case record.Stopped, record.Incomplete:
		r.cfg.Log.Error(n.String())
	case record.NextChunk:
		r.cfg.Log.Info(n.String())
	default:
		r.cfg.Log.Warn(n.String())
	}
}

// Snapshot reads the books. The files are named only in what Run returns.
func (r *Run) Snapshot() Summary {
	s := r.books.Snapshot()
	took := time.Duration(r.finished.Load())
	if began := r.started.Load(); took == 0 && began != 0 {
		took = r.world.Now() - time.Duration(began)
	}
	s.Seconds = took.Seconds()
	if took > 0 {
		s.EventsPerSecond = float64(s.Received) / took.Seconds()
	}
	s.BytesRecorded = r.bytesRecorded.Load()
	s.Failures = r.complaints.lines()
	return s
}

// close closes what is open, from the children on, so that nobody uses what is closed after.
func (r *Run) close(complete bool) error {
	r.reloads.close()
	errs := []error{r.post.close()}
	if r.group != nil {
		r.group.Close()
	}
	if r.preparation != nil {
		r.preparation.close()
	}
	r.hits.close()
	r.steering.close()
	errs = append(errs, r.watched.close())
	if r.spawner != nil {
		r.spawner.Close()
	}
	if complete && r.group != nil {
		errs = append(errs, r.recorder.Close())
		r.bytesRecorded.Store(r.recorder.Bytes())
	} else {
		errs = append(errs, r.recorder.Abandon())
	}
	if r.calibration.from != nil {
		errs = append(errs, r.calibration.from.Close())
	}
	if r.pool != nil {
		errs = append(errs, r.pool.Close())
	}
	if r.source != nil {
		errs = append(errs, r.source.Close())
	}
	return errors.Join(errs...)
}

// answered takes the answers of a worker; it runs on the worker's goroutine.
func (r *Run) answered(worker int, answers []fex.Answer) {
	prepared := 0
	r.timing.answered(worker, answers)
	for i := range answers {
		e := r.window.at(answers[i].Tag)
		if e.service.IsEvent() {
			if e.prepared {
				prepared++
			}
			e.note(&answers[i])
			e.pending.Store(0)
			continue
		}
		e.detail.answers[worker] = answers[i]
		e.pending.Add(-1)
		r.oneAnswered()
	}
	r.preparation.workers[worker].note(prepared)
	r.window.signal()
}

// oneAnswered counts an answer to the last transition.
func (r *Run) oneAnswered() {
	if r.awaited.Add(-1) == 0 {
		r.transitionDone.Set()
	}
}

func (r *Run) restarted(_ int, cause error) {
	r.books.restarts.Add(1)
	r.cfg.Log.Error(cause.Error())
}

func (r *Run) gaveUp(_ int, cause error) {
	err := fail(Script, cause)
	r.note(err)
	r.end(err)
}

package drp

import (
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"drp/fex"
	"drp/internal/world"
	"drp/pebble"
	"drp/shm"
	"drp/xtc"
)

// preparation makes what scripts want beside the raw data, on the goroutines of the workers: hits, where the run looks for
// them, and corrected pixels. Of the latter nothing is made, and without hits events go straight to the scripts' processes,
// until a script asks for something. Its process is given that on the spot. From then on all workers make it for every event
// before the script's turn, in memory that the process only reads.
type preparation struct {
	r       *Run
	on      atomic.Bool // a part was asked for since Configure; events go by the preparers
	workers []*preparer

	mu    sync.Mutex // protects parts
	parts []*part    // asked for since Configure, in the order in which they were
}

// part is one of the things that are made for every event.
type part struct {
	kind, names uint32 // as it was asked for
	maker
}

// maker makes a part of an event, as float32.
type maker interface {
	// shape is of what is made: segments, rows and columns.
	shape() [3]int
	// make fills dst from the event; what the event lacks is zero. It tells whether the event has anything of it.
	make(dst []float32, d xtc.Dgram) (there bool)
}

// The kinds of thing that a script can ask for, as python/src/drp/_calib.py knows them.
const (
	wantCalib = 1
	wantImage = 2
)

// maxParts is as many as a request to a child can tell.
const maxParts = 63

// Places of a worker's prepared parts, by addition: one being made, those of one read of the child, and one more for
// what is asked for on the spot; fewer where frames are large, since then making one takes as long as a read.
const (
	mostPlaces    = 1 + 32
	fewestPlaces  = 1 + 3
	preparedBytes = 64 << 20
)

// preparer is the goroutine of a worker that makes its parts.
type preparer struct {
	p      *preparation
	worker int
	wake   world.Flag // there is a job, or a place is free, or it is over
	done   world.Flag
	ended  atomic.Bool

	jobs     []job // a ring, as large as all that can be under way
	pushed   atomic.Uint64
	taken    atomic.Uint64
	places   int           // that the parts have now; only the goroutine uses it, as the next
	made     uint64        // events that have a place
	answered atomic.Uint64 // of these

	mu       sync.Mutex     // protects segments
	segments []*shm.Segment // of the parts, kept for those that come later: children stay attached
}

// job is a datagram on its way to a worker.
type job struct {
	work       fex.Work
	row        *row  // of an event, where thresholds are carried over
	transition uint8 // 0 for an event
	implied    bool
}

func newPreparation(r *Run) *preparation {
	p := &preparation{r: r}
	for i := range r.group.Workers {
		w := &preparer{p: p, worker: i, wake: r.world.NewFlag(), done: r.world.NewFlag(), jobs: make([]job, len(r.window.ring))}
		p.workers = append(p.workers, w)
		r.world.Go(w.run)
	}
	return p
}

// event hands an event to a worker.
func (p *preparation) event(worker int, w *fex.Work, in *row) {
	if p.idle() {
		p.r.group.Workers[worker].Work(w)
		return
	}
	p.workers[worker].push(job{work: *w, row: in})
}

// idle tells that there is nothing to make, for now.
func (p *preparation) idle() bool { return p.r.hits.cfg == nil && !p.on.Load() }

// transition hands a transition to a worker, behind the events before it.
func (p *preparation) transition(worker int, w *fex.Work, id xtc.TransitionID, implied bool) {
	if p.idle() {
		p.r.group.Workers[worker].Hand(w, uint8(id), implied)
		return
	}
	p.workers[worker].push(job{work: *w, transition: uint8(id), implied: implied})
}

// load is the number of datagrams that a worker has not answered.
func (p *preparation) load(worker int) int {
	w := p.workers[worker]
	return p.r.group.Workers[worker].Load() + int(w.pushed.Load()-w.taken.Load())
}

// forget drops what scripts have asked for. All workers are idle, and the processes of the scripts forget as well.
func (r *Run) forget() {
	r.preparation.forget()
	if r.post != nil {
		r.post.made.forget()
	}
}

func (p *preparation) forget() {
	p.on.Store(false)
	p.mu.Lock()
	p.parts = nil
	p.mu.Unlock()
}

// close ends the goroutines and frees their memory. No worker asks any more.
func (p *preparation) close() {
	for _, w := range p.workers {
		w.ended.Store(true)
		w.wake.Set()
		w.done.Wait(world.ForEver)
		w.free()
	}
}

func (w *preparer) free() {
	for _, s := range w.segments {
		_ = s.Close()
	}
}

func (w *preparer) push(j job) {
	n := w.pushed.Load()
	w.jobs[n%uint64(len(w.jobs))] = j
	w.pushed.Store(n + 1)
	w.wake.Set()
}

func (w *preparer) run() {
	defer w.done.Set()
	for {
		n := w.taken.Load()
		switch {
		case w.ended.Load():
			return
		case n == w.pushed.Load():
			w.wake.Wait(world.ForEver)
			continue
		}
		j := w.jobs[n%uint64(len(w.jobs))]
		fexWorker := w.p.r.group.Workers[w.worker]
		if j.transition != 0 {
			fexWorker.Hand(&j.work, j.transition, j.implied)
		} else if w.p.r.timing.preparing(j.work.Tag); w.find(&j) {
			if !w.prepare(&j.work) {
				return
			}
			w.p.r.timing.prepared(j.work.Tag)
			fexWorker.Work(&j.work)
		}
		w.taken.Store(n + 1)
	}
}

// find looks for hits in an event; it tells whether the script shall see it. An event comes here once, also when processes
// die of it and it is tried again.
func (w *preparer) find(j *job) (shown bool) {
	r := w.p.r
	if r.hits.cfg == nil {
		return true
	}
	ref, err := r.pool.Events[w.worker].Ref(j.work.Index)
	if err != nil {
		panic(err) // nobody has answered it, so nobody has released it
	}
	e := r.window.at(j.work.Tag)
	if r.hits.searchers[w.worker].search(e, xtc.Dgram(ref.Bytes()), j.row) {
		return true
	}
	r.timing.prepared(j.work.Tag)
	r.pass(e)
	return false
}

// prepare makes all parts of an event; false when the run was given up meanwhile.
func (w *preparer) prepare(work *fex.Work) bool {
	parts := w.p.present()
	if len(parts) == 0 {
		return true
	}
	if places := placesOf(parts); places != w.places { // those in use were counted in another way
		if !w.waitFor(0) {
			return false
		}
		w.places = places
	}
	if !w.waitFor(w.places - 2) { // one is for this event, and the last for what is asked for on the spot
		return false
	}
	ref, err := w.p.r.pool.Events[w.worker].Ref(work.Index)
	if err != nil {
		panic(err) // nobody has answered it, so nobody has released it
	}
	e := w.p.r.window.at(work.Tag)
	place := int(w.made % uint64(w.places-1))
	for i, part := range parts {
		dst, _, err := w.place(i, part, place)
		if err != nil {
			w.p.r.cfg.Log.Error(err.Error())
			parts = parts[:i]
			break
		}
		if part.make(dst, xtc.Dgram(ref.Bytes())) {
			e.calibration = w.p.r.calibration.generation
		}
	}
	e.prepared = true
	w.made++
	work.Prepared, work.Parts = uint16(place+1), uint8(len(parts))
	return true
}

// note takes account of answers to events that had a place.
func (w *preparer) note(events int) {
	if events > 0 {
		w.answered.Add(uint64(events))
		w.wake.Set()
	}
}

// waitFor waits until so many prepared events or fewer are without an answer; false when the run was given up meanwhile.
func (w *preparer) waitFor(most int) bool {
	for w.made-w.answered.Load() > uint64(most) {
		if w.ended.Load() {
			return false
		}
		w.wake.Wait(world.ForEver)
	}
	return true
}

// placesOf is how many places all parts have: those of the largest.
func placesOf(parts []*part) int {
	places := mostPlaces
	for _, part := range parts {
		places = min(places, part.places())
	}
	return places
}

// places is how many the segment of a part has.
func (p *part) places() int { return min(mostPlaces, max(fewestPlaces, preparedBytes/p.stride())) }

func (p *part) bytes() int {
	s := p.shape()
	return 4 * s[0] * s[1] * s[2]
}

// stride is the distance from one place to the next.
func (p *part) stride() int { return wholePages(p.bytes()) }

func (p *preparation) present() []*part {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.parts
}

// place gives the memory of a part; the segment is made when there is none that suits.
func (w *preparer) place(i int, part *part, place int) ([]float32, *shm.Segment, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.segments) <= i {
		w.segments = append(w.segments, nil)
	}
	seg, size := w.segments[i], part.places()*part.stride()
	if seg == nil || len(seg.Bytes()) < size {
		made, err := shm.Create(size)
		if err == nil {
			err = made.ForReaders()
		}
		if err != nil {
			return nil, nil, fmt.Errorf("drp: no memory for what the script asked for: %w", err)
		}
		if seg != nil {
			_ = seg.Close()
		}
		w.segments[i], seg = made, made
	}
	mem := seg.Bytes()[place*part.stride():]
	return unsafe.Slice((*float32)(unsafe.Pointer(&mem[0])), part.bytes()/4), seg, nil
}

// want makes what a script asks for in the middle of an event; it runs on the worker's goroutine.
func (p *preparation) want(worker int, want fex.Want) fex.Wanted {
	e := p.r.window.at(want.Tag)
	made := p.give(worker, want, e.ix, &e.calibration)
	if made.Refused == "" {
		p.on.Store(true)
	}
	return made
}

// give makes it of the event in a slot, and notes which constants were used.
func (p *preparation) give(worker int, want fex.Want, ix pebble.Index, generation *uint32) fex.Wanted {
	ref, err := p.r.pool.Events[worker].Ref(ix)
	if err != nil {
		panic(err) // it has no answer yet
	}
	return p.of(worker, want, ref.Bytes(), generation)
}

// of makes it of an event.
func (p *preparation) of(worker int, want fex.Want, d xtc.Dgram, generation *uint32) fex.Wanted {
	i, part, err := p.find(want)
	if err != nil {
		return fex.Wanted{Refused: err.Error()}
	}
	last := part.places() - 1
	dst, seg, err := p.workers[worker].place(i, part, last)
	if err != nil {
		return fex.Wanted{Refused: err.Error()}
	}
	if part.make(dst, d) {
		*generation = p.r.calibration.generation
	}
	s := part.shape()
	return fex.Wanted{Segment: seg.ID(), Places: part.places(), Stride: part.stride(), Bytes: part.bytes(),
		Place: uint16(last), Part: uint8(i), Rows: s[1], Cols: s[2]}
}

// find gives the part that is asked for, and its number.
func (p *preparation) find(want fex.Want) (int, *part, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, part := range p.parts {
		if part.kind == want.Kind && part.names == want.Names {
			return i, part, nil
		}
	}
	if len(p.parts) == maxParts {
		return 0, nil, fmt.Errorf("a script can ask for %d different things", maxParts)
	}
	m, err := p.r.calibration.maker(want.Kind, xtc.NamesID(want.Names))
	if err != nil {
		return 0, nil, err
	}
	made := &part{kind: want.Kind, names: want.Names, maker: m}
	p.parts = append(p.parts[:len(p.parts):len(p.parts)], made) // others read the former list
	return len(p.parts) - 1, made, nil
}

package cuda

import (
	"fmt"
	"runtime"
	"time"

	"drp/hit"
	"drp/internal/world"
)

// lane is a stream and what goes through it: nothing, a batch that is filled, or one that is under way.
type lane struct {
	stream   int
	of       *resident
	carried  bool // its frames bring their thresholds
	frames   []*request
	began    time.Duration // to be filled, or to be under way
	underWay bool
}

// own is the goroutine that owns the device.
func (g *GPU) own(opened *task) {
	defer g.over.Set()
	runtime.LockOSThread() // contexts belong to threads; this one ends with the goroutine
	g.name, opened.err = g.o.Driver.Open(len(g.lanes))
	failed := opened.err
	opened.done.Set()
	if failed != nil {
		return
	}
	for g.Lost() == nil {
		if err := g.turn(); err != nil {
			g.lose(err)
			break
		}
		if g.idle() && g.ending() {
			break
		}
		g.wake.Wait(g.patience())
	}
	g.end()
}

// turn does all that can be done now.
func (g *GPU) turn() error {
	if err := g.land(); err != nil {
		return err
	}
	g.attend()
	if err := g.fill(); err != nil {
		return err
	}
	if l := g.filling; l != nil && (len(l.frames) == g.o.Batch || g.underWay() == 0 || g.o.World.Now()-l.began >= g.o.Deadline) {
		return g.launch(l)
	}
	return nil
}

// attend does the tasks.
func (g *GPU) attend() {
	g.mu.Lock()
	tasks := g.tasks
	g.tasks = nil
	g.mu.Unlock()
	for _, t := range tasks {
		t.err = t.work(g.o.Driver)
		t.done.Set()
	}
}

func (g *GPU) underWay() (n int) {
	for _, l := range g.lanes {
		if l.underWay {
			n++
		}
	}
	return n
}

func (g *GPU) idle() bool { return g.filling == nil && g.underWay() == 0 }

func (g *GPU) ending() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closing && len(g.queue) == 0
}

// patience is how long to wait for something new: the longer a batch has been under way, the longer.
func (g *GPU) patience() time.Duration {
	wait, now := world.ForEver, g.o.World.Now()
	for _, l := range g.lanes {
		if !l.underWay && l != g.filling {
			continue
		}
		next := min(max((now-l.began)/8, 20*time.Microsecond), 5*time.Millisecond)
		if wait < 0 || next < wait {
			wait = next
		}
	}
	return wait
}

// fill gives the frames that wait to lanes.
func (g *GPU) fill() error {
	for {
		r := g.next()
		if r == nil {
			return nil
		}
		of, err := g.residentOf(r.plan)
		if err != nil {
			return err
		}
		carried := r.thresholds != nil
		if l := g.filling; l != nil && (l.of != of || l.carried != carried || len(l.frames) == g.o.Batch) {
			if err := g.launch(l); err != nil {
				return err
			}
		}
		if g.filling == nil && !g.begin(of, carried) {
			g.mu.Lock()
			g.queue = append([]*request{r}, g.queue...)
			g.mu.Unlock()
			return nil
		}
		if err := g.take(g.filling, r); err != nil {
			return err
		}
	}
}

func (g *GPU) next() *request {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) == 0 {
		return nil
	}
	r := g.queue[0]
	g.queue = append(g.queue[:0], g.queue[1:]...)
	return r
}

// begin takes a free lane, if there is one.
func (g *GPU) begin(of *resident, carried bool) bool {
	for _, l := range g.lanes {
		if !l.underWay {
			l.of, l.carried, l.began, l.frames = of, carried, g.o.World.Now(), l.frames[:0]
			of.users++
			g.filling = l
			return true
		}
	}
	return false
}

// take starts the copy of a frame.
func (g *GPU) take(l *lane, r *request) error {
	to := l.of.rooms[l.stream].raw + Memory(len(l.frames)*l.of.stride)
	for _, piece := range r.pieces {
		if err := g.o.Driver.CopyIn(l.stream, to, piece); err != nil {
			return fmt.Errorf("copy a frame: %w", err)
		}
		to += Memory(len(piece))
	}
	if l.carried {
		l.of.rooms[l.stream].thresholds(len(l.frames), r.thresholds)
	}
	l.frames = append(l.frames, r)
	return nil
}

// launch starts the search of a batch.
func (g *GPU) launch(l *lane) error {
	m, d, frames := l.of.rooms[l.stream], g.o.Driver, len(l.frames)
	now := g.o.World.Now()
	if g.underWay() == 0 {
		g.busySince = now
	}
	g.filling, l.underWay, l.began = nil, true, now
	if l.carried {
		for _, c := range []struct {
			to   Memory
			from []byte
		}{{m.limit, m.limits}, {m.least, m.limits}, {m.below, m.belows}, {m.mean, m.means}, {m.offset, m.offsetsOut}} {
			if err := d.CopyIn(l.stream, c.to, c.from[:len(c.from)/g.o.Batch*frames]); err != nil {
				return fmt.Errorf("copy thresholds: %w", err)
			}
		}
	}
	for _, s := range l.of.steps(l.carried) {
		s.Frames = frames
		if err := d.Launch(l.stream, s.kernel, s.Grid, m.params); err != nil {
			return fmt.Errorf("launch %s: %w", s.kernel, err)
		}
	}
	if err := d.CopyOut(l.stream, m.back[:frames*g.o.Limits.outBytes()], m.out); err != nil {
		return fmt.Errorf("copy peaks: %w", err)
	}
	return nil
}

// step is a launch for a batch.
type step struct {
	kernel Kernel
	Grid
}

// steps are those of a search.
func steps(p *hit.Plan, carried bool) []step {
	over := func(n, by int) int { return (n + by - 1) / by }
	total, bins := p.Segments*p.Pixels(), over(p.Bins, block)
	all := []step{{start, Grid{bins, 1, block}}}
	switch {
	case carried:
	case p.Config.Peakfinder8.Statistics == hit.Full:
		for range 5 {
			all = append(all, step{fullSums, Grid{over(total, chunk), 1, block}}, step{fullBounds, Grid{bins, 1, block}})
		}
	default:
		for range 5 {
			all = append(all, step{sampled, Grid{p.Bins, 1, sampleBlock}}, step{sampledBounds, Grid{bins, 1, block}})
		}
	}
	all = append(all, step{candidates, Grid{over(total, block*eight), 1, block}})
	if p.Doubt() > 0 && !carried {
		all = append(all, step{doubt, Grid{strides, 1, block}}, step{rings, Grid{p.Bins, 1, block}}, step{keep, Grid{strides, 1, block}})
	}
	return append(all, step{offsets, Grid{bins, 1, block}}, step{join, Grid{strides, 1, block}}, step{roots, Grid{strides, 1, block}}, step{gather, Grid{strides, 1, block}},
		step{peaks, Grid{strides, 1, peakBlock}})
}

// land takes what has come back.
func (g *GPU) land() error {
	for _, l := range g.lanes {
		if !l.underWay {
			continue
		}
		done, err := g.o.Driver.Done(l.stream)
		if err != nil {
			return fmt.Errorf("search a batch: %w", err)
		}
		if !done {
			continue
		}
		each := g.o.Limits.outBytes()
		for k, r := range l.frames {
			g.answer(r, l.of.rooms[l.stream].back[k*each:(k+1)*each])
		}
		g.landed()
		clear(l.frames)
		l.of.users--
		l.underWay, l.of = false, nil
	}
	return nil
}

// landed counts a batch, and the time since the one before or since there was something under way.
func (g *GPU) landed() {
	now := g.o.World.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.books.Batches++
	g.books.Busy += now - g.busySince
	g.busySince = now
}

// residentOf gives a plan on the device. Those that nobody uses make room for it.
func (g *GPU) residentOf(p *hit.Plan) (*resident, error) {
	if r := g.residents[p]; r != nil {
		return r, nil
	}
	for other, r := range g.residents {
		if r.users > 0 {
			continue
		}
		delete(g.residents, other)
		if err := r.free(); err != nil {
			return nil, err
		}
	}
	r, err := g.load(p)
	if err != nil {
		return nil, err
	}
	g.residents[p] = r
	return r, nil
}

// end gives all back, but for a device that was lost: what was asked of it may still be under way.
func (g *GPU) end() {
	g.mu.Lock()
	lost, memory := g.lost, g.memory
	g.memory = nil
	g.mu.Unlock()
	if lost != nil {
		return
	}
	for _, r := range g.residents {
		_ = r.free()
	}
	for _, b := range memory {
		_ = g.o.Driver.Unregister(b)
	}
	g.mu.Lock()
	staging := g.staging
	g.mu.Unlock()
	for _, b := range staging {
		_ = g.freeHost(b)
	}
	g.mu.Lock()
	g.staging = nil
	g.mu.Unlock()
	_ = g.o.Driver.Close()
	g.lose(errClosing)
}

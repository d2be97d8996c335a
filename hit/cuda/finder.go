package cuda

import (
	"slices"
	"unsafe"

	"drp/hit"
	"drp/internal/world"
)

// request is a frame that somebody waits for.
type request struct {
	plan       *hit.Plan
	pieces     [][]byte // of the frame, in order
	thresholds *hit.Thresholds
	done       world.Flag

	// What comes back, written by who takes it from pending.
	err     error
	head    Head
	records []Record
}

// answer hands back what was found, unless nobody waits for it any more.
func (g *GPU) answer(r *request, out []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := slices.Index(g.pending, r)
	if at < 0 {
		return
	}
	g.pending = slices.Delete(g.pending, at, at+1)
	r.head = *(*Head)(unsafe.Pointer(&out[0]))
	r.records = r.records[:0]
	if n := min(int(r.head.Peaks), g.o.Limits.Peaks); n > 0 && !g.o.Limits.exceeded(&r.head) {
		r.records = append(r.records, unsafe.Slice((*Record)(unsafe.Pointer(&out[headBytes])), n)...)
	}
	r.done.Set()
}

func (l *Limits) exceeded(h *Head) bool {
	return int(h.Listed) > l.Candidates || int(h.Groups) > l.Groups || int(h.Peaks) > l.Peaks
}

// finder is one goroutine's hit.Finder.
type finder struct {
	g      *GPU
	plan   *hit.Plan
	cpu    hit.Finder // made when it is needed
	r      *request
	peaks  []hit.Peak
	shadow hit.Result // of the check
	only   bool       // the CPU does it

	summaries *hit.Summaries
}

// Finder makes a finder. What a plan asks for that a GPU does not do is said once; its finders are those of the CPU.
func (g *GPU) Finder(p *hit.Plan) hit.Finder {
	g.mu.Lock()
	why, known := g.refusals[p]
	if !known {
		why = Unsupported(p)
		clear(g.refusals) // those of plans before
		g.refusals[p] = why
	}
	g.mu.Unlock()
	if !known && why != nil {
		g.o.Log.Warn("hits are found by the CPU, not by the GPU", "reason", why)
	}
	return &finder{g: g, plan: p, only: why != nil, r: &request{plan: p, done: g.o.World.NewFlag()}, summaries: p.NewSummaries()}
}

// Find looks for the peaks of a frame.
func (f *finder) Find(frame *hit.Frame, to *hit.Result) {
	if f.only {
		f.byCPU(frame, to, hit.CPU, &f.g.books.Other)
		return
	}
	if err := f.plan.Fits(frame); err != nil {
		panic(err) // as all finders do
	}
	f.search(frame, to)
	f.summaries.Add(frame, to)
}

func (f *finder) search(frame *hit.Frame, to *hit.Result) {
	if frame.Carried != nil {
		f.r.thresholds = hit.ThresholdsOf(f.byHand(), frame.Carried)
	} else {
		f.r.thresholds = nil
	}
	switch err := f.ask(frame); {
	case err != nil:
		f.byCPU(frame, to, hit.Instead, &f.g.books.Instead)
	case f.g.o.Limits.exceeded(&f.r.head):
		f.byCPU(frame, to, hit.CPU, &f.g.books.Overflow)
	default:
		f.compose(to)
		f.check(frame, to)
	}
}

// byHand is the finder of the CPU.
func (f *finder) byHand() hit.Finder {
	if f.cpu == nil && f.only {
		f.cpu = f.plan.NewFinder()
	} else if f.cpu == nil {
		f.cpu = f.plan.Peaks()
	}
	return f.cpu
}

func (f *finder) byCPU(frame *hit.Frame, to *hit.Result, by hit.Maker, n *uint64) {
	f.byHand().Find(frame, to)
	to.By = by
	f.g.count(n)
}

// ask lets the device search a frame.
func (f *finder) ask(frame *hit.Frame) error {
	g, r := f.g, f.r
	r.pieces = r.pieces[:0]
	staging, err := f.lay(frame)
	if err != nil {
		return err
	}
	g.mu.Lock()
	lost := g.lost
	if lost == nil {
		r.err = nil
		g.pending = append(g.pending, r)
		g.queue = append(g.queue, r)
	}
	g.mu.Unlock()
	if lost == nil {
		g.wake.Set()
		g.watch(r)
		lost = r.err
	}
	if staging != nil && lost == nil { // else the device may still read it
		g.mu.Lock()
		g.staging = append(g.staging, staging)
		g.books.Staged++
		g.mu.Unlock()
	}
	return lost
}

// watch waits for an answer. Where none comes the device is given up; but a machine that slept in the meantime has slept in
// one of the looks only.
func (g *GPU) watch(r *request) {
	const looks = 8
	for range looks {
		if r.done.Wait(g.o.Watchdog / looks) {
			return
		}
	}
	g.lose(ErrHung) // which answers, unless somebody has just done so
	r.done.Wait(world.ForEver)
}

// lay finds where the device reads a frame: where it lies, or in a copy.
func (f *finder) lay(frame *hit.Frame) (staging []byte, err error) {
	g, r, direct := f.g, f.r, true
	g.mu.Lock()
	for _, raw := range frame.Raw {
		direct = direct && g.registered(unsafe.Pointer(&raw[0]), 2*len(raw))
	}
	if n := len(g.staging); n > 0 && !direct && g.lost == nil {
		staging, g.staging = g.staging[n-1], g.staging[:n-1]
	}
	lost := g.lost
	g.mu.Unlock()
	if lost != nil {
		return nil, lost
	}
	if !direct {
		return f.stage(frame, staging)
	}
	for _, raw := range frame.Raw {
		b := bytesOf(raw)
		if n := len(r.pieces) - 1; n >= 0 && follows(r.pieces[n], b) {
			r.pieces[n] = unsafe.Slice(&r.pieces[n][0], len(r.pieces[n])+len(b))
			continue
		}
		r.pieces = append(r.pieces, b)
	}
	return nil, nil
}

func follows(a, b []byte) bool {
	return unsafe.Add(unsafe.Pointer(&a[0]), len(a)) == unsafe.Pointer(&b[0])
}

// stage copies a frame.
func (f *finder) stage(frame *hit.Frame, staging []byte) ([]byte, error) {
	size := 2 * f.plan.Segments * f.plan.Pixels()
	if len(staging) != size {
		var err error
		if staging, err = f.g.restage(staging, size); err != nil {
			return nil, err
		}
	}
	at := 0
	for _, raw := range frame.Raw {
		at += copy(staging[at:], bytesOf(raw))
	}
	f.r.pieces = append(f.r.pieces, staging)
	return staging, nil
}

// restage gives a staging buffer of another size.
func (g *GPU) restage(old []byte, size int) (made []byte, err error) {
	err = g.do(func(Driver) (err error) {
		if old != nil {
			err = g.freeHost(old)
		}
		if err == nil {
			made, err = g.hostMemory(size)
		}
		return err
	})
	return made, err
}

// compose makes the result of what came back.
func (f *finder) compose(to *hit.Result) {
	r := f.r
	slices.SortFunc(r.records, func(a, b Record) int {
		if a.First < b.First {
			return -1
		}
		return 1
	})
	f.peaks = f.peaks[:0]
	for i := range r.records {
		p := &r.records[i]
		f.peaks = append(f.peaks, hit.Peak{Segment: p.Segment, NPix: p.NPix, Row: p.Row, Col: p.Col, Total: p.Total, Max: p.Max,
			Background: p.Background, Sigma: p.Sigma, SNR: p.SNR})
	}
	f.plan.Compose(to, f.peaks, r.head.Pixels, r.head.Switched, r.head.Offsets)
	to.By = hit.GPU
	f.g.count(&f.g.books.GPU)
}

// check searches one of so many frames by the CPU as well.
func (f *finder) check(frame *hit.Frame, to *hit.Result) {
	g := f.g
	each := uint64(f.plan.Config.CrossCheck)
	if each == 0 {
		return
	}
	g.mu.Lock()
	due := g.turns%each == 0
	g.turns++
	if due {
		g.books.Checked++
	}
	g.mu.Unlock()
	if !due {
		return
	}
	f.byHand().Find(frame, &f.shadow)
	if to.Summary == f.shadow.Summary && slices.Equal(to.Peaks, f.shadow.Peaks) {
		return
	}
	g.lose(ErrWrong)
	to.Peaks, to.Summary, to.By = append(to.Peaks[:0], f.shadow.Peaks...), f.shadow.Summary, hit.Instead
	g.mu.Lock()
	g.books.GPU--
	g.books.Instead++
	g.mu.Unlock()
}

package record

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"drp/xtc"
)

// chunks is what a recorder knows of the chunks of a file. The last datagram of a chunk is an Enable that names the next
// one. A chunk ends at an Enable of the source when it is old enough, or has no room left for another step like the one
// before. When no such Enable comes in time, a Disable and an Enable are made up: before the datagram that does not fit,
// and between two events when the chunk is overdue by time.
type chunks struct {
	table     *xtc.Table // of the Configure that holds
	chunkInfo *xtc.Names // in it; nil: no chunk can be named
	dir       string
	name      xtc.FileName
	began     time.Time // the present chunk
	before    int64     // events in the files when it began
	afterFull bool      // the disk was full in this chunk: it is due
	overdue   bool
	cut       bool   // the next Enable ends it
	reserve   int64  // bytes for what must follow an event in its chunk
	stepBegan int64  // bytes in the files at the last Enable of the source
	next      string // chunk that was named and is not open yet
	nextID    int
}

// beginChunks is called for new files.
func (r *Recorder) beginChunks(dir string, name xtc.FileName) {
	r.chunks = chunks{dir: dir, name: name}
	r.beginChunk()
}

func (r *Recorder) beginChunk() {
	r.began, r.before, r.afterFull, r.overdue, r.next = r.cfg.Now(), r.inFiles, false, false, ""
	r.cut = false
	r.setReserve()
}

// setReserve counts the datagrams that may have to follow an event before the chunk can end: Disable, EndStep, BeginStep,
// and an Enable that names the next chunk. What they hold beside that is not known before they come.
func (r *Recorder) setReserve() {
	const transitions = 4
	r.reserve = transitions * xtc.DgramHeaderBytes
	if r.chunkInfo == nil {
		return
	}
	next := r.name
	next.Chunk++
	block, err := xtc.AppendChunkInfo(nil, r.chunkInfo, next.Data(), next.Chunk)
	if err == nil { // or else enable says why
		r.reserve += int64(len(block))
	}
}

// declareChunkInfo adds Names for chunkinfo to a Configure that has none, if chunks are wanted.
func (r *Recorder) declareChunkInfo(h *held) error {
	t := xtc.NewTable()
	if !r.cfg.chunking() || t.Configure(h.d) != nil || xtc.FindChunkInfo(t) != nil {
		return nil // one that makes no sense is refused when it is written
	}
	id := xtc.NewNamesID(h.d.Src(), xtc.IndexChunkInfo)
	if t.Lookup(id) != nil {
		var err error
		if id, err = t.FreeID(h.d.Src()); err != nil {
			return err
		}
	}
	d, err := xtc.ChunkInfoNames(id).AppendTo(h.d)
	if err != nil {
		return err
	}
	h.d = d
	h.d.SetSize(len(d))
	return nil
}

// findChunkInfo takes what a Configure declares.
func (r *Recorder) findChunkInfo(configure xtc.Dgram) {
	r.table = xtc.NewTable()
	if r.table.Configure(configure) != nil {
		r.table = xtc.NewTable()
	}
	r.chunkInfo = xtc.FindChunkInfo(r.table)
	r.setReserve()
}

// mayEnd tells that the chunk holds events, and that another can be named.
func (r *Recorder) mayEnd() bool { return r.chunkInfo != nil && r.w != nil && r.appended > r.before }

// due tells whether the chunk was written to for as long as it may be, or for so much longer, or the disk was full in it.
func (r *Recorder) due(percentMore int64) bool {
	age := r.cfg.ChunkTime + r.cfg.ChunkTime/100*time.Duration(percentMore)
	return r.mayEnd() && (r.afterFull || r.cfg.ChunkTime > 0 && r.cfg.Now().Sub(r.began) >= age)
}

// fits tells whether the chunk has room for so many bytes and for its end. One without events takes what comes.
func (r *Recorder) fits(bytes int64) bool {
	return r.cfg.ChunkBytes == 0 || !r.mayEnd() || r.w.ChunkBytes()+bytes+r.reserve <= r.cfg.ChunkBytes
}

// makeRoom ends the chunk before an event that does not fit.
func (r *Recorder) makeRoom(d xtc.Dgram, removed []uint32, added []byte) error {
	if r.fits(int64(len(d) + len(added))) { // it cannot be more, and mostly there is room for that
		return nil
	}
	_, parts := r.edit.apply(d, removed, added, 0)
	bytes := int64(xtc.DgramHeaderBytes)
	for _, p := range parts {
		bytes += int64(len(p))
	}
	if r.fits(bytes) {
		return nil
	}
	r.overdue = true
	return r.ready(d.Time())
}

// split gives what must go before a transition that does not fit, so that it comes to lie in the next chunk: a Disable
// and an Enable while events may come, an Enable and a Disable at the end of a step. Between two steps, and where
// timestamps leave no room, there is nothing to be done. Transitions without contents have their room reserved.
func (r *Recorder) split(h held) []held {
	service := h.d.Service()
	if service != xtc.SlowUpdate && service != xtc.Disable && service != xtc.EndStep ||
		len(h.d) == xtc.DgramHeaderBytes || r.fits(int64(len(h.d))) {
		return nil
	}
	p := r.present()
	first := after(r.lastTime)
	second := after(first)
	switch {
	case second >= h.d.Time():
		return nil
	case p.enable != nil:
		return []held{madeUp(p.enable, xtc.Disable, first), madeUp(p.enable, xtc.Enable, second)}
	case p.step != nil && service == xtc.EndStep:
		return []held{madeUp(p.step, xtc.Enable, first), madeUp(p.step, xtc.Disable, second)}
	}
	return nil
}

// fullAfter tells whether the chunk has no room for an Enable of the source and another step like the one that it ends,
// or one that is a tenth larger.
func (r *Recorder) fullAfter(enable held) bool {
	step := max(0, r.w.Bytes()-r.stepBegan)
	return !r.fits(int64(len(enable.d)) + step + step/10)
}

// enable hands an Enable to the writer. If it names the next chunk, of its own or since this one shall end, the files go
// on there.
func (r *Recorder) enable(h held) error {
	next, id, named := "", 0, false
	if r.table != nil {
		next, id, named = xtc.ChunkInfo(r.table, h.d)
	}
	if !named && r.mayEnd() && (r.cut || r.due(0) || !h.madeUp && r.fullAfter(h)) {
		name := r.freeChunk()
		block, err := xtc.AppendChunkInfo(nil, r.chunkInfo, name.Data(), name.Chunk)
		if err != nil {
			return err
		}
		next, id, named = name.Data(), name.Chunk, true
		h.d = newHeld(h.d, block, 0, -1).d
		r.held[r.taken] = h
	}
	if err := r.append(h.d, nil, nil, 0); err != nil {
		return err
	}
	r.taken++
	if !h.madeUp {
		r.stepBegan = r.w.Bytes()
	}
	if !named {
		return nil
	}
	r.next, r.nextID = next, id
	return r.goOn()
}

// freeChunk is the name of the next chunk.
func (r *Recorder) freeChunk() xtc.FileName {
	name := r.name
	for name.Chunk++; r.isTaken(name.Data()); name.Chunk++ {
	}
	return name
}

func (r *Recorder) isTaken(name string) bool {
	path := filepath.Join(r.dir, name)
	return r.cfg.Disk.Exists(path) || r.cfg.Disk.Exists(path+inProgress)
}

// goOn goes on in the chunk that the last Enable named.
func (r *Recorder) goOn() error {
	if err := r.flush(); err != nil {
		return err
	}
	if err := r.w.NextChunk(r.next); err != nil {
		var full *xtc.WriteError
		if !errors.As(err, &full) || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
			// Readers look for the next datagram under a name that cannot be had: no other file is the next chunk.
			err = &xtc.WriteError{Op: "next chunk", Err: err, Unknown: true}
		}
		return err
	}
	r.name.Chunk = max(r.name.Chunk, r.nextID)
	r.beginChunk()
	r.cfg.News(News{Kind: NextChunk, File: r.file()})
	return nil
}

// makeUp puts a Disable and an Enable before an event, if they find room in time.
func (r *Recorder) makeUp(time uint64) {
	r.overdue = false // Flush looks again
	p := r.present()
	disable := after(r.lastTime)
	enable := after(disable)
	if p.enable == nil || !r.mayEnd() || enable >= time {
		return
	}
	r.cut = true
	r.held = append(r.held, madeUp(p.enable, xtc.Disable, disable), madeUp(p.enable, xtc.Enable, enable))
}

// madeUp is a transition without contents, of the readout groups of another.
func madeUp(like xtc.Dgram, service xtc.TransitionID, time uint64) held {
	d := xtc.Dgram(make([]byte, xtc.DgramHeaderBytes))
	xtc.PutDgramHeader(d, time, xtc.EnvOf(service, uint16(like.Env())), like.Src(), 0, 0)
	return held{d: d, run: -1, madeUp: true}
}

// after is the next timestamp: nanoseconds end at a thousand million.
func after(time uint64) uint64 {
	const second = 1000000000
	if time&0xffffffff == second-1 {
		return time + 1<<32 - (second - 1)
	}
	return time + 1
}

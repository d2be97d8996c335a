package record

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"drp/xtc"
)

// chunks is what a recorder knows of the chunks of a file. The last datagram of a chunk is an Enable that names the
// next one, so a chunk that is due ends at the Enable that comes next. If none comes until it is overdue, a Disable and
// an Enable are made up between two events.
type chunks struct {
	table     *xtc.Table // of the Configure that holds
	chunkInfo *xtc.Names // in it; nil: no chunk can be named
	dir       string
	name      xtc.FileName
	began     time.Time // the present chunk
	before    int64     // events in the files when it began
	afterFull bool      // the disk was full in this chunk: it is due
	overdue   bool
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
}

// due tells whether the chunk has reached a limit, or the limit and so much more.
func (r *Recorder) due(percentMore int64) bool {
	if r.chunkInfo == nil || r.w == nil || !r.cfg.chunking() && !r.afterFull {
		return false
	}
	bytes := r.cfg.ChunkBytes + r.cfg.ChunkBytes/100*percentMore
	age := r.cfg.ChunkTime + r.cfg.ChunkTime/100*time.Duration(percentMore)
	return r.afterFull || r.appended > r.before &&
		(r.cfg.ChunkBytes > 0 && r.w.ChunkBytes() >= bytes || r.cfg.ChunkTime > 0 && r.cfg.Now().Sub(r.began) >= age)
}

// enable hands an Enable to the writer. If it names the next chunk, of its own or since one is due, the files go on
// there.
func (r *Recorder) enable(h held) error {
	next, id, named := "", 0, false
	if r.table != nil {
		next, id, named = xtc.ChunkInfo(r.table, h.d)
	}
	if !named && r.due(0) {
		name := r.freeChunk()
		block, err := xtc.AppendChunkInfo(nil, r.chunkInfo, name.Data(), name.Chunk)
		if err != nil {
			return err
		}
		next, id, named = name.Data(), name.Chunk, true
		h = newHeld(h.d, block, 0, -1)
		r.held[r.taken] = h
	}
	if err := r.append(h.d, nil, nil, 0); err != nil {
		return err
	}
	r.taken++
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
	if p.enable == nil || !r.due(0) || enable >= time {
		return
	}
	r.held = append(r.held, madeUp(p.enable, xtc.Disable, disable), madeUp(p.enable, xtc.Enable, enable))
}

// madeUp is a transition without contents, of the readout groups of another.
func madeUp(like xtc.Dgram, service xtc.TransitionID, time uint64) held {
	d := xtc.Dgram(make([]byte, xtc.DgramHeaderBytes))
	xtc.PutDgramHeader(d, time, xtc.EnvOf(service, uint16(like.Env())), like.Src(), 0, 0)
	return held{d: d, run: -1}
}

// after is the next timestamp: nanoseconds end at a thousand million.
func after(time uint64) uint64 {
	const second = 1000000000
	if time&0xffffffff == second-1 {
		return time + 1<<32 - (second - 1)
	}
	return time + 1
}

package page

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"drp/internal/pace"
	"drp/watch"
)

// Kinds of frames.
const (
	frameStatus = 1 + iota
	framePicture
	frameEvents
	frameLog
	frameEnd
)

// stream is a browser that reads.
type stream struct {
	feed     *feed
	kind     kind
	bin      int
	hits     bool // only those
	every    time.Duration
	patience time.Duration

	// Protected by the page's mutex.
	ready   bool // it has taken the picture before
	due     time.Time
	dropped uint64 // pictures that it was too slow for
	given   uint64 // the event whose picture it was given last
	frames  chan *picture

	control  http.ResponseController
	w        http.ResponseWriter
	rows     uint64 // the last that it was told of
	lines    toldLines
	latest   time.Time // of the status
	headRoom [5]byte

	writing sync.Mutex // so that frames come one after the other
}

// Times of a stream.
const (
	statusEvery = time.Second
	replayEvery = 500 * time.Millisecond
	mostRows    = 50 // of a frame
)

// serveStream answers until the browser leaves, is too slow, or all ends.
func (p *Page) serveStream(w http.ResponseWriter, r *http.Request) {
	q := query{values: r.URL.Query()}
	s := &stream{kind: kind(q.word("image", string(kindEvent), "event", "sum", "max", "none")), bin: q.bin(), w: w,
		every: time.Duration(float64(time.Second) / q.real("rate", 10, 0.1, 30)), frames: make(chan *picture, 1), ready: true, patience: p.o.Patience}
	hits := q.word("hits", "0", "0", "1") == "1"
	if q.refused(w) {
		return
	}
	if !p.enter(s, hits) {
		http.Error(w, fmt.Sprintf("%d browsers watch already, which is the most: close one of them", mostStreams), http.StatusServiceUnavailable)
		return
	}
	defer p.leave(s)
	s.control = *http.NewResponseController(w)
	_ = s.control.SetReadDeadline(time.Time{}) // a browser says nothing more
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	if err := p.speak(s, r); err == nil {
		_ = s.json(frameEnd, map[string]string{"why": "the run has ended"})
	}
}

// enter adds a stream.
func (p *Page) enter(s *stream, hits bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.streams) >= mostStreams || p.ctx.Err() != nil {
		return false
	}
	s.feed, s.hits, s.due = p.wanted(hits), hits, time.Now()
	p.streams[s] = true
	p.left, p.kept.mostBytes = time.Time{}, mostKeptBytes
	s.rows = max(p.kept.seq, mostRows) - mostRows
	s.feed.ring()
	return true
}

// makeUp gives a stream of a replay the latest picture, where it was too slow for that: none may come after it.
func (p *Page) makeUp(s *stream) {
	if p.o.Player == nil || s.kind == kindNone {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.kept.latest(s.hits); e != nil && s.ready && e.seq != s.given {
		p.give(s, e, time.Now(), &round{most: 1})
	}
}

func (p *Page) leave(s *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.streams, s)
	if len(p.streams) == 0 {
		p.left = time.Now()
	}
	select {
	case pic := <-s.frames:
		p.release(pic)
	default:
	}
}

// round is the pictures that were made of one event.
type round struct {
	made []*picture
	most int
}

// of gives the one that a stream wants, nil where it was not made.
func (r *round) of(s *stream) *picture {
	for _, pic := range r.made {
		if pic.kind == s.kind && pic.bin == s.bin {
			return pic
		}
	}
	return nil
}

// give makes a picture for a stream, or gives it the one that was made for another.
func (p *Page) give(s *stream, e *event, now time.Time, r *round) {
	pic := r.of(s)
	if pic == nil && len(r.made) == r.most {
		return
	}
	s.given = e.seq
	s.due = s.due.Add(s.every)
	if s.due.Before(now) {
		s.due = now.Add(s.every)
	}
	if pic == nil {
		if s.kind != kindEvent && (s.feed.sums.scene == nil || s.feed.sums.events == 0) {
			return
		}
		pic = p.blank()
		if s.kind == kindEvent {
			p.painter.draw(pic, e, s.bin)
		} else {
			p.painter.drawSum(pic, &s.feed.sums, e, s.kind, s.bin)
		}
		r.made = append(r.made, pic)
	}
	pic.holders++
	s.ready = false
	s.frames <- pic
}

// blank is a picture to be made, of memory that was used before where there is some.
func (p *Page) blank() *picture {
	if n := len(p.spares); n > 0 {
		pic := p.spares[n-1]
		p.spares = p.spares[:n-1]
		return pic
	}
	return &picture{}
}

// rest gives memory back when nobody has looked for a while: what the pictures of many browsers took, and most of the events.
func (p *Page) rest() {
	p.mu.Lock()
	due := !p.left.IsZero() && time.Since(p.left) > p.o.Patience
	if due {
		p.left, p.spares, p.painter = time.Time{}, nil, painter{}
		p.kept.mostBytes = restingBytes
		p.kept.trim()
	}
	p.mu.Unlock()
	if due {
		debug.FreeOSMemory()
	}
}

// mostSpares are the pictures whose memory is kept for others.
const mostSpares = 4

func (p *Page) release(pic *picture) {
	if pic.holders--; pic.holders == 0 && len(p.spares) < mostSpares {
		p.spares = append(p.spares, pic)
	}
}

// taken makes a stream due for its next picture.
func (p *Page) taken(s *stream, pic *picture) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release(pic)
	s.ready = true
	s.feed.ring()
}

// news writes what is new beside pictures.
func (p *Page) news(s *stream, r *http.Request) error {
	rows, dropped := p.rowsSince(&s.rows), uint64(0)
	if len(rows) > 0 {
		if err := s.json(frameEvents, map[string]any{"events": rows}); err != nil {
			return err
		}
	}
	if lines, anew := p.o.Journal.since(&s.lines); len(lines) > 0 || anew {
		if err := s.json(frameLog, map[string]any{"lines": append([]line{}, lines...), "anew": anew}); err != nil {
			return err
		}
	}
	if !p.saysStatus(s) {
		return nil
	}
	s.latest = time.Now()
	p.mu.Lock()
	dropped = s.dropped
	p.mu.Unlock()
	said := struct {
		Status   watch.Status   `json:"status"`
		Rights   watch.Rights   `json:"rights"`
		Settings *uint64        `json:"settings_generation,omitempty"` // absent where there are none to ask for
		Lag      map[string]any `json:"lag"`
		Replay   *ReplayState   `json:"replay,omitempty"`
	}{Status: p.present(), Rights: watch.Rights{Control: watch.MayControl(r)}, Lag: map[string]any{"dropped": dropped, "scarce": p.scarce()}}
	if p.o.Settings != nil {
		generation := p.o.Settings()
		said.Settings = &generation
	}
	if p.o.Player != nil {
		state := p.o.Player.State()
		said.Replay = &state
	}
	return s.json(frameStatus, said)
}

// saysStatus tells whether a stream is due for the status.
func (p *Page) saysStatus(s *stream) bool {
	every := statusEvery
	if p.o.Player != nil {
		every = replayEvery
	}
	return time.Since(s.latest) >= every-pace.Beat/4
}

// rowsSince gives the rows of events since the last that were asked for, the newest ones.
func (p *Page) rowsSince(last *uint64) (rows []row) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.kept.all {
		if e.seq > *last {
			rows = append(rows, e.listed())
		}
	}
	*last = p.kept.seq
	return rows[max(0, len(rows)-mostRows):]
}

// picture writes one.
func (s *stream) picture(pic *picture) error {
	if err := s.begin(framePicture, len(pic.head)+len(pic.pixels)); err != nil {
		return err
	}
	if _, err := s.w.Write(pic.head); err != nil {
		return err
	}
	if _, err := s.w.Write(pic.pixels); err != nil {
		return err
	}
	return s.control.Flush()
}

func (s *stream) json(kind byte, what any) error {
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	if err := s.begin(kind, len(text)); err != nil {
		return err
	}
	if _, err := s.w.Write(text); err != nil {
		return err
	}
	return s.control.Flush()
}

// begin writes the head of a frame, which must be taken in time.
func (s *stream) begin(kind byte, bytes int) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(s.patience))
	binary.LittleEndian.PutUint32(s.headRoom[:], uint32(bytes+1))
	s.headRoom[4] = kind
	_, err := s.w.Write(s.headRoom[:])
	return err
}

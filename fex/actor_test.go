package fex

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/pebble"
)

// actor is a child in memory: it takes requests as they are written and answers all well, unless its stage says what
// else it does.
type actor struct {
	stage *stage
	id    int // counted from 1 in the order of the starts

	mu       sync.Mutex // protects what follows
	changed  *sync.Cond
	answers  []byte
	asked    []byte
	gone     bool
	hungUp   bool
	resident int64
	killed   int
	mute     bool // what it answers does not come through yet
	// How it fails: as one that lacks memory or descriptors.
	exhausted bool
	stopped   bool
}

// role is what an actor does with a request.
type role int

const (
	answers role = iota
	dies
	keepsSilent
	fails
	doesNotKnow // says as a spare whose script asks who it is
)

// stage is all actors of a test.
type stage struct {
	t     *testing.T
	group *Group
	pool  *pebble.Pool

	mu      sync.Mutex // protects what follows
	changed *sync.Cond
	cast    []*actor
	seen    []string // "1 hello", "1 replay 2", "2 attach", "1 script text", "1 event 7", "1 transition 4"
	answers map[uint64][]Answer
	deaths  []string
	retired int
	gaveUp  int
	planned int
	sent    uint64
	slots   map[uint64]pebble.Ref
	play    func(a *actor, said string) role
	delay   time.Duration // of the last words
}

// newStage starts workers whose children are actors. Everything is closed and checked for leaks at the end of the test.
func newStage(t *testing.T, workers int, change func(cfg *Config, s *stage)) *stage {
	t.Helper()
	s, err := tryStage(t, workers, change)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tryStage is newStage for children that may not start.
func tryStage(t *testing.T, workers int, change func(cfg *Config, s *stage)) (*stage, error) {
	t.Helper()
	testkit.NoLeaks(t)
	s := &stage{t: t, answers: map[uint64][]Answer{}, slots: map[uint64]pebble.Ref{}}
	s.changed = sync.NewCond(&s.mu)
	s.play = func(*actor, string) role { return answers }
	cfg := Config{Script: "a.py", Source: []byte("one"), GreetDeadline: time.Hour, TransitionDeadline: time.Hour,
		EventDeadline: time.Hour, Retries: 1, Log: slog.New(slog.DiscardHandler), Start: s.start, Answered: s.answered,
		Restarted: func(_ int, cause error) { s.note(func() { s.deaths = append(s.deaths, cause.Error()) }) },
		Recycled:  func(int) { s.note(func() { s.planned++ }) },
		Retired:   func(int, error) { s.note(func() { s.retired++ }) },
		GaveUp:    func(int, error) { s.note(func() { s.gaveUp++ }) }}
	if change != nil {
		change(&cfg, s)
	}
	var err error
	if s.pool, err = pebble.Open(pebble.Sizes{Workers: workers, Slots: 64, EventBytes: 64, ResultBytes: 4096, TransitionBytes: 4096}); err != nil {
		t.Fatal(err)
	}
	s.group, err = Start(context.Background(), cfg, s.pool)
	t.Cleanup(func() {
		if s.group != nil {
			s.group.Close()
		}
		if err := s.pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, err
}

func (s *stage) note(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.changed.Broadcast()
}

func (s *stage) start(*slog.Logger) (Process, error) {
	a := &actor{stage: s}
	a.changed = sync.NewCond(&a.mu)
	s.note(func() { s.cast = append(s.cast, a); a.id = len(s.cast) })
	return a, nil
}

func (s *stage) answered(_ int, answers []Answer) {
	s.note(func() {
		for _, a := range answers {
			s.answers[a.Tag] = append(s.answers[a.Tag], a)
			if ref, ok := s.slots[a.Tag]; ok {
				ref.Release()
				delete(s.slots, a.Tag)
			}
		}
	})
	s.pool.Freed()
}

// until waits for a condition about the stage.
func (s *stage) until(what string, holds func() bool) {
	s.t.Helper()
	if !testkit.Within(testkit.Patience, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return holds() }) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.t.Fatalf("waiting for %s; seen: %s; deaths: %q", what, strings.Join(s.seen, ", "), s.deaths)
	}
}

// transition gives one to all workers and waits for the answers.
func (s *stage) transition(id uint8, time uint64) []Answer {
	s.t.Helper()
	loan, ok := s.pool.Transitions.TryLoan()
	if !ok {
		s.t.Fatal("no slot for a transition")
	}
	n := copy(loan.Bytes(), fmt.Sprintf("%d", id))
	ix := loan.Seal(n)
	tag := s.sent
	s.sent++
	for _, w := range s.group.Workers {
		w.Transition(ix, n, id, false, time, tag)
	}
	s.until(fmt.Sprintf("transition %d", id), func() bool { return len(s.answers[tag]) == len(s.group.Workers) })
	ref, err := s.pool.Transitions.Ref(ix)
	if err != nil {
		s.t.Fatal(err)
	}
	ref.Release()
	return s.answers[tag]
}

// event gives one to a worker; it does not wait.
func (s *stage) event(worker int, time uint64) (tag uint64) {
	s.t.Helper()
	loan, ok := s.pool.Events[worker].TryLoan()
	if !ok {
		s.t.Fatal("no slot for an event")
	}
	ix := loan.Seal(1)
	tag = s.sent
	s.sent++
	s.mu.Lock()
	s.slots[tag], _ = s.pool.Events[worker].Ref(ix)
	s.mu.Unlock()
	s.group.Workers[worker].Event(ix, 1, 1, time, tag)
	return tag
}

// status waits for the answer to an event.
func (s *stage) status(tag uint64) Status {
	s.t.Helper()
	s.until(fmt.Sprintf("request %d", tag), func() bool { return len(s.answers[tag]) > 0 })
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.answers[tag]) != 1 {
		s.t.Errorf("request %d has %d answers", tag, len(s.answers[tag]))
	}
	return s.answers[tag][0].Status
}

// saw tells what an actor was asked, from its start on.
func (s *stage) saw(id int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, said := range s.seen {
		if rest, ok := strings.CutPrefix(said, fmt.Sprintf("%d ", id)); ok {
			all = append(all, rest)
		}
	}
	return strings.Join(all, ", ")
}

// Write implements Process: the actor acts at once.
func (a *actor) Write(b []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone {
		return io.EOF
	}
	a.asked = append(a.asked, b...)
	for len(a.asked) >= recordBytes && !a.gone {
		var r record
		r.parse(a.asked)
		body := 0
		if r.kind != kindEvent && r.kind != kindTransition {
			body = int(r.bytes)
		}
		if len(a.asked) < recordBytes+body {
			break
		}
		a.act(&r, bytes.Clone(a.asked[recordBytes:recordBytes+body]))
		a.asked = a.asked[recordBytes+body:]
	}
	return nil
}

func (a *actor) act(r *record, body []byte) {
	said := map[uint8]string{kindHello: "hello", kindReplay: fmt.Sprintf("replay %d", r.transition), kindAttach: "attach",
		kindScript: "script " + string(body), kindTransition: fmt.Sprintf("transition %d", r.transition),
		kindEvent: fmt.Sprintf("event %d", r.time)}[r.kind]
	a.stage.note(func() { a.stage.seen = append(a.stage.seen, fmt.Sprintf("%d %s", a.id, said)) })
	r.status, r.bytes, r.count = 0, 0, 0
	switch a.stage.play(a, said) {
	case dies:
		a.end()
		return
	case keepsSilent:
		return
	case fails:
		r.status = uint8(Failed)
		if text := fmt.Sprintf(`{"type": "OSError", "exhausted": %v}`, a.exhausted); r.kind == kindEvent {
			r.bytes = uint32(copy(a.stage.group.Workers[0].results.Event(r.slot), text))
		}
	case doesNotKnow:
		r.status = uint8(Rejected)
	}
	switch r.kind {
	case kindScript:
		return
	case kindHello:
		text := []byte(`{"version":2}`)
		r.bytes = uint32(len(text))
		a.answers = append(r.append(a.answers), text...)
	default:
		a.answers = r.append(a.answers)
	}
	a.changed.Broadcast()
}

// end is called with mu held.
func (a *actor) end() { a.gone = true; a.changed.Broadcast() }

// Read implements Process.
func (a *actor) Read(b []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for (len(a.answers) == 0 || a.mute) && !a.gone {
		a.changed.Wait()
	}
	if len(a.answers) == 0 {
		return 0, io.EOF
	}
	n := copy(b, a.answers)
	a.answers = a.answers[n:]
	return n, nil
}

func (a *actor) locked(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

// What follows implements the rest of Process.

func (a *actor) Kill() { a.locked(func() { a.killed++; a.end() }) }
func (a *actor) DumpStack() {
	a.stage.note(func() { a.stage.seen = append(a.stage.seen, fmt.Sprintf("%d stack", a.id)) })
}
func (a *actor) HangUp()  { a.locked(func() { a.hungUp = true; a.end() }) }
func (a *actor) Close()   {}
func (a *actor) PID() int { return 1000 + a.id }
func (a *actor) Wait() {
	a.locked(func() {
		for !a.gone {
			a.changed.Wait()
		}
	})
}
func (a *actor) Gone() (gone bool)      { a.locked(func() { gone = a.gone }); return gone }
func (a *actor) Stopped() (is bool)     { a.locked(func() { is = a.stopped }); return is }
func (a *actor) Resident() (held int64) { a.locked(func() { held = a.resident }); return held }
func (a *actor) NotStarted(cause error) error {
	a.Kill()
	return fmt.Errorf("actor %d: %w", a.id, cause)
}

func (a *actor) Obituary(cause error) Death {
	a.stage.mu.Lock()
	delay := a.stage.delay
	if a.id > 1 {
		delay = 0
	}
	a.stage.mu.Unlock()
	time.Sleep(delay)
	return Death{PID: a.PID(), When: time.Now(), Reason: fmt.Sprintf("actor %d: %v", a.id, cause), Output: []string{"last words"}}
}

func (s *stage) count(n *int) int { s.mu.Lock(); defer s.mu.Unlock(); return *n }

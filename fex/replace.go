package fex

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// startFailures is how often in a row a replacement may fail to start before the worker gives up.
const startFailures = 4

// bury takes note of a dead child and of the requests it had in hand.
func (w *Worker) bury(c *child, cause error) {
	why := c.why(cause)
	c.bury()
	w.mu.Lock()
	inHand := w.queue.written
	for i := range inHand {
		w.queue.at(i).tries++
	}
	w.queue.written, w.held = 0, w.held[:0]
	w.solo = w.queue.len() > 0
	var answer []Answer
	if inHand > 0 && w.queue.at(0).tries >= 2 {
		r := w.queue.pop()
		w.load.Add(-1)
		f := &Failure{Type: "Crash", Message: strings.TrimPrefix(why.Error(), "fex: ")}
		if line := c.scriptLine(w.cfg.Script); line > 0 {
			f.File, f.Line = w.cfg.Script, line
		}
		answer = []Answer{{Tag: r.tag, Status: Crashed, Failure: f}}
	}
	closed := w.closed
	w.mu.Unlock()
	if !closed {
		w.cfg.Restarted(w.id, fmt.Errorf("worker %d: %w (%d datagrams in hand)", w.id, why, inHand))
	}
	if answer != nil {
		w.cfg.Answered(w.id, answer)
	}
}

// replace starts a child, brings it to the present state and gives it the requests without an answer. It returns nil
// when the worker was closed or no child can be started any more.
func (w *Worker) replace() *child {
	pause := 100 * time.Millisecond
	for attempt := 1; ; attempt++ {
		c, err := startChild(w.cfg, w.log)
		if err == nil {
			if err = w.bringUp(c); err == nil {
				return c
			}
			_ = w.setStarting(nil)
			c.kill()
			c.bury()
		}
		if w.isClosed() {
			return nil
		}
		if attempt == startFailures {
			w.cfg.GaveUp(w.id, fmt.Errorf("worker %d: no child could be started %d times in a row: %w", w.id, attempt, err))
			return nil
		}
		w.log.Warn("a replacement child did not start", "error", err)
		time.Sleep(pause)
		pause *= 2
	}
}

// errClosed ends a replacement that is not wanted any more.
var errClosed = errors.New("fex: the worker was closed")

// setStarting makes a child that is being brought up known to those who may want to end it; it fails when the worker
// was closed.
func (w *Worker) setStarting(c *child) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.starting = c
	if w.closed {
		return errClosed
	}
	return nil
}

func (w *Worker) isClosed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed
}

func (w *Worker) bringUp(c *child) error {
	if err := w.setStarting(c); err != nil {
		return err
	}
	if _, err := c.greet(&w.hello, w.cfg.GreetDeadline); err != nil {
		return err
	}
	late := time.AfterFunc(w.cfg.TransitionDeadline, c.dumpAndKill)
	defer late.Stop()
	buf := make([]byte, recordBytes)
	for _, k := range w.state.kept {
		r := record{kind: kindReplay, bytes: uint32(len(k.dgram)), transition: uint32(k.id), time: k.time}
		if err := c.write(append(r.append(nil), k.dgram...)); err != nil {
			return c.why(err)
		}
		if err := c.readFull(buf); err != nil {
			return c.why(err)
		}
		if r.parse(buf); r.kind != kindReplay || r.status != uint8(OK) {
			return fmt.Errorf("fex: the script failed when transition %d was replayed to a new child", k.id)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return errClosed
	}
	w.progress.Store(time.Now().UnixNano())
	w.child, w.starting = c, nil
	if w.solo {
		w.writeNextSolo()
	} else {
		w.resume()
	}
	return nil
}

// refuse answers everything as crashed, from a worker that gave up until it is closed, so that nobody waits for it.
func (w *Worker) refuse() {
	for {
		w.mu.Lock()
		var answers []Answer
		for w.queue.len() > 0 && !w.closed {
			r := w.queue.pop()
			w.load.Add(-1)
			answers = append(answers, Answer{Tag: r.tag, Status: Crashed,
				Failure: &Failure{Type: "Crash", Message: "the worker has no child any more"}})
		}
		closed := w.closed
		w.mu.Unlock()
		if closed {
			return
		}
		if answers != nil {
			w.cfg.Answered(w.id, answers)
		}
		<-w.wake
	}
}

// enforceDeadline ends a child that has been silent for too long with work in hand.
func (w *Worker) enforceDeadline(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.child == nil || w.queue.written == 0 {
		return
	}
	deadline := w.cfg.EventDeadline
	if w.queue.at(0).kind == kindTransition {
		deadline = w.cfg.TransitionDeadline
	}
	silent := now.Sub(time.Unix(0, w.progress.Load()))
	if silent < deadline {
		return
	}
	w.log.Error("no answer from the script: its stack follows, then it is ended and replaced", "seconds", silent.Seconds())
	w.child.dumpAndKill()
	w.progress.Store(now.UnixNano())
}

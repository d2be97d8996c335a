package drp

import (
	"errors"
	"fmt"

	"drp/fex"
)

// Abandon ends the run at once: children are killed, files stay as .inprogress.
func (r *Run) Abandon(cause error) {
	r.abandon(cause)
	r.end(cause)
	r.window.signal()
	for _, g := range r.groups() {
		g.Kill()
	}
}

// groups are the processes of all scripts.
func (r *Run) groups() []*fex.Group {
	if r.post == nil {
		return []*fex.Group{r.group}
	}
	return []*fex.Group{r.group, r.post.group}
}

// halt notes what went wrong and ends the run in order.
func (r *Run) halt(err error) {
	r.note(err)
	r.finish(err)
}

// finish ends the run in order.
func (r *Run) finish(cause error) {
	r.end(cause)
	for _, g := range r.groups() {
		g.Finish()
	}
}

// Interrupt ends the run in order, as a cancelled context does.
func (r *Run) Interrupt() { r.finish(errInterrupted) }

// end lets the source end, and wakes whoever waits meanwhile. The children are not told, since they may be the cause.
func (r *Run) end(cause error) {
	r.stop(cause)
	r.pool.Freed()
	r.transitionDone.Set()
}

func (r *Run) note(err error) {
	r.troubleMu.Lock()
	defer r.troubleMu.Unlock()
	r.trouble = append(r.trouble, err)
}

// stopRecording ends the run for trouble that will not go away. What is in the files stays there, unfinished.
func (c *collector) stopRecording(err error) {
	c.failed = err
	if abandoned := c.recorder.Abandon(); abandoned != nil {
		err = errors.Join(err, abandoned)
	}
	c.halt(fail(General, fmt.Errorf("recording stopped, the files stay as .inprogress: %w", err)))
}

// recordNothing ends the recording of a run whose script cannot work. What was recorded before is complete.
func (c *collector) recordNothing(cause error) {
	if c.failed == nil {
		c.failed = cause
		if err := c.recorder.Close(); err != nil {
			c.note(fail(General, err))
		}
	}
}

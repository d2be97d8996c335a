package drp

import (
	"fmt"

	"drp/pebble"
	"drp/record"
	"drp/xtc"
)

// told is a transition that the script has answered.
type told struct {
	service xtc.TransitionID
	ix      pebble.Index
	implied bool // made up by us
	said    bool // a script added something to it
	dgram   xtc.Dgram
	damage  xtc.Damage
	detail  *detail
}

// settle records a transition with what the script adds to it, when a second script has had its turn.
func (c *collector) settle(t *told, added []byte) {
	c.present.apply(t.service, t.dgram)
	t.said = len(added) > 0
	if c.post != nil {
		c.post.takeTransition(c, t, added)
		return
	}
	c.enact(t, added)
}

// enact records a transition with what is added to it, unless it was made up and no script said anything. Who watches sees what is
// recorded.
func (c *collector) enact(t *told, added []byte) {
	defer c.obeyed.note(t)
	if t.service == xtc.EndRun && len(t.detail.answers) > 0 {
		added = c.closeBooks(t.detail, added)
	}
	added, tells := c.tellLoaded(t.detail, added)
	c.watched.transition(t.dgram, added, t.damage)
	if t.said = t.said || tells; t.implied && !t.said || c.failed != nil {
		return
	}
	run := -1
	if t.detail.run > 0 {
		run = t.detail.run
	} else if _, n, ok := xtc.RunInfo(c.table, t.dgram); ok && t.service == xtc.BeginRun && c.cfg.Run == 0 {
		run = n
	}
	err := c.recorder.Transition(t.dgram, added, t.damage, run)
	if named := c.recorder.Run(); run > record.MaxRun && c.recorder != nil {
		c.cfg.Log.Warn(fmt.Sprintf("run %d is recorded in files named run %d, since names of runs only count up to %d",
			run, named, record.MaxRun))
	}
	if err != nil {
		c.stopRecording(err)
	}
}

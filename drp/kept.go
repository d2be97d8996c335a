package drp

import (
	"errors"
	"fmt"

	"drp/record"
	"drp/xtc"
)

// kept is an event as it is recorded.
type kept struct {
	dgram   xtc.Dgram
	removed []uint32
	added   []byte
	damage  xtc.Damage
}

// write hands an event to the recorder; the books follow when it is written.
func (c *collector) write(k *kept) error {
	d := k.dgram
	if c.failed == nil {
		err := c.recorder.Event(d, k.removed, k.added, k.damage)
		if err == nil {
			c.taken = append(c.taken, k.damage|d.Damage() != 0)
			return nil
		}
		var bad *record.EventError
		switch {
		case errors.As(err, &bad):
			if c.unfit++; c.unfit&(c.unfit-1) == 0 {
				c.cfg.Log.Error(fmt.Sprintf("the event of time %v cannot be recorded and is counted as failed (%d so far): %v",
					xtc.TimestampOf(d.Time()), c.unfit, err))
			}
		case !stalled(err):
			c.stopRecording(err)
		}
	}
	c.books.failed.Add(1)
	return nil
}

// stalled tells an error that will pass, when the disk takes data again.
func stalled(err error) bool {
	var s *record.StalledError
	return errors.As(err, &s)
}

package simtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"syscall"
	"time"

	"drp/fex"
	"drp/internal/world"
)

// startChild is a fex.Starter.
func (l *lab) startChild(*slog.Logger) (fex.Process, error) { return l.start(false) }

func (l *lab) start(second bool) (fex.Process, error) {
	l.world.Sleep(l.soon(20 * time.Millisecond))
	if l.run != nil && l.happens(l.plan.badStarts) {
		l.trace("no process can be started")
		return nil, errors.New("no process can be started")
	}
	l.pids++
	c := &child{lab: l, pid: l.pids, second: second, worker: -1, input: l.world.NewFlag(), output: l.world.NewFlag(), hung: l.world.NewFlag()}
	l.trace("child %d starts", c.pid)
	l.world.Go(func() {
		err := c.live()
		c.die(err)
	})
	return c, nil
}

// Write implements fex.Process.
func (c *child) Write(b []byte) error {
	if c.dead {
		return syscall.EPIPE
	}
	c.in.Write(b)
	c.input.Set()
	return nil
}

// Read implements fex.Process.
func (c *child) Read(b []byte) (int, error) {
	for c.out.Len() == 0 {
		if c.dead {
			return 0, io.EOF
		}
		c.output.Wait(world.ForEver)
	}
	return c.out.Read(b)
}

// Kill implements fex.Process. Death comes a little later, as a real one does.
func (c *child) Kill() {
	if c.killed || c.dead {
		return
	}
	c.killed = true
	c.lab.trace("child %d is killed", c.pid)
	c.lab.world.After(c.lab.soon(2*time.Millisecond), func() { c.die(errors.New("killed")) })
}

// DumpStack implements fex.Process.
func (c *child) DumpStack() { c.lab.trace("child %d shows its stack", c.pid) }

// HangUp implements fex.Process.
func (c *child) HangUp() {
	c.closed = true
	c.input.Set()
}

// Wait implements fex.Process.
func (c *child) Wait() {
	if !c.closed && !c.killed && !c.dead {
		c.lab.problem("somebody waits for child %d, which has no reason to end", c.pid)
	}
	late := c.lab.world.After(2*time.Second, c.Kill)
	for !c.dead {
		f := c.lab.world.NewFlag()
		c.death = append(c.death, f)
		f.Wait(world.ForEver)
	}
	late()
}

// Gone implements fex.Process.
func (c *child) Gone() bool { return c.dead }

// Stopped implements fex.Process.
func (c *child) Stopped() bool { return false }

// Obituary implements fex.Process.
func (c *child) Obituary(cause error) fex.Death {
	return fex.Death{PID: c.pid, Reason: fmt.Sprintf("child %d is dead: %v", c.pid, cause)}
}

// NotStarted implements fex.Process.
func (c *child) NotStarted(cause error) error {
	c.Kill()
	c.Wait()
	return fmt.Errorf("child %d did not start: %w", c.pid, cause)
}

// Close implements fex.Process.
func (c *child) Close() {}

// Resident implements fex.Process.
func (c *child) Resident() int64 { return 0 }

// PID implements fex.Process.
func (c *child) PID() int { return c.pid }

func (c *child) die(cause error) {
	if c.dead {
		return
	}
	c.dead = true
	l := c.lab
	l.trace("child %d of worker %d ends: %v, with %v in hand", c.pid, c.worker, cause, c.inHand)
	for rest := slices.Concat(c.aside, c.in.Bytes()); len(rest) >= recordBytes; rest = rest[recordBytes:] {
		if rest[0] == kindEvent {
			c.inHand = append(c.inHand, l.number(binary.LittleEndian.Uint64(rest[24:]))) // it was given these, too
		} else if rest[0] != kindTransition && rest[0] != kindWant {
			break
		}
	}
	if len(c.inHand) > 0 && !c.trial {
		l.deaths++
		for _, n := range c.inHand {
			if !c.second && !c.trial {
				l.events[n].held++
			}
		}
	}
	c.output.Set()
	c.hung.Set()
	for _, f := range c.death {
		f.Set()
	}
}

// sit takes its worker's place, which must be empty: two children would write to the same results. One that stands by for another
// text of the script has not written anything yet.
func (c *child) sit() {
	l, worker := c.lab, c.worker
	if c.seated || c.trial {
		return
	}
	c.seated = true
	seats := l.seats[c.second]
	if before := seats[worker]; before != nil && !before.dead {
		l.problem("child %d takes the place of worker %d from child %d, which is not dead yet", c.pid, worker, before.pid)
	}
	seats[worker] = c
}

package monitor

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"drp/internal/wire"
	"drp/shm"
	"drp/xtc"
)

// An Item is a transition or an event.
type Item struct {
	Dgram    xtc.Dgram // valid until the next item is asked for
	Replayed bool      // a transition that was before: it holds, for who came late
	Facts              // of an event, as is what follows
	Layout   uint32
	Missed   uint64 // events since the one before that were chosen and not got
	seq      uint64
	slot     int
}

// Client watches a run. It has one user at a time.
type Client struct {
	conn   net.Conn
	data   *shm.View
	queue  *shm.View
	hello  hello
	mem    []byte // of the queue
	frames chan frame
	woken  chan struct{}
	lost   error // why there are no more frames, once frames is closed
	stop   context.CancelFunc

	waiting     []frame // that belong behind what is still in the queue
	tail        uint64
	transitions uint64
	ordinal     uint64
	missed      uint64
	follows     bool // one whom we watched, too: what there was before we came is missed
	present     Item
}

// lookAgain bounds the sleep of who waits for events.
const lookAgain = 50 * time.Millisecond

// RefusedError is what the server says to one whom it does not let in.
type RefusedError struct{ Why string }

func (e *RefusedError) Error() string { return "monitor: not let in: " + e.Why }

// absentError says that nobody publishes what somebody wants to watch.
type absentError struct {
	name string
	err  error
}

// Error implements error. That its socket is not there, or nobody listens to it, says no more than that.
func (e *absentError) Error() string {
	text := fmt.Sprintf("monitor: nobody publishes %s: start drp with --monitor %s", e.name, e.name)
	if !errors.Is(e.err, fs.ErrNotExist) && !errors.Is(e.err, syscall.ECONNREFUSED) {
		text += ": " + e.err.Error()
	}
	return text
}

// Unwrap gives the cause.
func (e *absentError) Unwrap() error { return e.err }

// Dial begins to watch the run of a name. The caller says who he is, for the list of who watches.
func Dial(ctx context.Context, name string, choose Choice, who string) (*Client, error) {
	path, err := Path(name)
	if err != nil {
		return nil, err
	}
	conn, err := (wire.Endpoint{Path: path}).Dial(ctx)
	if err != nil {
		return nil, &absentError{name, err}
	}
	c := &Client{conn: conn, frames: make(chan frame, 16), woken: make(chan struct{}, 1)}
	if err := c.greet(request{Version: Version, Choose: choose, Name: who}); err != nil {
		return nil, errors.Join(err, c.detach())
	}
	running, stop := context.WithCancel(context.Background())
	c.stop = stop
	go c.listen(running)
	return c, nil
}

func (c *Client) greet(r request) error {
	_ = c.conn.SetDeadline(time.Now().Add(helloPatience))
	line, err := json.Marshal(&r)
	if err == nil {
		_, err = c.conn.Write(append(line, '\n'))
	}
	var f frame
	if err == nil {
		f, err = readFrame(c.conn)
	}
	switch {
	case err != nil:
		return fmt.Errorf("monitor: %w", err)
	case f.kind == frameRefused:
		return &RefusedError{string(f.payload)}
	case f.kind != frameHello || json.NewDecoder(bytes.NewReader(f.payload)).Decode(&c.hello) != nil || c.hello.Version != Version:
		return fmt.Errorf("monitor: the greeting makes no sense: %q", f.payload)
	}
	if c.data, err = shm.Attach(c.hello.Data.ID); err != nil {
		return fmt.Errorf("monitor: %w", err)
	}
	if c.queue, err = shm.AttachWritable(c.hello.Queue.ID); err != nil {
		return fmt.Errorf("monitor: %w", err)
	}
	c.mem = c.queue.Bytes()
	d, q := c.hello.Data, c.hello.Queue
	if d.Offset != shm.HeaderBytes || d.Count < 1 || d.Bytes <= slotHeadBytes || d.Count > len(c.data.Bytes())/d.Bytes ||
		q.Count != queueLength || q.Bytes != entryBytes || len(c.mem) < queueBytes {
		return fmt.Errorf("monitor: the memory that the greeting tells of makes no sense: %+v, %+v", d, q)
	}
	return c.conn.SetDeadline(time.Time{})
}

// listen takes what comes by the socket.
func (c *Client) listen(ctx context.Context) {
	defer close(c.frames)
	for {
		f, err := readFrame(c.conn)
		switch {
		case err != nil:
			if errors.Is(err, io.EOF) { // which is what the end of a run is told by
				err = io.ErrUnexpectedEOF
			}
			c.lost = fmt.Errorf("monitor: the connection is lost: drp has died: %w", err)
			return
		case !f.sound():
			c.lost = fmt.Errorf("monitor: a frame of kind %d with %d bytes is no transition", f.kind, len(f.payload))
			return
		case f.kind == frameWake:
			select {
			case c.woken <- struct{}{}:
			default:
			}
			continue
		}
		select {
		case c.frames <- f:
		case <-ctx.Done():
			return
		}
	}
}

// Next gives the next transition or event; what was given before is no longer held. At the end of the run it fails with
// io.EOF, and with another error when drp has died.
func (c *Client) Next(ctx context.Context) (*Item, error) {
	c.Release()
	for {
		head := word(c.mem, queueHead).Load()
		if head-c.tail > queueLength {
			return nil, fmt.Errorf("monitor: the queue makes no sense: %d entries, of which %d are done with", head, c.tail)
		}
		switch {
		case len(c.waiting) > 0 && c.tail >= c.waiting[0].at:
			return c.transition()
		case c.tail < head:
			need := binary.LittleEndian.Uint64(c.mem[entryAt(c.tail)+entryTransitions:])
			if need > c.transitions {
				if err := c.wait(ctx, false); err != nil {
					return nil, err
				}
			} else if c.event() {
				return &c.present, nil
			}
		default:
			if err := c.wait(ctx, true); err != nil {
				return nil, err
			}
		}
	}
}

// transition gives the oldest frame.
func (c *Client) transition() (*Item, error) {
	f := c.waiting[0]
	if f.kind == frameEnd {
		return nil, io.EOF // and again, whoever asks
	}
	c.waiting = c.waiting[1:]
	c.present = Item{Dgram: xtc.Dgram(f.payload), Replayed: f.kind != frameTransition}
	return &c.present, nil
}

// event takes the next entry, and holds its slot; false when that was overwritten before.
func (c *Client) event() bool {
	e := c.mem[entryAt(c.tail):][:entryBytes]
	seq, ordinal := binary.LittleEndian.Uint64(e[entrySeq:]), binary.LittleEndian.Uint64(e[entryOrdinal:])
	slot := int(binary.LittleEndian.Uint32(e[entrySlot:]))
	s := c.slot(slot)
	word(c.mem, queueHeld).Store(seq)
	c.tail++
	n := min(int(binary.LittleEndian.Uint32(s[slotSize:])), len(s)-slotHeadBytes)
	if word(s, slotSeq).Load() != seq || n < xtc.DgramHeaderBytes {
		word(c.mem, queueHeld).Store(0)
		word(c.mem, queueTail).Store(c.tail)
		return false
	}
	c.present = Item{Dgram: xtc.Dgram(s[slotHeadBytes:][:n:n]), seq: seq, slot: slot, Missed: ordinal - c.ordinal - 1 + c.before(),
		Facts: Facts{Number: int64(binary.LittleEndian.Uint64(s[slotNumber:])), Flags: binary.LittleEndian.Uint32(s[slotFlags:]),
			Bits: binary.LittleEndian.Uint32(s[slotBits:])},
		Layout: binary.LittleEndian.Uint32(s[slotLayout:])}
	c.missed += c.present.Missed
	c.ordinal = ordinal
	return true
}

func (c *Client) slot(i int) []byte {
	n := c.hello.Data.Bytes
	i = min(i, c.hello.Data.Count-1)
	return c.data.Bytes()[i*n : (i+1)*n]
}

// Release ends the hold on the event that was given last, which may change from here on. Next does so, too.
func (c *Client) Release() {
	if c.present.seq == 0 {
		return
	}
	c.present.seq = 0
	word(c.mem, queueHeld).Store(0)
	word(c.mem, queueTail).Store(c.tail)
}

// Skip passes over all events that wait, which count as missed.
func (c *Client) Skip() {
	c.Release()
	c.tail = word(c.mem, queueHead).Load()
	word(c.mem, queueTail).Store(c.tail)
}

// Intact tells whether the event at hand is still what was published. It is, unless it was held for seconds while all slots
// were held.
func (c *Client) Intact() bool {
	return c.present.seq != 0 && word(c.slot(c.present.slot), slotSeq).Load() == c.present.seq
}

// Missed is how many events up to the one at hand were chosen and not got.
func (c *Client) Missed() uint64 { return c.missed }

// Offered is how many events were chosen, got or not, up to the last that was given or the last transition.
func (c *Client) Offered() uint64 { return word(c.mem, queueOffered).Load() }

// wait waits for a frame, or for an event, too.
func (c *Client) wait(ctx context.Context, events bool) error {
	if events {
		asleep := word(c.mem, queueWaiting)
		asleep.Store(1)
		defer asleep.Store(0)
		if word(c.mem, queueHead).Load() > c.tail {
			return nil
		}
	}
	again := time.NewTimer(lookAgain) // for what a frame could not tell of
	defer again.Stop()
	select {
	case f, open := <-c.frames:
		if !open {
			return c.lost
		}
		c.got(f)
	case <-c.woken:
	case <-again.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// got takes note of a frame.
func (c *Client) got(f frame) {
	if f.kind == frameRestart && f.at > c.tail { // what lies before it is of transitions that were lost
		c.waiting = nil
		c.tail = f.at
		word(c.mem, queueTail).Store(c.tail)
	}
	c.transitions = max(c.transitions, f.number)
	c.waiting = append(c.waiting, f)
}

// owed is how many events were chosen and not got since the last that was got; owe lets the first event of another tell of them.
func (c *Client) owed() uint64 { return c.Offered() - c.ordinal + c.before() }
func (c *Client) owe(n uint64) { c.ordinal -= n }

// before is how many events there were before we came, 0 once an event has told of them.
func (c *Client) before() uint64 {
	if !c.follows || int64(c.ordinal) > 0 {
		return 0
	}
	return word(c.mem, queueBefore).Load()
}

// dead tells whether nobody is at the other end any more; what he has left can be read. Others may ask this, too.
func (c *Client) dead() bool {
	dead := true
	if raw, err := c.conn.(*net.UnixConn).SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { // which does nothing once the connection is closed
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd)}}, 0)
			dead = err == nil && n > 0
		})
	}
	return dead
}

// Close ends the watching. A second Close does nothing.
func (c *Client) Close() error {
	if c.mem == nil {
		return nil
	}
	c.Release()
	c.mem = nil
	c.stop()
	return c.detach()
}

func (c *Client) detach() error {
	var errs []error
	if err := c.conn.Close(); !errors.Is(err, net.ErrClosed) {
		errs = append(errs, err)
	}
	for _, v := range []*shm.View{c.data, c.queue} {
		if v != nil {
			errs = append(errs, v.Close())
		}
	}
	return errors.Join(errs...)
}

// Publisher is who publishes the constants that transitions tell of, where their memory is still there.
func (c *Client) Publisher() string { return c.hello.Publisher }

// Waiting is how many events wait behind the one at hand.
func (c *Client) Waiting() uint64 { return word(c.mem, queueHead).Load() - c.tail }

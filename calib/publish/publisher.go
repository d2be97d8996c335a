package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"drp/calib"
	"drp/internal/wire"
	"drp/shm"
)

// Config says where a publisher announces.
type Config struct {
	Partition string
	Folder    string         // for sockets; Folder() when it is empty
	Listen    string         // HOST:PORT for other machines; none when it is empty
	Allow     []netip.Prefix // who may connect to it; only this machine when it is empty
	Loops     bool           // see Announcement
	Log       *slog.Logger
}

// Publisher announces the constants of all detectors of a process.
type Publisher struct {
	c    Config
	self string    // this process
	tcp  *wire.Pub // nil without Listen
	addr net.Addr  // of tcp

	mu       sync.Mutex // protects all below
	channels map[string]*channel
	closed   bool
}

// channel is the socket of some segments of a detector.
type channel struct {
	pub        *wire.Pub
	socket     string
	topic      string
	generation uint64
	sequence   uint64
	current    *Segment
}

// topic is what announcements are sent under; a subscription to its beginning is one to all.
const topic = "calib:"

// NewPublisher makes a publisher. Sockets are opened when there is something to say.
func NewPublisher(c Config) (*Publisher, error) {
	owner, err := shm.Self()
	if err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Folder == "" {
		if c.Folder, err = Folder(); err != nil {
			return nil, err
		}
	}
	p := &Publisher{c: c, channels: map[string]*channel{},
		self: owner.String()}
	if c.Listen != "" {
		p.tcp = wire.NewPub(wire.Options{Log: c.Log, Peers: maxNodes})
		if p.addr, err = p.tcp.Listen(wire.Endpoint{Address: c.Listen, Allow: c.Allow}); err != nil {
			return nil, fmt.Errorf("calib: publish to other machines: %w", err)
		}
	}
	return p, nil
}

// maxNodes is how many other machines may listen at a time.
const maxNodes = 256

// Addr is where other machines connect to, nil if they cannot.
func (p *Publisher) Addr() net.Addr { return p.addr }

// Publish puts a checked set into shared memory and announces it, as the next generation, for a run. What it gives is
// held for the caller, who releases it. The generation before is given up by the publisher.
func (p *Publisher) Publish(set *calib.Set, run int) (*Segment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ch, err := p.channel(set)
	if err != nil {
		return nil, err
	}
	generation := max(ch.generation+1, uint64(time.Now().Unix()))
	if err := keepGeneration(ch.socket, generation, set.ID); err != nil {
		return nil, err
	}
	ch.generation = generation
	ch.sequence++ // also of what fails below: no number is used twice
	seg, err := newSegment(set, func(a *Announcement) {
		a.Partition, a.Publisher, a.Run, a.Loops = p.c.Partition, p.self, run, p.c.Loops
		a.Generation, a.Sequence = generation, ch.sequence
	})
	if err != nil {
		return nil, err
	}
	message, err := wire.Marshal(&seg.Announcement)
	if err == nil {
		err = ch.pub.Keep(ch.topic, message)
	}
	if err == nil && p.tcp != nil {
		err = p.tcp.KeepBurst(ch.topic, payload(seg, message))
	}
	if err != nil {
		return nil, errors.Join(err, seg.Release())
	}
	old := ch.current
	ch.current = seg
	seg.hold() // for the caller
	if old != nil {
		if err := old.Release(); err != nil {
			p.c.Log.Warn("the constants before are not given back", "error", err)
		}
	}
	return seg, nil
}

// channel gives the socket for the segments of a set, and opens it the first time.
func (p *Publisher) channel(set *calib.Set) (*channel, error) {
	if p.closed {
		return nil, errors.New("calib: the publisher was closed")
	}
	name := SocketName(p.c.Partition, set.Detector, set.Serials)
	if ch := p.channels[name]; ch != nil {
		return ch, nil
	}
	ch := &channel{pub: wire.NewPub(wire.Options{Log: p.c.Log}), socket: filepath.Join(p.c.Folder, name), topic: topic + name}
	if _, err := ch.pub.Listen(wire.Endpoint{Path: ch.socket}); err != nil {
		return nil, fmt.Errorf("calib: publish the constants of %s: %w", set.Detector, err)
	}
	ch.generation = lastGeneration(ch.socket)
	if _, err := TakeChoice(ch.socket); err != nil { // it was meant for a process that has ended
		p.c.Log.Warn("what was chosen before this run by drp calib use is passed over", "error", err)
	}
	p.channels[name] = ch
	return ch, nil
}

// Counts adds up what became of announcements and of those who listen.
func (p *Publisher) Counts() (sum wire.Counts) {
	p.mu.Lock()
	defer p.mu.Unlock()
	add := func(c wire.Counts) {
		sum.Peers += c.Peers
		sum.Sent += c.Sent
		sum.Dropped += c.Dropped
		sum.Refused += c.Refused
		sum.Slow += c.Slow
	}
	for _, ch := range p.channels {
		add(ch.pub.Counts())
	}
	if p.tcp != nil {
		add(p.tcp.Counts())
	}
	return sum
}

// Shutdown sends what is still under way, until ctx ends, and closes.
func (p *Publisher) Shutdown(ctx context.Context) error {
	p.mu.Lock()
	channels, closed := p.channels, p.closed
	p.channels, p.closed = nil, true
	p.mu.Unlock()
	if closed {
		return nil
	}
	var errs []error
	if p.tcp != nil {
		errs = append(errs, p.tcp.Shutdown(ctx))
	}
	for _, ch := range channels {
		errs = append(errs, ch.pub.Shutdown(ctx))
		if ch.current != nil {
			errs = append(errs, ch.current.Release())
		}
	}
	return errors.Join(errs...)
}

// Close closes at once. It may be called again.
func (p *Publisher) Close() error {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Shutdown(now); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

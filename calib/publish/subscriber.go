package publish

import (
	"context"
	"fmt"

	"drp/calib"
	"drp/internal/wire"
	"drp/shm"
)

// Received is what a Subscriber got to know.
type Received struct {
	*Announcement
	Set    *calib.Set // by TCP: the constants, checked, in memory of the caller; else nil, see Announcement.Attach
	Missed uint64     // announcements of the same publisher before this one that never came
	Anew   bool       // another publisher than before says it
}

// Subscriber listens to a publisher. Nothing it was sent goes by silently: what cannot be used is an error of Next.
type Subscriber struct {
	sub      *wire.Sub
	remote   bool
	maxBytes int
	heard    map[string]*Announcement // the last by topic, that was given to the caller
	under    *assembly                // what arrives in chunks
	topic    string                   // of it
}

// SubscribeOptions of a Subscriber.
type SubscribeOptions struct {
	Wire     wire.Options
	MaxBytes int // of constants that come by TCP; what a shm segment may hold
}

// Subscribe listens to the socket of a publisher on this machine, or to one on another. It connects, and connects again,
// when Next is called.
func Subscribe(e wire.Endpoint, o SubscribeOptions) (*Subscriber, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = shm.MaxBytes
	}
	s := &Subscriber{remote: e.Path == "", maxBytes: o.MaxBytes, heard: map[string]*Announcement{}}
	if s.remote && o.Wire.MessageBytes == 0 {
		o.Wire.MessageBytes = chunkBytes + 4096
	}
	var err error
	s.sub, err = wire.NewSub(e, o.Wire, topic)
	return s, err
}

// Next waits for the next generation: the current one at first, and again after a restart of the publisher. An error that
// is not that of ctx, and not wire.ErrClosed, is about one message, and the next call goes on behind it. Constants that
// came damaged over TCP come again with the next generation, or with a new Subscriber.
func (s *Subscriber) Next(ctx context.Context) (*Received, error) {
	for {
		m, err := s.sub.Recv(ctx)
		if err != nil {
			return nil, err
		}
		var got *Received
		switch {
		case len(m.Frames) == 1:
			got, err = s.announced(m)
		case len(m.Frames) == 2 && s.remote:
			got, err = s.chunk(m)
		default:
			err = fmt.Errorf("calib: a message of %d parts", len(m.Frames))
		}
		if got != nil || err != nil {
			return got, err
		}
	}
}

// maxTopics is how many detectors one endpoint may announce.
const maxTopics = 1024

func (s *Subscriber) announced(m wire.Message) (*Received, error) {
	s.under = nil // what is half there will not come to its end
	a, err := parse(m.Frames[0])
	if err != nil {
		return nil, err
	}
	last := s.heard[m.Topic]
	switch {
	case last == nil && len(s.heard) >= maxTopics:
		return nil, fmt.Errorf("calib: more than %d detectors are announced at one place", maxTopics)
	case last != nil && last.Publisher == a.Publisher && last.Sequence == a.Sequence:
		return nil, nil // it is kept, and comes again with a new connection
	case last != nil && last.Publisher == a.Publisher && last.Sequence > a.Sequence:
		return nil, fmt.Errorf("calib: %s: announcement %d of %s comes after %d", a.Detector, a.Sequence, a.Publisher,
			last.Sequence)
	}
	if !s.remote {
		return s.give(m.Topic, a, nil), nil
	}
	s.topic = m.Topic
	s.under, err = begin(a, s.maxBytes)
	return nil, err
}

func (s *Subscriber) chunk(m wire.Message) (*Received, error) {
	if s.under == nil || m.Topic != s.topic {
		return nil, nil // of constants that we have, or that were refused
	}
	set, err := s.under.add(m.Frames[0], m.Frames[1])
	if err == nil && set == nil {
		return nil, nil
	}
	a := s.under.announced
	if err != nil {
		s.under = nil
		return nil, err
	}
	s.under = nil
	return s.give(m.Topic, a, set), nil
}

// give notes what the caller knows from now on.
func (s *Subscriber) give(topic string, a *Announcement, set *calib.Set) *Received {
	r := &Received{Announcement: a, Set: set}
	if last := s.heard[topic]; last != nil {
		r.Anew = last.Publisher != a.Publisher
		if !r.Anew {
			r.Missed = a.Sequence - last.Sequence - 1
		}
	}
	s.heard[topic] = a
	return r
}

// Close ends the connection, and a Next that waits.
func (s *Subscriber) Close() { s.sub.Close() }

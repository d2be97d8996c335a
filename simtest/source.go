package simtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"drp/pebble"
	"drp/source"
	"drp/xtc"
)

// timedSource is the simulated camera in simulated time.
type timedSource struct {
	*source.Sim
	lab    *lab
	next   source.Header
	behind int // events of a burst that are still to come
}

// Next implements source.Source.
func (s *timedSource) Next(ctx context.Context) (source.Header, error) {
	l := s.lab
	h, err := s.Sim.Next(ctx)
	if err != nil {
		return h, err
	}
	if h.Service.IsEvent() {
		switch {
		case s.behind > 0:
			s.behind--
		case l.happens(l.plan.bursts):
			l.world.Sleep(l.soon(300 * time.Millisecond))
			s.behind = int(l.world.Chance(50))
		case l.plan.interval > 0:
			l.world.Sleep(l.soon(l.plan.interval))
		}
	}
	s.next = h
	return h, ctx.Err()
}

// Fill implements source.Source.
func (s *timedSource) Fill(loan *pebble.Loan) (int, error) {
	l := s.lab
	n, err := s.Sim.Fill(loan)
	if err == nil && s.next.Service == xtc.Configure && l.plan.calibrated {
		copy(loan.Bytes(), bytes.ReplaceAll(loan.Bytes()[:n], []byte("epix10ka"), []byte(simType)))
	}
	if s.next.Service == xtc.Enable {
		l.enables++
	}
	if err == nil {
		l.partition.passes(s.next.Service, s.next.Time)
	}
	if err != nil || !s.next.Service.IsEvent() {
		return n, err
	}
	e := &event{time: s.next.Time, step: l.enables, generation: uint64(len(l.pedestals))}
	d := loan.Bytes()[:n]
	if l.happens(l.plan.corrupt) {
		e.corrupt = true
		binary.LittleEndian.PutUint32(d[xtc.DgramHeaderBytes+8:], 0xffffffff) // the extent of the first child
		loan.SetResident(0)
	}
	e.payload = append([]byte(nil), d[xtc.DgramHeaderBytes:]...)
	l.arrived(s.next.Time, e)
	return n, nil
}

// Skip implements source.Source.
func (s *timedSource) Skip() error {
	if s.next.Service.IsEvent() {
		s.lab.arrived(s.next.Time, &event{skipped: true})
		s.lab.partition.passes(s.next.Service, s.next.Time)
	}
	return s.Sim.Skip()
}

func (l *lab) arrived(time uint64, e *event) {
	n := l.number(time)
	l.trace("event %d arrives, corrupt %v, skipped %v", n, e.corrupt, e.skipped)
	if l.events[n] != nil {
		l.problem("the source gave event %d twice", n)
	}
	l.events[n] = e
	l.order = append(l.order, n)
}

// number counts events by their time: they are 40 us apart, and transitions take nanoseconds.
func (l *lab) number(time uint64) int64 {
	const start = 1767225600 - xtc.Epoch
	ns := (int64(time>>32)-start)*1e9 + int64(uint32(time))
	return ns / 40000
}

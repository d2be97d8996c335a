package source

import (
	"context"
	"fmt"
	"io"

	"drp/pebble"
	"drp/xtc"
)

// Sim is a simulated camera: its datagrams have the detector type, algorithm and fields of an ePix10ka, which psana
// knows. Frames come from a bank made at the start; an event costs one copy of a frame into its slot, or, where the
// slot still holds that very frame, only a new time. Which frame an event shows depends on its number alone.
type Sim struct {
	p     SimParams
	info  Info
	names simNames
	bank  [][]byte // whole L1Accepts, one per frame
	truth *bank

	config int // counted from 0: which Configure, which run of it, which step of that, which event of that
	run    int
	step   int
	event  int
	total  uint64 // events announced so far, which also makes their times
	phase  xtc.TransitionID
	slow   bool   // a SlowUpdate is due
	ticks  uint64 // transitions announced so far: each takes a nanosecond of its own
	runNo  int
	head   Header

	ordered bool   // transitions are made as they are ordered, see follow
	epoch   uint64 // then: the time of the Configure, from which events are counted, nanoseconds
	at      uint64 // and of the transition that was ordered last
}

// simStart is the time of the first datagram: 2026-01-01 in seconds of the EPICS epoch. It is fixed, so that a
// simulated file is the same whenever it is made.
const (
	simStartUnix = 1767225600
	simStart     = simStartUnix - xtc.Epoch
)

const simGroup = 1 // readout group mask

// NewSim makes the frames.
func NewSim(p SimParams, o Options) (*Sim, error) {
	s := &Sim{p: p, phase: xtc.Configure, runNo: max(o.Run, 1)}
	s.truth = newBank(p)
	expt := o.Expt
	if expt == "" {
		expt = "simulated"
	}
	s.names = makeSimNames(p, expt)
	for frame := range p.Bank {
		d, err := s.names.l1(s.truth, frame)
		if err != nil {
			return nil, fmt.Errorf("source: sim: %w", err)
		}
		s.bank = append(s.bank, d)
		s.truth.pixels[frame] = nil // they are in the datagram now
	}
	configure, err := s.names.configure()
	if err != nil {
		return nil, fmt.Errorf("source: sim: %w", err)
	}
	s.info = Info{Name: "sim", Expt: expt, Run: s.runNo, Events: -1, MaxEventBytes: len(s.bank[0]),
		MaxTransitionBytes: len(configure)}
	if p.Events > 0 {
		s.info.Events = p.Events * p.Steps * p.Runs * p.Configs
	}
	return s, nil
}

// Info implements Source.
func (s *Sim) Info() Info { return s.info }

// Truth gives the peaks of an event, counted from 0 over all runs; none if it is no hit.
func (s *Sim) Truth(event uint64) []Peak { return s.truth.peaks[s.truth.choose(event)] }

// Next implements Source.
func (s *Sim) Next(context.Context) (Header, error) {
	if s.phase == simOver {
		return Header{}, io.EOF
	}
	service := s.phase
	if s.slow {
		service = xtc.SlowUpdate
	}
	s.head = Header{Service: service, Time: s.time(service), Bytes: s.bytes(service)}
	return s.head, nil
}

func (s *Sim) time(service xtc.TransitionID) uint64 {
	switch {
	case !s.ordered:
		return timestamp(uint64(simStart)*1e9 + s.ticks + uint64(float64(s.total)*1e9/s.p.Hertz))
	case service == xtc.SlowUpdate:
		return timestamp(s.beat(s.total) - 1)
	case service == xtc.L1Accept:
		return timestamp(s.beat(s.total))
	}
	return s.at
}

// bytes is an upper bound for transitions, which are small but for Configure.
func (s *Sim) bytes(service xtc.TransitionID) int {
	switch service {
	case xtc.L1Accept:
		return len(s.bank[0])
	case xtc.Configure:
		return s.info.MaxTransitionBytes
	}
	return simTransitionBytes
}

const simTransitionBytes = 1024

// Fill implements Source.
func (s *Sim) Fill(loan *pebble.Loan) (int, error) {
	dst := loan.Bytes()
	if len(dst) < s.head.Bytes {
		return 0, fmt.Errorf("source: sim: the %v of %d bytes does not fit in a slot of %d: give a larger %s", s.head.Service,
			s.head.Bytes, len(dst), slotFlag(s.head.Service))
	}
	var n int
	if s.head.Service == xtc.L1Accept {
		n = s.fillFrame(loan, dst)
	} else {
		loan.SetResident(0)
		d, err := s.transition()
		if err != nil {
			return 0, fmt.Errorf("source: sim: %w", err)
		}
		n = copy(dst, d)
	}
	d := xtc.Dgram(dst[:n])
	d.SetTime(s.head.Time)
	s.advance()
	return n, nil
}

func (s *Sim) fillFrame(loan *pebble.Loan, dst []byte) int {
	frame := s.truth.choose(s.total)
	if note := uint64(frame) + 1; loan.Resident() != note {
		copy(dst, s.bank[frame])
		loan.SetResident(note)
	}
	// The tag in bits 17-21 goes up by one from event to event, as the timing system's does.
	xtc.Dgram(dst).SetEnv(xtc.EnvOf(xtc.L1Accept, simGroup) | 1<<16 | uint32(s.total%32)<<17)
	return len(s.bank[frame])
}

func (s *Sim) transition() (xtc.Dgram, error) {
	switch s.head.Service {
	case xtc.Configure:
		return s.names.configure()
	case xtc.BeginRun:
		return s.names.beginRun(s.runNo)
	case xtc.BeginStep:
		return s.names.beginStep(s.step, s.p.Steps)
	case xtc.SlowUpdate:
		return s.names.slowUpdate(s.total)
	}
	return emptyDgram(s.head.Service), nil
}

// Skip implements Source.
func (s *Sim) Skip() error {
	s.advance()
	return nil
}

// advance goes to what comes after the announced datagram.
func (s *Sim) advance() {
	if s.head.Service != xtc.L1Accept {
		s.ticks++
	}
	if s.slow {
		s.slow = false
		return
	}
	if s.ordered {
		s.goOn()
		return
	}
	switch s.phase {
	case xtc.Configure:
		s.phase = xtc.BeginRun
	case xtc.BeginRun:
		s.phase = xtc.BeginStep
	case xtc.BeginStep:
		s.phase = xtc.Enable
	case xtc.Enable:
		s.phase, s.event = xtc.L1Accept, 0
	case xtc.L1Accept:
		s.total++
		s.event++
		s.slow = s.p.Slow > 0 && s.event%s.p.Slow == 0
		if s.event == s.p.Events {
			s.phase, s.slow = xtc.Disable, false
		}
	case xtc.Disable:
		s.phase = xtc.EndStep
	case xtc.EndStep:
		s.step++
		s.phase = again(&s.step, s.p.Steps, xtc.BeginStep, xtc.EndRun)
	case xtc.EndRun:
		s.runNo++
		s.run++
		s.phase = again(&s.run, s.p.Runs, xtc.BeginRun, xtc.Unconfigure)
	case xtc.Unconfigure:
		s.config++
		s.phase = again(&s.config, s.p.Configs, xtc.Configure, simOver)
	}
}

// simOver is the phase behind the last Unconfigure.
const simOver = xtc.NumTransitions

func again(count *int, limit int, more, done xtc.TransitionID) xtc.TransitionID {
	if *count < limit {
		return more
	}
	*count = 0
	return done
}

// Close implements Source.
func (s *Sim) Close() error { return nil }

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"drp/control"
	"drp/drp"
	"drp/internal/settings"
	"drp/teb"
)

// tebSettings are the parameters of a trigger script. What is set holds from one of the next batches of events on.
type tebSettings struct {
	book  settings.Book
	start map[string]any // what the user says beforehand
	log   *slog.Logger
	// recall asks run control what was set before this process was there; nil without.
	recall   func() (control.Settings, error)
	declared chan struct{} // closed when the script has said for the first time what can be set

	mu      sync.Mutex // protects what follows
	now     *teb.Settings
	not     time.Time // no change before that: those in between become one
	trouble string    // with what was set before
}

// shortestChange is how long one change stays at the least, as in a run.
const shortestChange = 100 * time.Millisecond

// begin takes what the user says beforehand. Where rules decide, nothing can be set, which is known at once.
func (s *tebSettings) begin(set *setFlag, byScript bool, log *slog.Logger) (err error) {
	s.log, s.declared = log, make(chan struct{})
	if s.start, err = set.values(); err != nil || byScript {
		return err
	}
	if len(s.start) > 0 {
		return errors.New("--set and settings: are for parameters of a trigger script, and rules decide")
	}
	return s.declare(nil)
}

// declare takes what the script of a TEB has declared, before that one decides about anything.
func (s *tebSettings) declare(all []settings.Parameter) error {
	c, err := s.book.Declare(all, s.start, time.Now())
	if err != nil {
		return err
	}
	s.start = nil
	if c != nil && len(all) > 0 {
		s.log.Info(fmt.Sprintf("settings: %v", c))
	}
	trouble := ""
	if recall := s.recall; recall != nil && len(all) > 0 {
		s.recall = nil
		trouble = drp.Restore(&s.book, recall, time.Now(), s.log)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = trouble
	s.take()
	if !s.isDeclared() {
		close(s.declared)
	}
	return nil
}

func (s *tebSettings) isDeclared() bool {
	select {
	case <-s.declared:
		return true
	default:
		return false
	}
}

// words tells run control what the parameters are, and what is wrong with them.
func (s *tebSettings) words(to *control.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trouble != "" {
		to.Troubles["settings"] = s.trouble
	}
	if s.isDeclared() {
		to.Settings = drp.Words(&s.book)
	}
}

// turn gives what holds for the next batch.
func (s *tebSettings) turn() *teb.Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.book.Pending() {
		return s.now
	}
	if now := time.Now(); !now.Before(s.not) {
		if c := s.book.Turn(now); c != nil {
			s.log.Info(fmt.Sprintf("settings: %v", c))
		}
		s.not, s.trouble = now.Add(shortestChange), "" // whoever sets them knows what he wants
		s.take()
	}
	return s.now
}

// take notes what holds; s.mu is held.
func (s *tebSettings) take() {
	generation, values := s.book.Values("trigger")
	s.now = &teb.Settings{Generation: uint32(generation), Values: values}
}

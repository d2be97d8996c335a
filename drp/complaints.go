package drp

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"

	"drp/fex"
	"drp/xtc"
)

// complaints collects what went wrong with the script: the first of each kind in full, the others as a count.
type complaints struct {
	log *slog.Logger

	mu    sync.Mutex // protects what follows
	kinds map[string]*complaint
	order []*complaint
	last  *complaint
}

type complaint struct {
	text  string // of the first
	where string
	count int
}

// maxComplaints bounds the kinds that are told apart.
const maxComplaints = 100

func (c *complaints) note(where string, f *fex.Failure) {
	if f == nil {
		f = &fex.Failure{Type: "Error", Message: "the script failed without a word"}
	}
	key := fmt.Sprintf("%s:%d:%s", f.File, f.Line, f.Type)
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.kinds[key]
	if !ok && len(c.order) < maxComplaints {
		known = &complaint{text: f.String(), where: where}
		if c.kinds == nil {
			c.kinds = map[string]*complaint{}
		}
		c.kinds[key] = known
		c.order = append(c.order, known)
		message := fmt.Sprintf("%s: %s", where, f.String())
		if f.Traceback != "" {
			message += "\n" + f.Traceback
		}
		c.log.Error(message)
	}
	if known != nil {
		known.count++
		c.last = known
	}
}

// lines gives a line for each kind.
func (c *complaints) lines() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var lines []string
	for _, k := range c.order {
		line := fmt.Sprintf("%s: %s", k.where, k.text)
		if k.count > 1 {
			line += fmt.Sprintf(" (first of %d like it)", k.count)
		}
		lines = append(lines, line)
	}
	return lines
}

// first gives the first complaint, for the error that ends a run.
func (c *complaints) first() string {
	if lines := c.lines(); len(lines) > 0 {
		return lines[0]
	}
	return ""
}

// latest gives the latest complaint, as it was when it came first.
func (c *complaints) latest() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		return ""
	}
	return c.last.where + ": " + c.last.text
}

// eventName names an event for people.
func eventName(number int64, time uint64) string {
	return fmt.Sprintf("event %d (time %d.%09d)", number, time>>32, time&0xffffffff)
}

func scriptName(path string) string { return filepath.Base(path) }

// served are the answers of workers that are in service: the others take no part in a transition, unless nobody is left.
func served(answers []fex.Answer) []fex.Answer {
	return slices.DeleteFunc(slices.Clone(answers), func(a fex.Answer) bool { return a.Status == fex.Unserved })
}

// transitionTrouble reports the processes of a script that failed at a transition. The run goes on, but it does not end well: what a
// script gathered over a run is lost, or it could not begin.
func (c *collector) transitionTrouble(name string, id xtc.TransitionID, of *detail) error {
	var trouble error
	others := len(served(of.answers)) > 0
	for worker := range of.answers {
		a := &of.answers[worker]
		if a.Status == fex.OK || a.Status == fex.Unserved && others {
			continue
		}
		where := fmt.Sprintf("%s at %v, worker %d", name, id, worker)
		c.complaints.note(where, a.Failure)
		if trouble == nil {
			trouble = failf(Script, "%s: %v%s", where, a.Failure, of.unheld(id, a))
		}
	}
	if missing := of.withoutConstants(id); missing != nil && trouble == nil {
		c.halt(missing) // what they would make of events is not known
		return missing
	}
	if trouble != nil && id != xtc.Configure {
		c.note(trouble)
		if c.cfg.Strict {
			c.halt(trouble)
		}
	}
	return trouble
}

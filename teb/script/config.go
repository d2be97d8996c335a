package script

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"drp/internal/settings"
	"drp/teb"
	"drp/xtc"
)

// Config says what decides.
type Config struct {
	Python     string // the interpreter
	PythonPath string // put before PYTHONPATH; empty when the package drp is installed
	Script     string
	Args       []string

	Workers     int           // processes; 1
	BatchEvents int           // the most events of a batch; 256
	Deadline    time.Duration // for a batch; 1 s
	Configure   time.Duration // for the script to begin; 30 s
	Spares      int           // processes that are kept warm
	MaxRestarts int           // of a process within a minute; 0 is no limit
	Log         *slog.Logger
	Trouble     func(string) // told what is wrong though the trigger goes on, as that an old text decides; empty: nothing is any more
}

// MaxWorkers is what a TEB can have.
const MaxWorkers = 64

// Check says what cannot be meant.
func (c *Config) Check() error {
	switch {
	case c.Script == "":
		return errors.New("script: no trigger script is named")
	case c.Workers < 0 || c.Workers > MaxWorkers:
		return fmt.Errorf("script: %d processes for a trigger script: 1 to %d are possible", c.Workers, MaxWorkers)
	case c.BatchEvents < 0 || c.Deadline < 0 || c.Configure < 0 || c.Spares < 0 || c.MaxRestarts < 0:
		return errors.New("script: no number of a trigger script is negative")
	}
	return nil
}

// New makes the Logics of a TEB, one for each process. The processes start at Configure.
func New(c Config) []teb.Logic {
	if c.Workers == 0 {
		c.Workers = 1
	}
	if c.BatchEvents == 0 {
		c.BatchEvents = 256
	}
	if c.Deadline == 0 {
		c.Deadline = time.Second
	}
	if c.Configure == 0 {
		c.Configure = 30 * time.Second
	}
	if c.Trouble == nil {
		c.Trouble = func(string) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	all := newCrew(c)
	var logic []teb.Logic
	for i := range c.Workers {
		logic = append(logic, &Logic{crew: all, first: i})
	}
	return logic
}

// Logic is one of those that share the processes of a script.
type Logic struct {
	crew  *crew
	first int // whose process it asks, as long as that is in service
}

// Configure implements teb.Logic. The first call starts the processes.
func (l *Logic) Configure(schemas []*teb.Schema) ([]teb.Reason, error) {
	return l.crew.configure(schemas)
}

// Parameters implements teb.Steered.
func (l *Logic) Parameters() []settings.Parameter { return l.crew.parameters() }

// Decide implements teb.Logic.
func (l *Logic) Decide(b *teb.Batch) {
	for at := 0; at < b.Len(); {
		if beginsRun(b.Head(at).Service) {
			l.crew.reload()
			at++
			continue
		}
		if b.Head(at).Service == xtc.BeginStep { // which comes alone, too
			_ = l.crew.step() // it says what is wrong
		}
		at = l.crew.decide(l.first, b, at)
	}
}

// Close ends the processes, and with them all Logics that share them.
func (l *Logic) Close() error { return l.crew.close() }

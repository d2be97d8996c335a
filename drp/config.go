package drp

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"drp/fex"
	"drp/hit"
	"drp/internal/world"
	"drp/pebble"
	"drp/record"
	"drp/shm"
	"drp/source"
	"drp/xtc"
)

// Config is what a user chooses for a run. The zero value of a size or a name means: as the source suggests.
type Config struct {
	Script string
	Args   []string

	Sources []string
	Loop    bool
	Rate    source.Rate
	Events  int64 // at most so many; 0 is all

	Workers int
	Drop    bool // when no slot is free, drop instead of waiting

	OutputDir string // empty: nothing is recorded
	Expt      string
	Run       int   // 0: as the source says
	Stream    int   // -1: as the source says
	Prescale  int64 // keep the raw data of every Nth event; 0 is of none
	L0Raw     bool  // and of those that the timing system marked

	Slots           int
	EventBytes      int
	ResultBytes     int
	TransitionBytes int

	Python             string // the interpreter
	PythonPath         string // the package drp's folder, if it is not installed
	Detector           string
	Strict             bool
	EventDeadline      time.Duration
	TransitionDeadline time.Duration

	SoftDeadline  time.Duration // silence after which the script's stack is asked for; 0 is never
	Spares        int           // children kept warm for those that die
	Retries       int           // of an event that may have killed a child
	MaxRestarts   int           // of a worker's child within a minute; 0 is no limit
	AbortOnUnrest bool          // then end the run, instead of going on with fewer workers
	MaxResident   int64         // bytes a child may hold; 0 is no limit
	RecycleAfter  int64         // events after which a child is replaced; 0 is never
	QuarantineDir string        // empty: the folder quarantine in OutputDir, if there is one
	MaxQuarantine float64       // percentage of quarantined events at which the run ends; 0 is no limit

	ChunkBytes int64
	ChunkTime  time.Duration
	CRC        bool
	Verify     bool // compare each event before it is recorded with what the source wrote

	Calibration Calibration
	Hits        *Hits    // nil: nobody looks for hits
	Trigger     *Trigger // nil: nobody decides
	Post        *Post    // nil: nobody looks at what is recorded
	// Control lets the run be one of several that run control brings through it together, by the orders that it gives; nil:
	// the run goes as its source does.
	Control func(Progress) (Orders, error)
	Monitor *Monitor // nil: nobody can watch
	Rings   Rings    // of pictures, for those who do
	// Settings are values for parameters that the scripts and stages declare, by name, in place of their defaults.
	Settings map[string]any

	// What a simulation puts in the place of the machine; nil is the machine's own.
	World  world.World
	Disk   xtc.Disk
	Source source.Source
	Start  fex.Starter
	Memory func(*pebble.Pool) // told where the memory is
	// TrialMemory is told where that of a trial is.
	TrialMemory func(*pebble.Pool)
	Read        func(path string) ([]byte, error) // gives the text of a script, which is no file
	// Finder makes the finders of hits; nil makes those of the CPU.
	Finder       func(*hit.Plan) hit.Finder
	searchesHere bool // it is the CPU's
	// Constants takes the place of the store and of the publisher.
	Constants Constants
	// Quarantine keeps a quarantined event; nil stores it in QuarantineDir.
	Quarantine func(*record.Quarantined) (string, error)

	ScriptText   []byte // read by the check
	ScriptSHA256 string

	Log *slog.Logger
}

// Defaults for what neither the user nor the source says.
const (
	smallestResultBytes    = 64 << 10 // the default is the size of the event, between these
	largestResultBytes     = 1 << 20
	defaultTransitionBytes = 64 << 20
	defaultEventDeadline   = 30 * time.Second
	defaultTransitionTime  = 60 * time.Second
	greetDeadline          = 60 * time.Second
	pageBytes              = 4096
)

var exptPattern = regexp.MustCompile(`^[A-Za-z0-9_.]{1,64}$`)

// check refuses what cannot work before anything is opened, and fills in the defaults.
func (c *Config) check() error {
	switch {
	case c.Script == "":
		return failf(Usage, "no script: give one with -p \"myroi.py arg1\"")
	case c.Workers < 1 || c.Workers > 1024:
		return failf(Usage, "%d workers: give 1 to 1024", c.Workers)
	case c.Events < 0:
		return failf(Usage, "%d events: give 0 for all, or more", c.Events)
	case c.Events > 0 && c.Control != nil:
		return failf(Usage, "--events and --control: run control says when a run ends; sim:events=N limits the events of each step")
	case c.Run > 0 && c.Control != nil:
		return failf(Usage, "--run and --control: run control gives runs their numbers")
	case c.Prescale < 0:
		return failf(Usage, "prescale %d: give 0 for none, or N to keep the raw data of every Nth event", c.Prescale)
	case c.Run < 0 || c.Run > 9999:
		return failf(Usage, "run %d: give 1 to 9999", c.Run)
	case c.Stream < -1 || c.Stream > maxStream:
		return failf(Usage, "stream %d: give 0 to %d, or -1 for that of the source", c.Stream, maxStream)
	case c.Expt != "" && !exptPattern.MatchString(c.Expt):
		return failf(Usage, "experiment %q: give up to 64 letters, digits, '_' and '.'", c.Expt)
	case c.Slots != 0 && (c.Slots < 1 || c.Slots > maxSlots):
		return failf(Usage, "%d slots: give 1 to %d", c.Slots, maxSlots)
	case c.EventBytes < 0 || c.ResultBytes < 0 || c.TransitionBytes < 0:
		return failf(Usage, "a size in bytes cannot be negative")
	case c.Spares < 0 || c.Spares > c.Workers+maxSpares:
		return failf(Usage, "%d spares: give 0 to %d", c.Spares, c.Workers+maxSpares)
	case c.Retries < 0 || c.Retries > 2:
		return failf(Usage, "%d retries: give 0, 1 or 2", c.Retries)
	case c.MaxRestarts < 0 || c.MaxResident < 0 || c.RecycleAfter < 0 || c.ChunkBytes < 0 || c.ChunkTime < 0:
		return failf(Usage, "a limit cannot be negative")
	case c.EventDeadline < 0 || c.TransitionDeadline < 0 || c.SoftDeadline < 0:
		return failf(Usage, "a deadline cannot be negative")
	}
	if err := c.checkHits(); err != nil {
		return err
	}
	if err := c.checkTrigger(); err != nil {
		return err
	}
	if err := c.checkMonitor(); err != nil {
		return err
	}
	if c.EventDeadline == 0 {
		c.EventDeadline = defaultEventDeadline
	}
	if c.TransitionDeadline == 0 {
		c.TransitionDeadline = defaultTransitionTime
	}
	if c.Calibration.Deadline == 0 {
		c.Calibration.Deadline = defaultCalibTime
	}
	if c.searchesHere = c.Finder == nil; c.searchesHere {
		c.Finder = (*hit.Plan).NewFinder
	}
	if c.World == nil {
		c.World = world.Real()
	}
	if c.QuarantineDir == "" && c.OutputDir != "" {
		c.QuarantineDir = filepath.Join(c.OutputDir, "quarantine")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Start != nil && c.Read == nil {
		return nil
	}
	if err := c.checkScript(); err != nil {
		return err
	}
	return c.checkPost()
}

// maxSlots keeps a worker's records within one pipe (64 KiB of 32 bytes each), so that the dispatcher never blocks.
const maxSlots = 1024

const maxSpares = 8

// maxStream is the largest number that the names of files have room for.
const maxStream = 999

func (c *Config) checkScript() (err error) {
	c.Script, c.ScriptText, err = c.readScript(c.Script)
	c.ScriptSHA256 = fmt.Sprintf("%x", sha256.Sum256(c.ScriptText))
	return err
}

// readScript gives the whole path of a script and its text.
func (c *Config) readScript(path string) (string, []byte, error) {
	if c.Read != nil {
		text, err := c.Read(path)
		return path, text, err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, nil, failf(Script, "script %s: there is no such file%s", path, bundled(path))
	case err != nil:
		return path, nil, fail(Script, fmt.Errorf("script: %w", err))
	case !info.Mode().IsRegular():
		return path, nil, failf(Script, "script %s: not a regular file", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return path, nil, fail(Script, fmt.Errorf("script: %w", err))
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path, text, nil
}

// bundled points at the example script that may be meant.
func bundled(script string) string {
	path := filepath.Join(Installation(), "scripts", filepath.Base(script))
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return "; did you mean " + path + "?"
}

// sizes says how much memory the run needs, from what the user chose and the source knows.
func (c *Config) sizes(info source.Info) (pebble.Sizes, error) {
	s := pebble.Sizes{Workers: c.Workers, Slots: c.Slots, EventBytes: c.EventBytes, ResultBytes: c.ResultBytes,
		TransitionBytes: c.TransitionBytes, World: c.World}
	if s.EventBytes == 0 {
		s.EventBytes = wholePages(max(info.MaxEventBytes, 1))
	}
	if s.ResultBytes == 0 {
		s.ResultBytes = min(max(s.EventBytes, smallestResultBytes), largestResultBytes)
	}
	if s.TransitionBytes == 0 {
		s.TransitionBytes = max(defaultTransitionBytes, wholePages(info.MaxTransitionBytes))
	}
	if s.EventBytes < info.MaxEventBytes {
		return s, failf(Configuration, "--buf-bytes %d is too small: the largest event of %s has %d bytes", s.EventBytes,
			info.Name, info.MaxEventBytes)
	}
	if s.TransitionBytes < info.MaxTransitionBytes {
		return s, failf(Configuration, "--transition-bytes %d is too small: the largest transition of %s has %d bytes",
			s.TransitionBytes, info.Name, info.MaxTransitionBytes)
	}
	usual := min(pebble.DefaultSlots(s.EventBytes), pebble.DefaultSlots(s.ResultBytes))
	s.EventBytes += c.postRoom(s.ResultBytes)
	if s.Slots == 0 {
		// Where an event or a result is very large, fewer fit in one segment.
		const segment = shm.MaxBytes - shm.HeaderBytes
		s.Slots = max(1, min(usual, segment/s.EventBytes, (segment-s.TransitionBytes)/s.ResultBytes))
	}
	results := s.ResultBytes
	if c.Post != nil {
		results *= 2
	}
	needed := int64(s.Workers) * int64(s.Slots) * int64(s.EventBytes+results)
	if available := memoryAvailable(); available > 0 && needed > available {
		return s, failf(Configuration, "%d workers with %d slots of %d + %d bytes need %d MB, and %d MB of memory are free: "+
			"lower --workers, --slots, --buf-bytes or --fex-bytes", s.Workers, s.Slots, s.EventBytes, results,
			needed/1e6, available/1e6)
	}
	return s, nil
}

func wholePages(n int) int { return (n + pageBytes - 1) / pageBytes * pageBytes }

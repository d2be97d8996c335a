package record

import (
	"fmt"
	"time"

	"drp/xtc"
)

// Config says where and under which names a run is recorded.
type Config struct {
	Dir    string
	Expt   string
	Run    int // of the first run; each further one counts up
	Stream int
	Later  bool // open the files of the first run when it begins, since only then its number is known, and complete them at Unconfigure

	// A chunk ends before the datagram with which it would have more bytes than this, where it can end there, and at the
	// next Enable once it was written to for so long; 0 is never.
	ChunkBytes int64
	ChunkTime  time.Duration

	CRC bool // write checksums beside each data file

	Retry time.Duration    // between attempts to go on after trouble with the disk; 0 is a second
	Disk  xtc.Disk         // nil: that of the machine
	Now   func() time.Time // nil: time.Now
	News  func(News)       // told what an operator should know; may be nil
}

// MaxRun is the largest run number that the names of files have room for.
const MaxRun = 9999

// News is something that happened to the recording and that an operator should know.
type News struct {
	Kind NewsKind
	File string // that it is about, as it will be named when it is complete
	Lost int64  // events not recorded, with Resumed
	Err  error  // why, with Stopped and Incomplete
}

// A NewsKind says what happened.
type NewsKind int

const (
	Stopped    NewsKind = iota // events are refused until the disk takes them again
	Resumed                    // the recording goes on
	Incomplete                 // a file stays .inprogress though its run went on
	NextChunk                  // a chunk has ended: the run goes on in another
)

func (n News) String() string {
	switch n.Kind {
	case Stopped:
		return fmt.Sprintf("recording stopped: %v; events are counted as failed until it goes on", n.Err)
	case Resumed:
		return fmt.Sprintf("recording goes on in %s; %d events were not recorded", n.File, n.Lost)
	case Incomplete:
		return fmt.Sprintf("%s stays as %s, drp xtc repair completes it: %v", n.File, inProgress, n.Err)
	}
	return fmt.Sprintf("the run goes on in %s", n.File)
}

// A StalledError says that an event was not recorded, because the disk does not take it.
type StalledError struct {
	Since time.Time
	Cause error
}

func (e *StalledError) Error() string {
	return fmt.Sprintf("record: not recorded since %s: %v", e.Since.UTC().Format(time.TimeOnly), e.Cause)
}

// Unwrap gives the cause.
func (e *StalledError) Unwrap() error { return e.Cause }

// An EventError says that an event cannot be written, since it makes no sense as a datagram. Others can.
type EventError struct{ Err error }

func (e *EventError) Error() string { return "record: " + e.Err.Error() }

// Unwrap gives the cause.
func (e *EventError) Unwrap() error { return e.Err }

const defaultRetry = time.Second

func (c *Config) complete() {
	if c.Retry <= 0 {
		c.Retry = defaultRetry
	}
	if c.Disk == nil {
		c.Disk = xtc.SystemDisk()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.News == nil {
		c.News = func(News) {}
	}
}

// chunking tells whether the recorder begins chunks when a file gets large or old.
func (c *Config) chunking() bool { return c.ChunkBytes > 0 || c.ChunkTime > 0 }

package monitor

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"drp/internal/rundir"
)

// Choice is which events a consumer wants to see. Several conditions must all hold; the zero value is all events.
type Choice struct {
	Hits   bool   `json:"hits,omitempty"`   // of hit finding
	Bits   uint32 `json:"bits,omitempty"`   // any of these is set in what the trigger says for monitors
	Every  uint64 `json:"every,omitempty"`  // of those that fit the other conditions one in so many; 0 is each
	Newest bool   `json:"newest,omitempty"` // the next after one asks, and nothing before
}

// Facts are what is chosen by.
type Facts struct {
	Number int64 // of the event in the run, from 0
	Flags  uint32
	Bits   uint32
}

func (c *Choice) fits(f *Facts) bool {
	return (!c.Hits || f.Flags&Hit != 0) && (c.Bits == 0 || f.Bits&c.Bits != 0)
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?$`)

var errName = errors.New("give PARTITION/DETECTOR, each up to 64 letters, digits, '_', '.' and '-', of which the last two come not first")

// CheckName refuses what cannot name a run that is watched.
func CheckName(name string) error {
	if !namePattern.MatchString(name) {
		return fmt.Errorf("monitor: %q: %w", name, errName)
	}
	return nil
}

// Names are those of the runs that can be watched now and fit a pattern, as tmo/*.
func Names(pattern string) (all []string, err error) {
	there, err := os.ReadDir(filepath.Join(rundir.Base(), rundir.Monitor))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	for _, entry := range there { // beside each socket lies its lock
		name := strings.Replace(entry.Name(), "+", "/", 1)
		fits, err := path.Match(pattern, name)
		if err != nil {
			return nil, fmt.Errorf("monitor: %q: %w", pattern, err)
		}
		if fits && entry.Type() == os.ModeSocket {
			all = append(all, name)
		}
	}
	return all, nil
}

package teb

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"drp/internal/world"
)

// Member is a contributor of the partition.
type Member struct {
	Schema *Schema
	Groups uint16 // the readout groups whose events it contributes to; 0 is all
}

// Config is what a TEB is made of. Zero values become the defaults.
type Config struct {
	World        world.World // the real one
	Partition    string
	Contributors []Member
	// Logic decides, each one in a goroutine of its own. Several are alike: it is not said which gets what.
	Logic []Logic

	Window       int           // events and transitions under way; 4096
	BatchEvents  int           // the most that a Logic gets at once; 256
	Deadline     time.Duration // for contributions, from the first one on; 1 s
	Decide       time.Duration // for the Logic, for a batch; 1 s
	Default      Verdict       // what becomes of an event that is not decided in time
	Prescale     [16]uint32    // by readout group: one in so many events is kept with its raw data; 0 is none
	PrescaleSeed uint64        // chooses which

	// Settings gives what the parameters of a Steered Logic are set to from the next batch on; nil is their defaults. It does not
	// wait.
	Settings func() *Settings
	// Waited is told of one event in 64 how long its decision took, from its first contribution on; nil is nobody. It does not wait.
	Waited func(time.Duration)
}

// maxWindowBytes bounds the memory of the window.
const maxWindowBytes = 1 << 30

func (c *Config) check() error {
	if c.World == nil {
		c.World = world.Real()
	}
	if c.Window == 0 {
		c.Window = 4096
	}
	if c.BatchEvents == 0 {
		c.BatchEvents = 256
	}
	if c.Deadline == 0 {
		c.Deadline = time.Second
	}
	if c.Decide == 0 {
		c.Decide = time.Second
	}
	n := len(c.Contributors)
	switch {
	case n < 1 || n > MaxContributors:
		return fmt.Errorf("teb: %d contributors: 1 to %d are possible", n, MaxContributors)
	case len(c.Logic) < 1 || len(c.Logic) > 64:
		return fmt.Errorf("teb: %d logics: 1 to 64 are possible", len(c.Logic))
	case c.Window < 2*n || c.Window > 1<<20:
		return fmt.Errorf("teb: a window of %d events: %d, two for each contributor, to %d are possible", c.Window, 2*n, 1<<20)
	case c.BatchEvents < 1 || c.BatchEvents > 1<<14:
		return fmt.Errorf("teb: batches of %d events: 1 to %d are possible", c.BatchEvents, 1<<14)
	case c.Deadline < 0 || c.Decide < 0:
		return errors.New("teb: a deadline is no negative time")
	}
	return c.checkMembers()
}

func (c *Config) checkMembers() error {
	names := map[string]bool{}
	total := 0
	c.Contributors = append([]Member(nil), c.Contributors...)
	for k := range c.Contributors {
		m := &c.Contributors[k]
		if m.Schema == nil {
			return fmt.Errorf("teb: contributor %d has no schema", k)
		}
		if names[m.Schema.name] {
			return fmt.Errorf("teb: two contributors are called %s: give each its own name", m.Schema.name)
		}
		names[m.Schema.name] = true
		if m.Groups == 0 {
			m.Groups = 0xffff
		}
		total += c.Window * m.Schema.rowBytes
	}
	if total > maxWindowBytes {
		return fmt.Errorf("teb: a window of %d events takes %d MB, at most %d are possible: make it smaller", c.Window,
			total>>20, maxWindowBytes>>20)
	}
	return nil
}

func (c *Config) schemas() []*Schema {
	var all []*Schema
	for _, m := range c.Contributors {
		all = append(all, m.Schema)
	}
	return all
}

// configureLogic asks all of them for the table of reasons, which must be the same.
func (c *Config) configureLogic() ([]Reason, error) {
	var table []Reason
	for _, name := range builtinReasons {
		table = append(table, Reason{Name: name})
	}
	builtin := len(table)
	for i, l := range c.Logic {
		own, err := l.Configure(c.schemas())
		if err != nil {
			return nil, err
		}
		if i == 0 {
			table = append(table, own...)
		} else if fmt.Sprint(own) != fmt.Sprint(table[builtin:]) {
			return nil, fmt.Errorf("teb: logic %d names the reasons %v, and the first %v", i, own, table[builtin:])
		}
	}
	if len(table) > maxReasons {
		return nil, fmt.Errorf("teb: %d reasons: at most %d are possible", len(table)-builtin, maxReasons-builtin)
	}
	seen := map[string]bool{}
	for _, r := range table {
		switch {
		case r.Name == "":
			return nil, errors.New("teb: a reason has no name")
		case slices.Contains(builtinReasons[:], r.Name) && seen[r.Name]:
			return nil, fmt.Errorf("teb: the name %s is reserved, for a reason that is there without rules: give another", r.Name)
		case seen[r.Name]:
			return nil, fmt.Errorf("teb: two rules or reasons are called %s: give each its own name", r.Name)
		}
		seen[r.Name] = true
	}
	return table, nil
}

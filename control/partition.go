package control

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Config is what a Partition is opened with.
type Config struct {
	Partition string
	Processes []string     // who must be there; empty: whoever comes
	Journal   string       // path of the file
	Log       *slog.Logger // nil: nobody is told
}

// maxRun is the largest number that the names of recorded files have room for.
const maxRun = 9999

// Partition is the processes of a run, and how far they were brought.
type Partition struct {
	cfg Config
	now func() time.Time

	mu        sync.Mutex // protects all below
	journal   *journal
	stack     []Order // of the journal, those that hold
	run, step int
	latest    uint64 // time of an order
	furthest  uint64 // time of a datagram of any process since the Configure
	members   map[string]*member
	dropped   map[string]bool   // names of those who need not be there
	dismissed map[string]string // sessions that are over, and why
	leavers   []string          // those sessions, in order
	losses    map[string]string // of processes that were replaced or dropped: what they had lost
	busy      string            // what is being done
	end       string            // why all are to end
	changes   uint64            // of parameters, over all processes
	before    recollection      // of its life before
	unkept    bool              // what is known of parameters could not be written down
	changed   chan struct{}     // closed when something changes, and replaced
}

// Check refuses names that cannot be.
func (c *Config) Check() error {
	if !ValidName(c.Partition) {
		return fmt.Errorf("control: partition %q: give up to 64 letters, digits, '_', '.' and '-'", c.Partition)
	}
	for i, name := range c.Processes {
		if !ValidName(name) || slices.Contains(c.Processes[:i], name) {
			return fmt.Errorf("control: process %q: each has a name of its own, of up to 64 letters, digits, '_', '.' and '-'", name)
		}
	}
	return nil
}

// Open takes up a partition where its journal ends.
func Open(c Config) (*Partition, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	j, err := openJournal(c.Journal, c.Partition)
	if err != nil {
		return nil, err
	}
	p := &Partition{cfg: c, now: time.Now, journal: j, members: map[string]*member{}, dropped: map[string]bool{},
		dismissed: map[string]string{}, losses: map[string]string{}, changed: make(chan struct{})}
	for _, o := range j.orders {
		p.note(o)
	}
	p.recollect()
	if err := p.liftHold(); err != nil {
		return nil, errors.Join(err, j.close())
	}
	return p, nil
}

// liftHold lets events flow again where a run control ended between a hold and its Disable.
func (p *Partition) liftHold() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.stack); n == 0 || p.stack[n-1].Name != hold {
		return nil
	}
	_, err := p.order(Order{Name: goOn})
	return err
}

// Close closes the journal.
func (p *Partition) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.journal.close()
}

// note moves to where an order leads.
func (p *Partition) note(o Order) {
	p.stack = leads(p.stack, o)
	switch o.Name {
	case drop:
		p.dropped[o.Process] = true
	case back:
		delete(p.dropped, o.Process)
	}
	p.latest = max(p.latest, o.Time)
	switch o.Name {
	case "begin-run":
		p.run, p.step = o.Run, -1
	case "begin-step":
		p.step = o.Step
	}
}

// change wakes whoever waits for something. The mutex is held.
func (p *Partition) change() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// Status is what there is to know about a partition.
type Status struct {
	Partition string          `json:"partition"`
	State     State           `json:"state"`
	Run       int             `json:"run"`  // the last one that was begun
	Step      int             `json:"step"` // of it, from 0; -1 before the first
	Order     uint64          `json:"order"`
	Busy      string          `json:"busy,omitempty"`
	Processes []ProcessStatus `json:"processes"`
}

// ProcessStatus is what there is to know about a process.
type ProcessStatus struct {
	Name    string  `json:"name"`
	Role    string  `json:"role,omitempty"`
	Host    string  `json:"host,omitempty"`
	PID     int     `json:"pid,omitempty"`
	Start   uint64  `json:"start,omitempty"`
	State   State   `json:"state"`
	There   bool    `json:"there"`
	Silent  float64 `json:"silent"` // seconds since it said something of itself
	Behind  int     `json:"behind"` // orders that it has not followed
	Events  int64   `json:"events"`
	Last    uint64  `json:"last"`
	Through bool    `json:"through"`
	Lost    int64   `json:"lost,omitempty"`    // events that should have been recorded and were not
	Trouble string  `json:"trouble,omitempty"` // all there is to say
	// Troubles are those of a run that goes on, by kind.
	Troubles map[string]string `json:"troubles,omitempty"`
}

// Status tells how things are.
func (p *Partition) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Status{Partition: p.cfg.Partition, State: stateOf(p.stack), Run: p.run, Step: p.step, Order: uint64(len(p.journal.orders)),
		Busy: p.busy, Processes: []ProcessStatus{}}
	names := map[string]bool{}
	for _, name := range p.cfg.Processes {
		names[name] = !p.dropped[name]
	}
	for name := range p.members {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		m := p.members[name]
		switch {
		case m != nil:
			absent, troubles := m.absent(p.now()), m.report.Troubles
			if text := p.behind(m); text != "" && absent == "" {
				troubles = map[string]string{}
				maps.Copy(troubles, m.report.Troubles)
				troubles[troubleSettings] = text
			}
			s.Processes = append(s.Processes, ProcessStatus{Name: name, Role: m.Role, Host: m.Host, PID: m.PID, Start: m.Start, State: m.state,
				There: absent == "", Silent: p.now().Sub(m.heard).Seconds(), Behind: len(m.queue), Events: m.report.Events, Last: m.report.Last, Through: m.report.Through,
				Lost: m.report.Lost, Trouble: m.trouble(absent, troubles), Troubles: troubles})
		case names[name]:
			s.Processes = append(s.Processes, ProcessStatus{Name: name, Trouble: "has not come yet"})
		}
	}
	return s
}

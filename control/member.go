package control

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"drp/xtc"
)

// Process is how a process introduces itself.
type Process struct {
	Name string `json:"name"`
	Role string `json:"role"` // drp or teb
	// Partition is the one that it belongs to; empty where it does not know.
	Partition string `json:"partition,omitempty"`

	Host string `json:"host"`
	PID  int    `json:"pid"`
	// Start tells it from an earlier process of this number: clock ticks after boot.
	Start uint64 `json:"start,omitempty"`
	// Of one that run control knew before it was started again itself: whose orders it has followed, and up to which.
	Journal string `json:"journal,omitempty"`
	Number  uint64 `json:"number,omitempty"`
}

// same tells whether both are one process, which asks again when it has heard no answer.
func (p *Process) same(who *Process) bool {
	return p.PID > 0 && p.PID == who.PID && p.Start == who.Start && p.Host == who.Host
}

// Place is what a process gets when it is let in.
type Place struct {
	Session string `json:"session"` // to be named in what it says from here on
	Journal string `json:"journal"`
}

// Report is what a process says of itself, now and then and when it has followed an order.
type Report struct {
	Session string `json:"session"`
	Number  uint64 `json:"number"`            // of the last order that it has followed
	Last    uint64 `json:"last"`              // time of its last datagram
	Events  int64  `json:"events"`            // so far
	Through bool   `json:"through,omitempty"` // its source has no more events until the next Enable
	Warning string `json:"warning,omitempty"` // what went wrong as it followed its orders, though it goes on
	Undone  uint64 `json:"undone,omitempty"`  // the order that it could not do, for the reason that Warning gives
	Left    string `json:"left,omitempty"`    // why it has ended
	Exit    int    `json:"exit,omitempty"`    // and with which exit code

	// Of a run that goes on: by kind, what an operator should know, and how many events should have been recorded and were not.
	Troubles map[string]string `json:"troubles,omitempty"`
	Lost     int64             `json:"lost,omitempty"`

	Settings *Settings `json:"settings,omitempty"` // what its parameters are; nil before they are declared
}

// Assignment is what a process hears when it asks what to do next.
type Assignment struct {
	Order *Order `json:"order,omitempty"` // none yet: ask again
	End   string `json:"end,omitempty"`   // it is to end, and why
}

// member is a process that was let in. All of it is protected by the mutex of the Partition.
type member struct {
	Process
	session string
	queue   []Order // that it has not followed yet
	state   State
	late    uint64 // the last order that was given before it came
	seen    time.Time
	heard   time.Time // it told of itself; its questions may be those of a process that has died since
	hungUp  time.Time // its connection was closed, and it has not come back
	report  Report
	gone    string          // why it has ended
	begins  uint64          // time of its data at the Configure, of which files have their own
	clock   string          // what is wrong with its times
	said    map[string]bool // the kinds of trouble that the log has of this run
	known   known           // of its parameters
	former  known           // of those in its former life
}

const (
	silence = 10 * time.Second // after which nothing good is expected
	grace   = time.Second      // for a process whose connection was closed to come back
	// longPoll is how long a process that asks for its next order waits for one.
	longPoll   = time.Second
	mostPlaces = 256
	// longestReason is as much as anybody can say of what went wrong.
	longestReason = 500
)

// absent is why nothing can be expected of a process, empty when something can.
func (m *member) absent(now time.Time) string {
	switch {
	case m.gone != "":
		return m.gone
	case !m.hungUp.IsZero() && now.Sub(m.hungUp) > grace:
		return "is lost: its connection was closed at " + m.hungUp.Format(time.TimeOnly)
	case now.Sub(m.seen) > silence:
		return "is lost: nothing was heard from it since " + m.seen.Format(time.TimeOnly)
	}
	return ""
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$`)

// ValidName tells whether a partition or a process may have a name, of which files are made.
func ValidName(name string) bool { return namePattern.MatchString(name) }

// Register lets a process in.
func (p *Partition) Register(who Process) (Place, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.members[who.Name]
	switch {
	case !ValidName(who.Name) || len(who.Role) > 16 || len(who.Host) > 256:
		return Place{}, refuse(Wrong, "a process has a name of up to 64 letters, digits, '_', '.' and '-', and a short role and host; "+
			"and not %q", clip(who.Name))
	case who.Partition != "" && who.Partition != p.cfg.Partition:
		return Place{}, refuse(Wrong, "%s is of partition %s, and this is run control of partition %s: give it another --partition, or another "+
			"--control", who.Name, clip(who.Partition), p.cfg.Partition)
	case p.end != "":
		return Place{}, refuse(Gone, "partition %s is being shut down", p.cfg.Partition)
	case !p.expects(who.Name):
		return Place{}, refuse(Unknown, "there is no process %s in partition %s: there are %s", who.Name, p.cfg.Partition,
			strings.Join(p.cfg.Processes, ", "))
	case old != nil && old.absent(p.now()) == "" && !old.same(&who):
		return Place{}, refuse(Conflict, "%s is there already, as process %d on %s: end that first", who.Name, old.PID, old.Host)
	case old == nil && len(p.members) == mostPlaces:
		return Place{}, refuse(Conflict, "partition %s has %d processes, which is as many as there can be", p.cfg.Partition, mostPlaces)
	}
	m := &member{Process: who, session: newID(), seen: p.now(), heard: p.now(), late: uint64(len(p.journal.orders)), queue: slices.Clone(p.stack)}
	if who.Number > 0 {
		if who.Journal != p.journal.head.ID || who.Number > uint64(len(p.journal.orders)) {
			return Place{}, refuse(Gone, "%s has followed the orders of another run control: start it again", who.Name)
		}
		var done []Order
		for _, o := range p.journal.orders[:who.Number] {
			done = leads(done, o)
		}
		m.state, m.late, m.report.Number = stateOf(done), 0, who.Number
		m.queue = slices.DeleteFunc(slices.Clone(p.journal.orders[who.Number:]), func(o Order) bool { return o.Process != "" })
	}
	if p.dropped[who.Name] {
		if err := p.remember(back, who.Name); err != nil {
			return Place{}, err
		}
	}
	if old != nil && !old.same(&who) { // whose earlier session is just forgotten
		p.bury(old)
		p.dismiss(old, "another process has taken its place")
	}
	if old == nil {
		old = p.recall(&who)
	}
	m.inherit(old)
	p.members[who.Name] = m
	p.cfg.Log.Info(fmt.Sprintf("%s is there: %s, process %d on %s", m.Name, clip(m.Role), m.PID, clip(m.Host)))
	p.change()
	return Place{Session: m.session, Journal: p.journal.head.ID}, nil
}

// expects tells whether a process may be part of the partition.
func (p *Partition) expects(name string) bool {
	return len(p.cfg.Processes) == 0 || slices.Contains(p.cfg.Processes, name)
}

// dismiss lets a process know that it has no place any more, should it ask.
func (p *Partition) dismiss(m *member, why string) {
	const remembered = 1024
	if len(p.leavers) == remembered { // the first of whom has had the most time to ask
		delete(p.dismissed, p.leavers[0])
		p.leavers = p.leavers[1:]
	}
	p.dismissed[m.session] = why
	p.leavers = append(p.leavers, m.session)
}

// of gives the member of a session.
func (p *Partition) of(name, session string) (*member, error) {
	if why, known := p.dismissed[session]; known {
		return nil, refuse(Gone, "%s has no place in partition %s any more: %s", clip(name), p.cfg.Partition, why)
	}
	m := p.members[name]
	if m == nil || m.session != session {
		return nil, refuse(Unknown, "%s is not known in partition %s by this session: register", clip(name), p.cfg.Partition)
	}
	m.seen, m.hungUp = p.now(), time.Time{}
	return m, nil
}

// Next gives the order after one that a process has, waiting for it for a while.
func (p *Partition) Next(ctx context.Context, name, session string, after uint64) (Assignment, error) {
	timer := time.NewTimer(longPoll)
	defer timer.Stop()
	over := false
	for {
		p.mu.Lock()
		m, err := p.of(name, session)
		if err != nil {
			p.mu.Unlock()
			return Assignment{}, err
		}
		if ctx.Err() != nil {
			m.hungUp = p.now()
			p.mu.Unlock()
			return Assignment{}, ctx.Err()
		}
		a := Assignment{End: p.endOf(m), Order: p.nextOf(m, after)}
		changed := p.changed
		p.mu.Unlock()
		if a != (Assignment{}) || over {
			return a, nil
		}
		select {
		case <-changed:
		case <-timer.C:
			over = true
		case <-ctx.Done():
		}
	}
}

// endOf is why a process is to end. Those who serve others do so after them.
func (p *Partition) endOf(m *member) string {
	if p.end != "" && m.Role != "drp" {
		for _, other := range p.members {
			if other.Role == "drp" && other.absent(p.now()) == "" {
				return ""
			}
		}
	}
	return p.end
}

func (p *Partition) nextOf(m *member, after uint64) *Order {
	for _, o := range m.queue {
		if o.Number > after {
			if o.Name == "enable" && o.Number <= m.late {
				o.From = next(p.furthest)
			}
			return &o
		}
	}
	return nil
}

// Report takes what a process says of itself.
func (p *Partition) Report(name string, r Report) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	m, err := p.of(name, r.Session)
	if err != nil {
		return err
	}
	if r.Number > uint64(len(p.journal.orders)) {
		return refuse(Wrong, "%s has followed order %d, and the last one is %d", m.Name, r.Number, len(p.journal.orders))
	}
	for len(m.queue) > 0 && m.queue[0].Number <= r.Number {
		if t, err := find(m.queue[0].Name); err == nil {
			m.state = t.To
		}
		if m.queue[0].Name == "begin-run" {
			m.said = nil
		}
		m.queue = m.queue[1:]
	}
	r.Number = max(r.Number, m.report.Number)
	r.bounded()
	p.learn(m, r.Settings)
	p.hear(m, &r)
	m.report, m.heard = r, p.now()
	if m.state == Configured {
		m.begins = r.Last
	}
	p.follow(m)
	if r.Left != "" {
		m.gone = "has ended: " + r.Left
		p.cfg.Log.Info(m.Name + " " + m.gone)
	}
	p.change()
	return nil
}

// follow notes how far the data of a process has come, by which orders are given their times. One whose clock is wrong is not
// followed, since all others would have to: its data is further ahead than the clock here, than where it began, and than a
// second for each event.
func (p *Partition) follow(m *member) {
	const enough = 10 * time.Minute
	most := max(timeOf(p.now()), p.latest, p.furthest, m.begins)>>32 + uint64(enough.Seconds()) + uint64(max(0, m.report.Events))
	if at := m.report.Last >> 32; at > most {
		if m.clock == "" {
			m.clock = fmt.Sprintf("its data is of %s, which its events do not explain: nobody goes by it; set the clock of %s, and start it again",
				xtc.WallTime(m.report.Last).UTC().Format(time.DateTime), clip(m.Host))
			p.cfg.Log.Error(m.Name + ": " + m.clock)
		}
		return
	}
	m.clock = ""
	p.furthest = max(p.furthest, m.report.Last)
}

// remember writes down whether a process must be there.
func (p *Partition) remember(what, name string) error {
	o := Order{Number: uint64(len(p.journal.orders) + 1), Name: what, Process: name}
	if err := p.journal.write(o); err != nil {
		return err
	}
	p.note(o)
	return nil
}

// Drop lets a process go, and no longer waits for it. It may come back.
func (p *Partition) Drop(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.members[name]
	if m == nil && !(slices.Contains(p.cfg.Processes, name) && !p.dropped[name]) {
		return refuse(Unknown, "there is no process %s in partition %s", clip(name), p.cfg.Partition)
	}
	if err := p.remember(drop, name); err != nil {
		return err
	}
	if m != nil {
		p.bury(m)
		p.dismiss(m, "it was dropped")
		delete(p.members, name)
	}
	delete(p.before.members, name)
	p.keep()
	p.cfg.Log.Info(name + " was dropped")
	p.change()
	return nil
}

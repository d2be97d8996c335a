package control

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Settings are the parameters that a process has declared, as far as run control hands them on: to one that is started again,
// which would begin with what its script says while the others have what was set since.
type Settings struct {
	Generation int64             `json:"generation"` // with which the values hold
	Values     map[string]string `json:"values,omitempty"`
	Set        []string          `json:"set,omitempty"` // names of those that somebody has set while the run went on
	Own        []string          `json:"own,omitempty"` // and of these, those that are for this process alone, and not for all
}

// Bounds of what a process can tell of its parameters. What is more is left out, and nobody gets it.
const (
	mostValues   = 1024
	longestValue = 128
)

func (s *Settings) bounded() {
	if len(s.Values) > mostValues {
		*s = Settings{}
		return
	}
	maps.DeleteFunc(s.Values, func(name, text string) bool { return len(name) > longestValue || len(text) > longestValue })
	for _, names := range []*[]string{&s.Set, &s.Own} {
		*names = slices.DeleteFunc(*names, func(name string) bool { _, there := s.Values[name]; return !there })
	}
}

// known is what run control knows of the parameters of a process. Changes are counted over the whole partition, so that it can
// be told which of two came later.
type known struct {
	Settings
	Since map[string]uint64 `json:"since,omitempty"` // of what was set for all, which change it was
	Alone map[string]uint64 `json:"alone,omitempty"` // of what was set for this process alone
	Told  bool              `json:"told"`            // it did, ever
}

// at is the change with which a parameter was set, for whomever; 0 where nobody has.
func (k *known) at(name string) uint64 { return max(k.Since[name], k.Alone[name]) }

// inherit takes over what is known of who had the name before: the same process, or the one whose next life this is. What that was to
// begin with itself and never told of holds, too.
func (m *member) inherit(old *member) {
	if old == nil {
		return
	}
	m.former = old.former
	switch {
	case old.same(&m.Process):
		m.known = old.known
	case old.known.Told:
		m.former = old.known
	}
}

// learn takes what a process says of its parameters. What is for all is one change in all who have it; what is for one alone is none of
// anybody else.
func (p *Partition) learn(m *member, s *Settings) {
	if s == nil {
		return
	}
	was, before := m.known, m.known
	if !was.Told {
		before = m.former // with which it has begun
	}
	m.known = known{Settings: *s, Since: map[string]uint64{}, Alone: map[string]uint64{}, Told: true}
	alone := map[string]bool{}
	for _, name := range s.Own {
		alone[name] = true
	}
	for _, name := range s.Set {
		changes, old := m.known.Since, before.Since
		if alone[name] {
			changes, old = m.known.Alone, before.Alone
		}
		at := old[name]
		if at == 0 || before.Values[name] != s.Values[name] {
			if at = 0; !alone[name] {
				at = p.joined(m, name, before.at(name))
			}
			if at == 0 {
				p.changes++
				at = p.changes
			}
		}
		changes[name] = at
	}
	_, recalled := p.before.members[m.Name]
	delete(p.before.members, m.Name)
	if recalled || !reflect.DeepEqual(was, m.known) {
		p.keep()
	}
}

// joined gives the change with which others have the value of a process that was set for all, later than another change; 0 is none.
func (p *Partition) joined(m *member, name string, later uint64) (at uint64) {
	for _, other := range p.like(m) {
		if since := other.known.Since[name]; since > later && other.known.Values[name] == m.known.Values[name] {
			at = max(at, since)
		}
	}
	return at
}

// like gives the other processes that are there and do the same as one: what has a name means the same in these alone.
func (p *Partition) like(m *member) (all []*member) {
	for _, name := range slices.Sorted(maps.Keys(p.members)) {
		if other := p.members[name]; other != m && other.Role == m.Role && other.absent(p.now()) == "" && other.known.Told {
			all = append(all, other)
		}
	}
	return all
}

// last gives what was set last of a parameter for all processes; the change is 0 where nobody has set it so.
func last(name string, all []*member) (at uint64, who *member) {
	for _, m := range all {
		if since := m.known.Since[name]; since > at {
			at, who = since, m
		}
	}
	return at, who
}

// Settings gives what a process is to begin with that is there for the first time or again: what was set in its former life, for it alone
// or for all, and what was set for all since. A generation never has two meanings: where the values are others than those that it
// had, it is a later one.
func (p *Partition) Settings(name, session string) (Settings, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle()
	m, err := p.of(name, session)
	if err != nil {
		return Settings{}, err
	}
	others, own := p.like(m), &m.former
	s := Settings{Generation: own.Generation, Values: map[string]string{}}
	for _, name := range own.Set {
		s.Values[name] = own.Values[name]
	}
	shared := map[string]bool{}
	for _, other := range others {
		s.Generation = max(s.Generation, other.known.Generation)
		for name := range other.known.Since {
			shared[name] = true
		}
	}
	for name := range shared {
		if at, who := last(name, others); at > own.at(name) {
			s.Values[name] = who.known.Values[name]
		} else {
			delete(shared, name)
		}
	}
	for _, name := range own.Own {
		if !shared[name] {
			s.Own = append(s.Own, name)
		}
	}
	for name, value := range s.Values {
		if own.Told && own.Values[name] != value {
			s.Generation = max(s.Generation, own.Generation+1)
		}
	}
	return s, nil
}

// troubleSettings is the kind of trouble of a process that has not what was set last for all.
const troubleSettings = "settings"

// behind says which parameters of a process are others than those that were set last for all, but for those that it has for itself.
func (p *Partition) behind(m *member) string {
	var lines []string
	others := p.like(m)
	all := append(slices.Clone(others), m)
	for _, name := range slices.Sorted(maps.Keys(m.known.Values)) {
		if _, alone := m.known.Alone[name]; alone {
			continue
		}
		if _, who := last(name, all); who != nil && who.known.Values[name] != m.known.Values[name] {
			lines = append(lines, fmt.Sprintf("%s is %s, and was set to %s in %s", clip(name), m.known.Values[name], who.known.Values[name], who.Name))
		}
	}
	return cut(strings.Join(lines, "; "), longestReason)
}

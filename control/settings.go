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
	s.Set = slices.DeleteFunc(s.Set, func(name string) bool { _, there := s.Values[name]; return !there })
}

// known is what run control knows of the parameters of a process. Changes are counted over the whole partition, so that it can
// be told which of two came later.
type known struct {
	Settings
	Since map[string]uint64 `json:"since,omitempty"` // of what was set, which change it was
	Heard uint64            `json:"heard"`           // the changes that there were when the process told of itself for the last time
	Told  bool              `json:"told"`            // it did, ever
}

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

// learn takes what a process says of its parameters. What another one has, too, is one change.
func (p *Partition) learn(m *member, s *Settings) {
	if s == nil {
		return
	}
	since := map[string]uint64{}
	for _, name := range s.Set {
		value := s.Values[name]
		at, had := m.known.Since[name]
		if !had || m.known.Values[name] != value {
			at = 0
			for _, other := range p.like(m) {
				if v, there := other.known.Values[name]; there && v == value {
					at = max(at, other.known.Since[name])
				}
			}
		}
		if at == 0 {
			p.changes++
			at = p.changes
		}
		since[name] = at
	}
	was := m.known
	m.known = known{Settings: *s, Since: since, Heard: p.changes, Told: true}
	_, recalled := p.before.members[m.Name]
	delete(p.before.members, m.Name)
	if recalled || !reflect.DeepEqual(was, m.known) {
		p.keep()
	}
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

// last gives what was set last of a parameter among processes; the change is 0 where nobody has set it.
func last(name string, all []*member) (at uint64, who *member) {
	for _, m := range all {
		if since := m.known.Since[name]; since > at {
			at, who = since, m
		}
	}
	return at, who
}

// Settings gives what a process is to begin with that is there for the first time or again: what was set in its former life, and
// what was set in all others since. What is not the same in all of these is not handed on. A generation never has two meanings:
// where the values are others than those that it had, it is a later one.
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
	for _, other := range others {
		for _, name := range other.known.Set {
			at, who := last(name, others)
			if _, had := own.Values[name]; had && at <= own.Heard {
				continue // it has lived with that
			}
			if value := who.known.Values[name]; len(differing(name, value, others)) == 0 {
				s.Values[name] = value
			}
		}
	}
	for name, value := range s.Values {
		if own.Told && own.Values[name] != value {
			s.Generation = own.Generation + 1
		}
	}
	for _, other := range others {
		s.Generation = max(s.Generation, other.known.Generation)
	}
	return s, nil
}

// differing gives those who have another value than one.
func differing(name, value string, all []*member) (others []*member) {
	for _, m := range all {
		if v, there := m.known.Values[name]; there && v != value {
			others = append(others, m)
		}
	}
	return others
}

// troubleSettings is the kind of trouble of a process that has not what was set last in another one.
const troubleSettings = "settings"

// behind says which parameters of a process are others than those that were set last.
func (p *Partition) behind(m *member) string {
	var lines []string
	others := p.like(m)
	all := append(slices.Clone(others), m)
	for _, name := range slices.Sorted(maps.Keys(m.known.Values)) {
		if _, who := last(name, all); who != nil && who.known.Values[name] != m.known.Values[name] {
			lines = append(lines, fmt.Sprintf("%s is %s, and was set to %s in %s", clip(name), m.known.Values[name], who.known.Values[name], who.Name))
		}
	}
	return cut(strings.Join(lines, "; "), longestReason)
}

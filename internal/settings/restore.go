package settings

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Words are all values as text, the names of those that somebody has set since the start, and of these, those that were set for this
// process alone: what is told of a process, for the one that takes its place.
func (b *Book) Words() (generation int64, values map[string]string, set, own []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	values = map[string]string{}
	for i := range b.settings {
		s := &b.settings[i]
		values[s.Name] = Plain(s.Value)
		if s.live {
			set = append(set, s.Name)
		}
		if s.Own {
			own = append(own, s.Name)
		}
	}
	if generation = b.generation; b.pending.Load() {
		generation++
	}
	return generation, values, set, own
}

// Restore lets values hold at once that a process of before had, those of own for itself alone, under their generation, or the next
// where that is behind. It is for after the first Declare, before there are events. Names that nobody has declared are left out; an error says which others
// cannot be taken. Then the values are not those that the generation had, and it is one more.
func (b *Book) Restore(generation int64, values map[string]string, own []string, who string, now time.Time) (changed *Change, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	accepted, wrong := map[int]any{}, []error{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		i, known := b.byName[name]
		if !known || b.settings[i].Value != b.settings[i].used { // which somebody has set by now
			continue
		}
		v, err := b.settings[i].Parameter.Value(values[name])
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%w; it is %s", err, Text(b.settings[i].Value)))
			continue
		}
		accepted[i] = v
	}
	if b.Check != nil {
		if apart := b.together(accepted); len(apart) > 0 {
			wrong, accepted = append(wrong, apart...), nil
		}
	}
	changes := map[string][2]any{}
	for i, v := range accepted {
		s := &b.settings[i]
		if v != s.used {
			changes[s.Name] = [2]any{s.used, v}
		}
		s.Value, s.used, s.live, s.Own = v, v, true, slices.Contains(own, s.Name)
	}
	if len(wrong) > 0 {
		generation, err = generation+1, joined(wrong)
	}
	if len(changes) > 0 || generation > b.generation {
		b.generation = max(b.generation, generation-1)
		changed = b.enter(changes, who, now)
	}
	return changed, err
}

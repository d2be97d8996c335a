package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"drp/internal/nearest"
)

// Setting is a parameter and what it is set to.
type Setting struct {
	Parameter
	Value any  `json:"value" doc:"of the next events, if not of the present ones already"`
	Own   bool `json:"own,omitempty" doc:"it was set while the run went on, and for this process alone"`
}

// Change is what began to hold with a generation.
type Change struct {
	Generation int64             `json:"generation"`
	Time       time.Time         `json:"time"`
	Who        string            `json:"who" doc:"who asked for it, as far as drp can tell; several, where they asked at once"`
	Changes    map[string][2]any `json:"changes" doc:"value before and after, by name"`
}

// Listing is all that there is to know.
type Listing struct {
	Generation int64     `json:"generation" doc:"of the values below"`
	Applied    int64     `json:"applied" doc:"that events have by now; one less than generation until the next event"`
	Settings   []Setting `json:"settings"`
	History    []Change  `json:"history" doc:"the latest changes, the last one at the end"`
	Refused    int64     `json:"refused" doc:"changes that were refused"`
}

// Read reads one as JSON has it, for whoever does not know the types: its numbers are json.Number, since float64 has not all digits of
// an int64.
func (l *Listing) Read(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(l)
}

// mostHistory is how many changes are kept, and mostWho how many are named at one.
const (
	mostHistory = 256
	mostWho     = 8
)

// Book is the parameters of a run and their values.
type Book struct {
	// Check refuses values of one who has declared any that do not go together; nil lets all through. It is set before all else.
	Check func(stage string, values []any) error

	pending atomic.Bool // values were accepted that do not hold yet

	mu         sync.Mutex // protects all below
	settings   []held
	byName     map[string]int
	generation int64 // that holds
	who        []string
	history    []Change
	refused    int64
}

type held struct {
	Setting      // with the value that was accepted last
	used    any  // the value that holds
	live    bool // somebody has set it since the start
}

// Declare takes the place of what was declared before. Of that, values stay where they are still allowed; others are the
// defaults, or what start says. The first generation, or the next where anything differs, holds from here on.
func (b *Book) Declare(all []Parameter, start map[string]any, now time.Time) (changed *Change, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	settings, byName := make([]held, 0, len(all)), map[string]int{}
	changes := map[string][2]any{}
	for _, p := range all {
		if _, twice := byName[p.Name]; twice {
			return nil, fmt.Errorf("settings: %s is declared twice", p.Name)
		}
		value, old, live, own := p.Default, any(nil), false, false
		if i, known := b.byName[p.Name]; known {
			old = b.settings[i].used
			if v, err := p.Value(b.settings[i].Value); err == nil && p.Type == b.settings[i].Type {
				value, live, own = v, b.settings[i].live, b.settings[i].Own
			}
		} else if given, ok := start[p.Name]; ok {
			if value, err = p.Value(given); err != nil {
				return nil, fmt.Errorf("settings: %w", err)
			}
		}
		if value != old {
			changes[p.Name] = [2]any{old, value}
		}
		byName[p.Name] = len(settings)
		settings = append(settings, held{Setting: Setting{Parameter: p, Value: value, Own: own}, used: value, live: live})
	}
	if err := unknownIn(start, byName); err != nil {
		return nil, err
	}
	renewed := len(changes) > 0 || len(settings) != len(b.settings)
	b.settings, b.byName = settings, byName
	b.pending.Store(false)
	b.who = nil
	if !renewed {
		return nil, nil
	}
	return b.enter(changes, "start", now), nil
}

// unknownIn refuses values for what nobody has declared.
func unknownIn(given map[string]any, byName map[string]int) error {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, known := byName[name]; !known {
			return fmt.Errorf("settings: %w", unknown(name, byName))
		}
	}
	return nil
}

func unknown(name string, byName map[string]int) error {
	if byName == nil {
		return fmt.Errorf("%s: the run has not begun, and its script has not said yet what can be set", shortly(name))
	}
	if len(byName) == 0 {
		return fmt.Errorf("%s: nothing can be set in this process: no script declares a parameter (ds.param)", shortly(name))
	}
	all := slices.Sorted(maps.Keys(byName))
	for _, whole := range all {
		if strings.HasSuffix(whole, "."+name) {
			return fmt.Errorf("no setting has the name %s; did you mean %s?", shortly(name), whole)
		}
	}
	if near := nearest.Of(name, all); near != "" {
		return fmt.Errorf("no setting has the name %s; did you mean %s?", shortly(name), near)
	}
	return fmt.Errorf("no setting has the name %s; there are %s", shortly(name), strings.Join(all, ", "))
}

func (b *Book) enter(changes map[string][2]any, who string, now time.Time) *Change {
	b.generation++
	c := Change{Generation: b.generation, Time: now.UTC(), Who: who, Changes: changes}
	if len(b.history) == mostHistory {
		b.history = slices.Delete(b.history, 0, 1)
	}
	b.history = append(b.history, c)
	return &c
}

// Set accepts values by their names for this process alone, all or none, and gives the generation with which they hold. What is
// refused leaves everything as it was.
func (b *Book) Set(values map[string]any, who string) (generation int64, err error) {
	return b.set(values, who, true)
}

// SetForAll is Set where all processes of the partition are to have the values.
func (b *Book) SetForAll(values map[string]any, who string) (generation int64, err error) {
	return b.set(values, who, false)
}

func (b *Book) set(values map[string]any, who string, own bool) (generation int64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	accepted, wrong := b.judge(values)
	if len(wrong) > 0 {
		b.refused++
		return 0, joined(wrong)
	}
	for i, v := range accepted {
		b.settings[i].Value, b.settings[i].live, b.settings[i].Own = v, true, own
	}
	if !slices.ContainsFunc(b.settings, func(s held) bool { return s.Value != s.used }) {
		b.pending.Store(false) // it is what it was, or is again
		b.who = nil
		return b.generation, nil
	}
	if !slices.Contains(b.who, who) && len(b.who) < mostWho {
		b.who = append(b.who, who)
	}
	b.pending.Store(true)
	return b.generation + 1, nil
}

// judge gives the values as they would be accepted, by the place of their parameters, or what is wrong with any.
func (b *Book) judge(values map[string]any) (accepted map[int]any, wrong []error) {
	accepted = make(map[int]any, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		i, known := b.byName[name]
		if !known {
			wrong = append(wrong, unknown(name, b.byName))
			continue
		}
		v, err := b.settings[i].Parameter.Value(values[name])
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%w; %s stays", err, Text(b.settings[i].Value)))
			continue
		}
		accepted[i] = v
	}
	if len(wrong) == 0 && b.Check != nil {
		wrong = b.together(accepted)
	}
	return accepted, wrong
}

// Try tells what Set would say, and changes nothing: why it would refuse, but for names that nobody has declared, which come
// each with the reason. Before anything was declared all is refused.
func (b *Book) Try(values map[string]any) (strange map[string]string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := map[string]any{}
	strange = map[string]string{}
	for name, v := range values {
		if _, there := b.byName[name]; there {
			known[name] = v
			continue
		}
		why := unknown(name, b.byName)
		if b.byName == nil {
			return nil, why
		}
		strange[name] = why.Error()
	}
	if _, wrong := b.judge(known); len(wrong) > 0 {
		return nil, joined(wrong)
	}
	return strange, nil
}

// together asks whether values go together with those that stay.
func (b *Book) together(accepted map[int]any) (wrong []error) {
	values := map[string][]any{}
	touched := map[string]bool{}
	for i := range b.settings {
		s := &b.settings[i]
		v, changed := accepted[i]
		if !changed {
			v = s.Value
		}
		values[s.Stage] = append(values[s.Stage], v)
		touched[s.Stage] = touched[s.Stage] || changed
	}
	for _, stage := range slices.Sorted(maps.Keys(touched)) {
		if !touched[stage] {
			continue
		}
		if err := b.Check(stage, values[stage]); err != nil {
			wrong = append(wrong, fmt.Errorf("%w; all stays", err))
		}
	}
	return wrong
}

// joined puts errors into one line, and only some of them.
func joined(wrong []error) error {
	const most = 8
	var text []string
	for _, err := range wrong[:min(most, len(wrong))] {
		text = append(text, err.Error())
	}
	if len(wrong) > most {
		text = append(text, fmt.Sprintf("and %d more", len(wrong)-most))
	}
	return errors.New(strings.Join(text, "; "))
}

// Pending tells whether there is anything to Turn to.
func (b *Book) Pending() bool { return b.pending.Load() }

// Turn lets what was accepted hold from here on; nil is nothing.
func (b *Book) Turn(now time.Time) *Change {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.pending.Swap(false) {
		return nil
	}
	changes := map[string][2]any{}
	for i := range b.settings {
		if s := &b.settings[i]; s.Value != s.used {
			changes[s.Name] = [2]any{s.used, s.Value}
			s.used = s.Value
		}
	}
	who := strings.Join(b.who, ", ")
	b.who = nil
	return b.enter(changes, who, now)
}

// Values are those that hold of one who has declared any, in the order of the declaration.
func (b *Book) Values(stage string) (generation int64, values []any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.settings {
		if b.settings[i].Stage == stage {
			values = append(values, b.settings[i].used)
		}
	}
	return b.generation, values
}

// List gives all that there is to know.
func (b *Book) List() Listing {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := Listing{Generation: b.generation, Applied: b.generation, Settings: []Setting{}, History: append([]Change{}, b.history...),
		Refused: b.refused}
	if b.pending.Load() {
		l.Generation++
	}
	for i := range b.settings {
		l.Settings = append(l.Settings, b.settings[i].Setting)
	}
	return l
}

// Since gives the changes after a generation, as far as they are kept.
func (b *Book) Since(generation int64) []Change {
	b.mu.Lock()
	defer b.mu.Unlock()
	after := slices.IndexFunc(b.history, func(c Change) bool { return c.Generation > generation })
	if after < 0 {
		return nil
	}
	return slices.Clone(b.history[after:])
}

// Generation is that of the values that were accepted last.
func (b *Book) Generation() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pending.Load() {
		return b.generation + 1
	}
	return b.generation
}

// String says what a change is, for the log.
func (c *Change) String() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(c.Changes)) {
		v := c.Changes[name]
		if v[0] == nil {
			all = append(all, fmt.Sprintf("%s is %s", name, Text(v[1])))
		} else {
			all = append(all, fmt.Sprintf("%s %s -> %s", name, Text(v[0]), Text(v[1])))
		}
	}
	const most = 16
	if len(all) > most {
		all = append(all[:most], fmt.Sprintf("and %d more", len(all)-most))
	}
	return fmt.Sprintf("generation %d: %s (%s)", c.Generation, strings.Join(all, ", "), c.Who)
}

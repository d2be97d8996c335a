package page

import (
	"errors"
	"slices"

	"drp/internal/settings"
)

// settingsAt gives the settings as they were recorded when an event was, and how they had become so.
func (p *past) settingsAt(number int64) settings.Listing {
	last := -1
	for i := range p.lines {
		if l := &p.lines[i]; l.settings && (l.events <= number+1 || last < 0) { // what was declared comes before any event
			last = i
		}
	}
	if last == p.listed {
		return p.listing
	}
	p.listed, p.listing = last, settings.Listing{Settings: []settings.Setting{}, History: []settings.Change{}}
	for i := range p.lines[:last+1] {
		var l recorded
		if !p.lines[i].settings || p.read(i, &l) != nil {
			continue
		}
		if l.Declared != nil {
			p.listing.Settings = l.Declared
		}
		if l.Settings != nil {
			changed(&p.listing, *l.Settings)
		}
	}
	return p.listing
}

// changed takes a change into account. What nobody has declared, as in a record of an earlier drp, is known by its value.
func changed(to *settings.Listing, c settings.Change) {
	to.Generation, to.Applied = c.Generation, c.Generation
	to.History = append(to.History, c)
	for name, values := range c.Changes {
		at := slices.IndexFunc(to.Settings, func(s settings.Setting) bool { return s.Name == name })
		if at < 0 {
			kind := "float"
			switch values[1].(type) {
			case string:
				kind = "str"
			case bool:
				kind = "bool"
			}
			at = len(to.Settings)
			to.Settings = append(to.Settings, settings.Setting{Parameter: settings.Parameter{Name: name, Type: kind, Default: values[0]}})
		}
		to.Settings[at].Value = values[1]
	}
}

// Settings are those of the run that is replayed, as they were at this place.
func (p *Player) Settings() settings.Listing {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.past.settingsAt(p.state.Position)
	l.Settings = slices.Clone(l.Settings)
	return l
}

// SettingsGeneration is that of Settings, 0 where none were recorded.
func (p *Player) SettingsGeneration() uint64 { return uint64(max(p.Settings().Generation, 0)) }

// Set refuses: nothing is computed again.
func (p *Player) Set(map[string]any, string) (int64, error) {
	return 0, errReplayed
}

// SetForAll says the same.
func (p *Player) SetForAll(map[string]any, string) (int64, error) { return 0, errReplayed }

// Try does, too.
func (p *Player) Try(map[string]any) (map[string]string, error) { return nil, errReplayed }

var errReplayed = errors.New("this is a replay, which has the settings that were recorded: nothing can be set")

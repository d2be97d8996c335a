package drp

import (
	"math"

	"drp/hit"
	"drp/internal/settings"
	"drp/xtc"
)

// hitsStage is who declares what can be changed of the search for hits while it goes on.
const hitsStage = "hits"

// parameters are what can be changed; none where a GPU searches, which prepares for them.
func (h *hits) parameters() (all []settings.Parameter) {
	if h.cfg == nil || !h.r.cfg.searchesHere {
		return nil
	}
	c := h.cfg.Config
	for _, p := range c.Live() {
		made := settings.Parameter{Name: hitsStage + "." + p.Short(), Type: settings.Float, Default: p.Number(), Unit: p.Unit, Doc: p.Help, Stage: hitsStage}
		if _, whole := made.Default.(int64); whole {
			made.Type, made.Min, made.Max = settings.Int, int64(0), int64(math.MaxInt32)
		}
		all = append(all, made)
	}
	return all
}

// with gives the configuration with other values of these, in their order.
func (h *hits) with(values []any) hit.Config {
	c := h.cfg.Config
	all := c.Live()
	for i, v := range values {
		all[i].SetNumber(v)
	}
	return c
}

// check refuses values that do not go together.
func (s *steering) check(stage string, values []any) error {
	switch stage {
	case hitsStage:
		c := s.r.hits.with(values)
		return c.Check()
	case ringsStage:
		return ringsOf(values).check(s.r.cfg.Rings)
	}
	return nil
}

// settingsNames are those of the block of an event that is searched with other values than the Configure has.
func (h *hits) settingsNames() *xtc.Names {
	n := &xtc.Names{DetName: settingsDetector, DetType: settingsDetector, Alg: hitsStage, Version: xtc.Version{Major: 1},
		Entries: []xtc.Name{{Name: "generation", Type: xtc.Int64}}}
	c := h.cfg.Config
	for _, p := range c.Live() {
		kind := xtc.Double
		if _, whole := p.Number().(int64); whole {
			kind = xtc.Int64
		}
		n.Entries = append(n.Entries, xtc.Name{Name: p.Short(), Type: kind})
	}
	return n
}

// planOf is the plan for events that have an entry of the board.
func (h *hits) planOf(entry uint16) *hit.Plan {
	if p := h.r.steering.entries[entry].plan; p != nil {
		return p
	}
	return h.plan
}

// turnHits puts the plan, and what is recorded of it, into an entry. Until something was changed nothing is recorded: the
// Configure has the values.
func (s *steering) turnHits(entry uint16) (found bool) {
	to, h := &s.entries[entry], &s.r.hits
	to.plan, to.blocks[ofHits] = nil, nil
	if h.live == nil || h.plan == nil {
		return false
	}
	generation, values := s.book.Values(hitsStage)
	c := h.with(values)
	if !s.searched && c.JSON() == h.cfg.JSON() {
		return true
	}
	s.searched = true
	to.plan = h.plan.With(c)
	to.blocks[ofHits] = (&offer{names: h.live}).block(generation, values)
	h.rows.end() // thresholds are not carried over to it
	return true
}

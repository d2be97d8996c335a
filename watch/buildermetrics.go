package watch

// builderFamilies are those of drp teb, which has none of a run's.
var builderFamilies = []family{
	{"drp_teb_info", "What decides, as labels; the value is 1.", gauge, []string{"version", "rules"},
		func(s *Status, put put) { put(1, s.Version, s.Builder.Rules) }},
	ofBuilder("drp_teb_events_total", "Events that drp teb has built of contributions.", counter, func(b *Builder) uint64 { return b.Events }),
	ofBuilder("drp_teb_transitions_total", "Transitions that it has built.", counter, func(b *Builder) uint64 { return b.Transitions }),
	ofBuilder("drp_teb_kept_total", "Events that it has kept.", counter, func(b *Builder) uint64 { return b.Kept }),
	ofBuilder("drp_teb_defaulted_total", "Events that it has not decided in time.", counter, func(b *Builder) uint64 { return b.Defaulted }),
	{"drp_teb_built_total", "Events and transitions, by whether they have all contributions and else why not.", counter, []string{"outcome"},
		func(s *Status, put put) {
			put(float64(s.Builder.Complete), "complete")
			put(float64(s.Builder.TimedOut), "timed_out")
			put(float64(s.Builder.Absent), "absent")
			put(float64(s.Builder.Skipped), "skipped")
		}},
	ofBuilder("drp_teb_in_window", "Events and transitions that wait for contributions.", gauge, func(b *Builder) uint64 { return b.InWindow }),
	{"drp_teb_waiting", "Events and transitions that are built and not decided.", gauge, nil,
		func(s *Status, put put) { put(count(s.Trigger.Waiting)) }},
	{"drp_teb_decisions_total", "Decisions of drp teb, by reason.", counter, []string{"reason"}, func(s *Status, put put) {
		for _, d := range s.Trigger.Decisions {
			put(float64(d.Count), d.Reason)
		}
	}},
	{"drp_teb_connections_total", "Connections, by what became of them.", counter, []string{"outcome"}, func(s *Status, put put) {
		put(float64(s.Builder.Let), "let_in")
		put(float64(s.Builder.Refused), "refused")
		put(float64(s.Builder.Unfit), "unfit")
	}},
	ofContributors("drp_teb_contributor_up", "1 while a contributor is there.", gauge, func(c *Contributor) float64 { return one(c.Present) }),
	ofContributors("drp_teb_contributions_total", "Contributions received.", counter, func(c *Contributor) float64 { return float64(c.Rows) }),
	ofContributors("drp_teb_late_total", "Contributions that came after the event was decided.", counter,
		func(c *Contributor) float64 { return float64(c.Late) }),
	ofContributors("drp_teb_missing_total", "Events and transitions that were decided without a contribution that they should have had.", counter,
		func(c *Contributor) float64 { return float64(c.Missing) }),
}

func ofBuilder(name, help, kind string, value func(*Builder) uint64) family {
	return family{name, help, kind, nil, func(s *Status, put put) { put(float64(value(s.Builder))) }}
}

func ofContributors(name, help, kind string, value func(*Contributor) float64) family {
	return family{name, help, kind, []string{"contributor"}, func(s *Status, put put) {
		for i := range s.Builder.Contributors {
			put(value(&s.Builder.Contributors[i]), s.Builder.Contributors[i].Name)
		}
	}}
}

var builderDistributions = []distribution{
	{"drp_teb_seconds", "Time from the first contribution to an event until its decision, of one in 64.", nil,
		func(s *Status, put func(*Latency, ...string)) { put(&s.Trigger.Latency) }},
}

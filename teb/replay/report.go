package replay

import (
	"cmp"
	"math/bits"
	"slices"
)

// Report counts what was decided now, and then.
type Report struct {
	Files        []string `json:"files"`
	Contributors []string `json:"contributors"`
	Read         int64    `json:"read"`        // events in all files
	Lacking      int64    `json:"lacking"`     // of these, without a contribution: nobody could look into them
	Again        int64    `json:"again"`       // of these, with a pulse ID no larger than that of one before
	Events       int64    `json:"events"`      // of all contributors together
	Incomplete   int64    `json:"incomplete"`  // of these, what a contributor brought is in no file
	Disagreeing  int64    `json:"disagreeing"` // files have different decisions about them; the first one counts
	Kept         int64    `json:"kept"`        // now
	KeptThen     int64    `json:"kept_then"`
	Both         int64    `json:"kept_both"`
	SameReason   int64    `json:"same_reason"`
	Same         int64    `json:"same"` // kept or not, for the same reason and monitors

	Reasons  []ReasonCount  `json:"reasons"`
	Groups   []GroupCount   `json:"groups"`
	Monitors []MonitorCount `json:"monitors"`

	byReason map[string]*ReasonCount
	byGroup  [17]GroupCount // the last one for events without a group
	monitors [32]MonitorCount
}

// ReasonCount is what became of events for a reason. Then is in the record.
type ReasonCount struct {
	Reason     string `json:"reason"`
	Events     int64  `json:"events"`
	Kept       int64  `json:"kept"`
	EventsThen int64  `json:"events_then"`
	KeptThen   int64  `json:"kept_then"`
}

// GroupCount is what became of the events of a readout group.
type GroupCount struct {
	Group     int   `json:"group"` // -1 for events without one
	Events    int64 `json:"events"`
	Kept      int64 `json:"kept"`
	Prescaled int64 `json:"prescaled"`
	KeptThen  int64 `json:"kept_then"`
}

// MonitorCount is how many events go to a monitor.
type MonitorCount struct {
	Monitor int   `json:"monitor"` // the number of its bit
	Events  int64 `json:"events"`
	Then    int64 `json:"events_then"`
}

func newReport(files []string) *Report {
	return &Report{Files: files, Contributors: []string{}, Reasons: []ReasonCount{}, Groups: []GroupCount{}, Monitors: []MonitorCount{},
		byReason: map[string]*ReasonCount{}}
}

// reason gives the line of a reason.
func (r *Report) reason(name string) *ReasonCount {
	c := r.byReason[name]
	if c == nil {
		c = &ReasonCount{Reason: name}
		r.byReason[name] = c
	}
	return c
}

// add enters an event.
func (r *Report) add(e *Event) {
	now, was := number(e.Now.Kept()), number(e.Was.Kept())
	r.Events++
	r.Kept += now
	r.KeptThen += was
	r.Both += now * was
	r.Incomplete += number(e.Missing > 0)
	r.SameReason += number(e.Now.Reason == e.Was.Reason)
	r.Same += number(e.Same())
	c := r.reason(e.Now.Reason)
	c.Events++
	c.Kept += now
	c = r.reason(e.Was.Reason)
	c.EventsThen++
	c.KeptThen += was
	groups := uint32(e.Groups)
	if groups == 0 {
		groups = 1 << 16
	}
	for ; groups != 0; groups &= groups - 1 {
		g := &r.byGroup[bits.TrailingZeros32(groups)]
		g.Events++
		g.Kept += now
		g.Prescaled += number(e.Now.Prescaled)
		g.KeptThen += was
	}
	for m := range r.monitors {
		r.monitors[m].Events += int64(e.Now.Monitor >> m & 1)
		r.monitors[m].Then += int64(e.Was.Monitor >> m & 1)
	}
}

// Same tells whether the event is decided as it was.
func (e *Event) Same() bool {
	return e.Now.Kept() == e.Was.Kept() && e.Now.Reason == e.Was.Reason && e.Now.Monitor == e.Was.Monitor
}

func number(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// count enters what a stream had.
func (r *Report) count(s *stream) {
	r.Read += s.events
	r.Lacking += s.lacks
	r.Again += s.again
}

// finish makes the tables: reasons as the trigger has them, and behind them those of the record that it does not know.
func (r *Report) finish(order []string) {
	for _, c := range r.byReason {
		r.Reasons = append(r.Reasons, *c)
	}
	place := func(c *ReasonCount) int {
		if at := slices.Index(order, c.Reason); at >= 0 {
			return at
		}
		return len(order)
	}
	slices.SortFunc(r.Reasons, func(a, b ReasonCount) int {
		return cmp.Or(cmp.Compare(place(&a), place(&b)), cmp.Compare(a.Reason, b.Reason))
	})
	for g, c := range r.byGroup {
		if c.Group = g; g == 16 {
			c.Group = -1
		}
		if c.Events > 0 {
			r.Groups = append(r.Groups, c)
		}
	}
	for m, c := range r.monitors {
		if c.Monitor = m; c.Events+c.Then > 0 {
			r.Monitors = append(r.Monitors, c)
		}
	}
}

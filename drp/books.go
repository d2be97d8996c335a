package drp

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// Books count what became of every event. Each event enters as received and gets exactly one outcome. They may be read
// at any time; only the dispatcher and the collector write.
type Books struct {
	received    atomic.Int64
	recorded    atomic.Int64
	rejected    atomic.Int64 // by the script
	vetoed      atomic.Int64 // by the trigger
	quarantined atomic.Int64 // killed the script's processes
	kept        atomic.Int64 // of these, those that are in a file
	dropped     atomic.Int64 // by --policy drop
	failed      atomic.Int64 // could not be recorded

	defaulted  atomic.Int64 // the trigger did not decide in time
	undecided  atomic.Int64 // the trigger failed on them
	unwanted   atomic.Int64 // by the trigger, and not vetoed since all are to be recorded
	posted     atomic.Int64 // shown to the second script
	postFailed atomic.Int64 // and recorded as they were before, since that failed
	searched   atomic.Int64 // for hits
	hits       atomic.Int64 // found in these
	passed     atomic.Int64 // that no script was shown, since they are none
	unsearched atomic.Int64 // could not be searched
	byGPU      atomic.Int64 // of those searched
	instead    atomic.Int64 // and by the CPU since the GPU failed

	damaged  atomic.Int64 // recorded with a damage bit
	altered  atomic.Int64 // changed in memory since they came, of those that --verify looked at
	late     atomic.Int64 // answers that came for an event already decided
	restarts atomic.Int64 // of Python children that died
	recycled atomic.Int64 // and of those that were replaced as planned
	retired  atomic.Int64 // workers that got no child any more
	deadtime atomic.Int64 // nanoseconds the source waited for a free slot
	bytesIn  atomic.Int64
}

// Summary is the books and what goes with them, as written by --summary.
type Summary struct {
	Received        int64    `json:"received"`
	Recorded        int64    `json:"recorded"`
	Rejected        int64    `json:"rejected"`
	Vetoed          int64    `json:"vetoed"`
	Quarantined     int64    `json:"quarantined"`
	QuarantineFiles int64    `json:"quarantine_files"`
	Dropped         int64    `json:"dropped"`
	Failed          int64    `json:"failed"`
	InFlight        int64    `json:"in_flight"`
	Damaged         int64    `json:"damaged"`
	Searched        int64    `json:"searched,omitempty"`
	Hits            int64    `json:"hits,omitempty"`
	Passed          int64    `json:"passed_over,omitempty"`
	Unsearched      int64    `json:"unsearched,omitempty"`
	ByGPU           int64    `json:"searched_by_gpu,omitempty"`
	Instead         int64    `json:"searched_by_cpu_instead,omitempty"`
	Defaulted       int64    `json:"decided_by_default,omitempty"`
	Undecided       int64    `json:"trigger_failed,omitempty"`
	Unwanted        int64    `json:"kept_unwanted,omitempty"`
	Posted          int64    `json:"posted,omitempty"`
	PostFailed      int64    `json:"post_failed,omitempty"`
	Altered         int64    `json:"altered"`
	Late            int64    `json:"late"`
	Restarts        int64    `json:"restarts"`
	Recycled        int64    `json:"recycled"`
	Retired         int64    `json:"retired_workers"`
	Seconds         float64  `json:"seconds"`
	EventsPerSecond float64  `json:"events_per_second"`
	DeadtimeSeconds float64  `json:"deadtime_seconds"`
	BytesReceived   int64    `json:"bytes_received"`
	BytesRecorded   int64    `json:"bytes_recorded"`
	Files           []string `json:"files"`
	Failures        []string `json:"failures,omitempty"` // of the script, a line each kind
}

// Snapshot reads the books. In flight is what was received and has no outcome yet.
func (b *Books) Snapshot() Summary {
	s := Summary{
		Recorded: b.recorded.Load(), Rejected: b.rejected.Load(), Vetoed: b.vetoed.Load(),
		Quarantined: b.quarantined.Load(), Dropped: b.dropped.Load(), Failed: b.failed.Load(),
		Damaged: b.damaged.Load(), Altered: b.altered.Load(), Late: b.late.Load(), Restarts: b.restarts.Load(),
		QuarantineFiles: b.kept.Load(), Recycled: b.recycled.Load(), Retired: b.retired.Load(),
		DeadtimeSeconds: time.Duration(b.deadtime.Load()).Seconds(), BytesReceived: b.bytesIn.Load(),
		Searched: b.searched.Load(), Hits: b.hits.Load(), Passed: b.passed.Load(), Unsearched: b.unsearched.Load(),
		ByGPU: b.byGPU.Load(), Instead: b.instead.Load(), Defaulted: b.defaulted.Load(),
		Undecided: b.undecided.Load(), Unwanted: b.unwanted.Load(), Posted: b.posted.Load(), PostFailed: b.postFailed.Load(),
		Files: []string{},
	}
	s.Received = b.received.Load() // last: it never lags behind the outcomes
	s.InFlight = s.Received - s.Recorded - s.Rejected - s.Vetoed - s.Quarantined - s.Dropped - s.Failed
	return s
}

// Lost is the number of events that should have been kept and were not.
func (s *Summary) Lost() int64 { return s.Dropped + s.Failed + s.Quarantined - s.QuarantineFiles }

// Text prints the books as a ledger.
func (s *Summary) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "received    %12d events in %.3f s: %.0f events/s\n", s.Received, s.Seconds, s.EventsPerSecond)
	for _, row := range []struct {
		name  string
		count int64
		note  string
	}{
		{"recorded", s.Recorded, s.damageNote()},
		{"rejected", s.Rejected, "by the script"},
		{"vetoed", s.Vetoed, "by the trigger"},
		{"quarantined", s.Quarantined, fmt.Sprintf("%d of them in files", s.QuarantineFiles)},
		{"dropped", s.Dropped, "by policy"},
		{"failed", s.Failed, ""},
		{"in flight", s.InFlight, ""},
	} {
		if row.count == 0 || row.note == "" {
			fmt.Fprintf(&b, "  %-12s%10d\n", row.name, row.count)
		} else {
			fmt.Fprintf(&b, "  %-12s%10d  %s\n", row.name, row.count, row.note)
		}
	}
	b.WriteString(s.hitNote())
	b.WriteString(s.triggerNote())
	b.WriteString(s.postNote())
	balance := "the books balance"
	if s.InFlight != 0 {
		balance = "the books do not balance"
	}
	fmt.Fprintf(&b, "%s; late %d, restarts %d, deadtime %.3f s\n", balance, s.Late, s.Restarts, s.DeadtimeSeconds)
	for _, f := range s.Failures {
		fmt.Fprintf(&b, "script: %s\n", f)
	}
	for _, f := range s.Files {
		fmt.Fprintf(&b, "file: %s\n", f)
	}
	if len(s.Files) == 0 {
		b.WriteString("nothing was written; -o DIR records\n")
	}
	return b.String()
}

// triggerNote is the lines about events that the trigger did not decide in time or failed on, and about those that it did
// not want and that are recorded all the same; there are none where it decided all and was obeyed.
func (s *Summary) triggerNote() (note string) {
	if s.Defaulted > 0 {
		note = fmt.Sprintf("trigger     %12d events were not decided in time, and got the default\n", s.Defaulted)
	}
	if s.Undecided > 0 {
		note += fmt.Sprintf("trigger     %12d events it failed on, and they got the default\n", s.Undecided)
	}
	if s.Unwanted > 0 {
		note += fmt.Sprintf("trigger     %12d events are kept that it did not want, since all are\n", s.Unwanted)
	}
	return note
}

// postNote is the line about the second script; there is none where there was none.
func (s *Summary) postNote() string {
	if s.Posted == 0 {
		return ""
	}
	note := fmt.Sprintf("post        %12d events were shown to the second script", s.Posted)
	if s.PostFailed > 0 {
		note += fmt.Sprintf("; it failed on %d", s.PostFailed)
	}
	return note + "\n"
}

// HitRate is the percentage of the events searched so far that are hits.
func (s *Summary) HitRate() float64 { return 100 * float64(s.Hits) / float64(max(s.Searched, 1)) }

// hitNote is the line about hits; there is none where nobody looked for any.
func (s *Summary) hitNote() string {
	if s.Searched+s.Unsearched == 0 {
		return ""
	}
	note := fmt.Sprintf("hits        %12d of %d events searched: %.2f %%", s.Hits, s.Searched, s.HitRate())
	if s.Passed > 0 {
		note += fmt.Sprintf("; %d were not shown to the script", s.Passed)
	}
	if s.Unsearched > 0 {
		note += fmt.Sprintf("; %d could not be searched", s.Unsearched)
	}
	if s.ByGPU+s.Instead > 0 {
		note += fmt.Sprintf("; %d were searched by the GPU", s.ByGPU)
	}
	if s.Instead > 0 {
		note += fmt.Sprintf("; %d by the CPU, since the GPU failed", s.Instead)
	}
	return note + "\n"
}

func (s *Summary) damageNote() string {
	note := fmt.Sprintf("%.1f MB", float64(s.BytesRecorded)/1e6)
	if s.BytesRecorded < 1e6 {
		note = fmt.Sprintf("%.1f kB", float64(s.BytesRecorded)/1e3)
	}
	if s.Damaged == 0 {
		return note
	}
	note += fmt.Sprintf(", %d of them damaged", s.Damaged)
	if s.Altered > 0 {
		note += fmt.Sprintf(" (%d altered in memory)", s.Altered)
	}
	return note
}

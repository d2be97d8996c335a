package teb

import "fmt"

// Books is what came, and what became of it. They balance at any time:
//
//	Received  = Accepted + Late + Duplicate + Unordered + Conflict + Malformed
//	Built     = Events + Transitions = Complete + TimedOut + Absent + Skipped
//	Opened    = Built + InWindow
//	Built     = Decided + InDecision, and Decided = the sum of Reasons
type Books struct {
	Received  uint64 `json:"received"` // rows
	Accepted  uint64 `json:"accepted"`
	Late      uint64 `json:"late"`      // the event was given away before
	Duplicate uint64 `json:"duplicate"` // its contributor had brought it already
	Unordered uint64 `json:"unordered"` // its contributor was beyond it
	Conflict  uint64 `json:"conflict"`  // another kind of datagram than others brought under this pulse ID
	Malformed uint64 `json:"malformed"`

	RefusedBatches  uint64 `json:"refused_batches"`  // garbage, another partition, another schema
	StaleBatches    uint64 `json:"stale_batches"`    // of an earlier generation
	RepeatedBatches uint64 `json:"repeated_batches"` // that were received before
	LostBatches     uint64 `json:"lost_batches"`     // that were never received
	Joined          uint64 `json:"joined"`           // contributors, each time
	Gone            uint64 `json:"gone"`

	Events      uint64 `json:"events"` // built
	Transitions uint64 `json:"transitions"`
	Complete    uint64 `json:"complete"`
	TimedOut    uint64 `json:"timed_out"` // somebody was waited for in vain
	Absent      uint64 `json:"absent"`    // somebody is gone
	Skipped     uint64 `json:"skipped"`   // somebody had nothing for it, and was beyond it
	Opened      uint64 `json:"opened"`
	InWindow    uint64 `json:"in_window"`

	InDecision uint64   `json:"in_decision"`
	Decided    uint64   `json:"decided"` // transitions too
	Kept       uint64   `json:"kept"`    // events
	Prescaled  uint64   `json:"prescaled"`
	Defaulted  uint64   `json:"defaulted"` // nobody decided in time
	Reasons    []uint64 `json:"reasons"`   // decided, by reason
}

// Built is events and transitions.
func (b *Books) Built() uint64 { return b.Events + b.Transitions }

// Check tells what does not balance.
func (b *Books) Check() error {
	reasons := uint64(0)
	for _, n := range b.Reasons {
		reasons += n
	}
	rows := b.Accepted + b.Late + b.Duplicate + b.Unordered + b.Conflict + b.Malformed
	ends := b.Complete + b.TimedOut + b.Absent + b.Skipped
	switch {
	case b.Received != rows:
		return fmt.Errorf("teb: %d rows were received, and %d became something", b.Received, rows)
	case b.Built() != ends:
		return fmt.Errorf("teb: %d events and transitions were built, in %d ways", b.Built(), ends)
	case b.Opened != b.Built()+b.InWindow:
		return fmt.Errorf("teb: %d were opened, %d built, and %d are in the window", b.Opened, b.Built(), b.InWindow)
	case b.Built() != b.Decided+b.InDecision:
		return fmt.Errorf("teb: %d were built, %d decided, and %d are under way", b.Built(), b.Decided, b.InDecision)
	case b.Decided != reasons:
		return fmt.Errorf("teb: %d were decided, for %d reasons", b.Decided, reasons)
	case b.Defaulted != b.Reasons[ReasonDefault]:
		return fmt.Errorf("teb: %d got the default, %d for that reason", b.Defaulted, b.Reasons[ReasonDefault])
	}
	return nil
}

// Contributed is what one contributor brought.
type Contributed struct {
	Name    string
	Present bool   // it is there, and waited for
	Rows    uint64 // received
	Late    uint64 // of these: the event was given away before
	Missing uint64 // events and transitions that were built without it, and that it should have contributed to
}

// Contributors tells what each brought, in the order of the configuration.
func (t *TEB) Contributors() []Contributed {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]Contributed, len(t.b.contributors))
	for k := range t.b.contributors {
		c := &t.b.contributors[k]
		all[k] = Contributed{Name: c.schema.name, Present: c.joined && t.b.waited>>k&1 != 0, Rows: c.came, Late: c.late, Missing: c.missed}
	}
	return all
}

package xtc

import "strconv"

// A TransitionID is the "service" of a datagram: what the DAQ does at that moment. A begin is even and its end is one
// higher.
type TransitionID uint8

const (
	ClearReadout TransitionID = iota
	Reset
	Configure
	Unconfigure
	BeginRun
	EndRun
	BeginStep
	EndStep
	Enable
	Disable
	SlowUpdate
	L1AcceptEndOfBatch // not sent by today's DAQ; readers treat it as an event
	L1Accept
)

// NumTransitions is the count of transition ids; ids from there on are not valid.
const NumTransitions = 13

// IsEvent tells whether the datagram carries an event rather than a change of state.
func (t TransitionID) IsEvent() bool { return t == L1Accept || t == L1AcceptEndOfBatch }

// String gives the name the DAQ uses.
func (t TransitionID) String() string {
	names := [NumTransitions]string{"ClearReadout", "Reset", "Configure", "Unconfigure", "BeginRun", "EndRun",
		"BeginStep", "EndStep", "Enable", "Disable", "SlowUpdate", "L1Accept_EndOfBatch", "L1Accept"}
	if int(t) < len(names) {
		return names[t]
	}
	return "TransitionID(" + strconv.Itoa(int(t)) + ")"
}

package teb

import (
	"fmt"
	"iter"

	"drp/xtc"
)

// Decision is what becomes of one event, or that a transition was built.
type Decision struct {
	Pulse         uint64
	Time          uint64
	Contributions uint64 // one bit for each contributor that brought something
	Monitor       uint32 // one bit for each destination
	Groups        uint16
	Damage        xtc.Damage
	Reason        uint16 // its text is in the table of reasons
	Service       xtc.TransitionID
	Persist       bool   // it is to be recorded
	Prescaled     bool   // it is to be recorded with its raw data, whatever it is
	Default       bool   // nobody decided in time
	Generation    uint32 // of the parameters of whoever decides, that held; 0 without any
	// Settings are these parameters, where they are known. They are no part of a batch.
	Settings *Settings
}

// Key is the place of a decision among others.
func (d *Decision) Key() Key { return keyOf(d.Pulse, d.Time, d.Service) }

// Kept tells whether the event is recorded.
func (d *Decision) Kept() bool { return d.Persist || d.Prescaled }

// The reasons that are there without any logic; those of the logic follow.
const (
	ReasonRejected   uint16 = iota // the logic did not want it
	ReasonPrescale                 // only the prescaler wanted it
	ReasonDefault                  // the logic did not answer in time
	ReasonFailed                   // the logic failed at this event
	ReasonTransition               // it is no event
	ReasonLogic                    // the first of the logic's own
)

var builtinReasons = [ReasonLogic]string{"rejected", "prescale", "default", "failed", "transition"}

// maxReasons bounds the table.
const maxReasons = 1024

// A decision as a row of a batch:
//
//	0       8      16              24        28       30       32       34        35      36         40
//	| pulse | time | contributions | monitor | groups | damage | reason | service | flags | settings |
const decisionBytes = 40

// Flags are in the order of decision's append.
const (
	flagPersist = 1 << iota
	flagPrescaled
	flagDefault
	flagsKnown = flagPersist | flagPrescaled | flagDefault
)

// AppendDecisions writes a batch of decisions behind b. Of the head, partition, generation, schema (the hash of what was
// configured) and sequence are the caller's.
func AppendDecisions(b []byte, head BatchHead, all []Decision) ([]byte, error) {
	if len(all) > MaxBatchRows {
		return b, fmt.Errorf("teb: %d decisions in a batch: at most %d are possible", len(all), MaxBatchRows)
	}
	head.kind, head.rowBytes, head.count = decisions, decisionBytes, uint32(len(all))
	var place [batchHeadBytes]byte
	putBatchHead(place[:], head)
	b = append(b, place[:]...)
	for i := range all {
		b = all[i].append(b)
	}
	return b, nil
}

func (d *Decision) append(b []byte) []byte {
	var r [decisionBytes]byte
	le.PutUint64(r[:], d.Pulse)
	le.PutUint64(r[8:], d.Time)
	le.PutUint64(r[16:], d.Contributions)
	le.PutUint32(r[24:], d.Monitor)
	le.PutUint16(r[28:], d.Groups)
	le.PutUint16(r[30:], uint16(d.Damage))
	le.PutUint16(r[32:], d.Reason)
	r[34] = byte(d.Service)
	for flag, set := range [...]bool{d.Persist, d.Prescaled, d.Default} {
		if set {
			r[35] |= 1 << flag
		}
	}
	le.PutUint32(r[36:], d.Generation)
	return append(b, r[:]...)
}

// ParseDecisions checks a batch of decisions, all of it, and gives them one by one.
func ParseDecisions(b []byte) (BatchHead, iter.Seq[Decision], error) {
	h, rows, err := batchOf(b, decisions)
	if err != nil {
		return h, nil, err
	}
	if h.rowBytes != decisionBytes {
		return h, nil, formatErrorf("decisions have %d bytes each, and not %d", decisionBytes, h.rowBytes)
	}
	for at := 0; at < len(rows); at += decisionBytes {
		if r := rows[at:]; r[35]&^flagsKnown != 0 || r[34] >= xtc.NumTransitions {
			return h, nil, formatErrorf("decision %d has bits that are not known", at/decisionBytes)
		}
	}
	return h, func(yield func(Decision) bool) {
		for at := 0; at < len(rows) && yield(decisionOf(rows[at:])); at += decisionBytes {
		}
	}, nil
}

func decisionOf(r []byte) Decision {
	return Decision{Pulse: le.Uint64(r), Time: le.Uint64(r[8:]), Contributions: le.Uint64(r[16:]), Monitor: le.Uint32(r[24:]),
		Groups: le.Uint16(r[28:]), Damage: xtc.Damage(le.Uint16(r[30:])), Reason: le.Uint16(r[32:]),
		Service: xtc.TransitionID(r[34]), Persist: r[35]&flagPersist != 0, Prescaled: r[35]&flagPrescaled != 0,
		Default: r[35]&flagDefault != 0, Generation: le.Uint32(r[36:])}
}

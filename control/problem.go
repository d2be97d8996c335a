package control

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind is what sort of problem keeps something from being done.
type Kind string

// The kinds, as they travel.
const (
	Wrong    Kind = "wrong"    // it makes no sense
	Denied   Kind = "denied"   // the token is not right
	Unknown  Kind = "unknown"  // there is no such thing
	Conflict Kind = "conflict" // not now
	Gone     Kind = "gone"     // the process has no place here any more
	Failed   Kind = "failed"   // processes did not do what was ordered
	Lost     Kind = "lost"     // all has ended, and data was lost
	Ended    Kind = "ended"    // all has ended, but a process with an error
)

// Problem is an error of run control, which says who is the cause.
type Problem struct {
	Kind    Kind              `json:"kind"`
	Message string            `json:"error"`
	Failed  map[string]string `json:"failed,omitempty"` // by process
}

func (p *Problem) Error() string { return p.Message }

// Over tells whether all has ended, though not well.
func (p *Problem) Over() bool { return p.Kind == Lost || p.Kind == Ended }

func refuse(kind Kind, format string, args ...any) *Problem {
	return &Problem{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// failed names those who did not follow.
func failed(what string, who map[string]string) *Problem {
	return &Problem{Kind: Failed, Message: what + ": " + sentence(who), Failed: who}
}

func sentence(who map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(who)) {
		parts = append(parts, name+" "+who[name])
	}
	return strings.Join(parts, "; ")
}

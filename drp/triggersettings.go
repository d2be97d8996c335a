package drp

import (
	"sync/atomic"

	"drp/internal/settings"
	"drp/teb"
)

// triggerStage is who declares the parameters of a trigger script that decides in this process.
const triggerStage = "trigger"

// triggerSettings are its parameters, among those of the run. The dispatcher lets a change hold, and the trigger event builder asks for
// what holds with each batch: a change comes to the trigger between two batches, and each decision says with which generation it
// was made.
type triggerSettings struct {
	declared []settings.Parameter // the collector writes it at Configure, while the dispatcher waits
	now      atomic.Pointer[teb.Settings]
}

// declare takes what a trigger script has declared at a Configure.
func (s *triggerSettings) declare(all []settings.Parameter) {
	s.declared = nil
	s.now.Store(nil)
	for _, p := range all {
		p.Name = triggerStage + "." + p.Name
		s.declared = append(s.declared, p)
	}
}

// tell lets the trigger know what holds.
func (s *triggerSettings) tell(book *settings.Book) {
	if len(s.declared) > 0 {
		generation, values := book.Values(triggerStage)
		s.now.Store(&teb.Settings{Generation: uint32(generation), Values: values})
	}
}

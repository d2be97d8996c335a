package page

import (
	"net/http"
	"time"

	"drp/internal/pace"
)

// newThrift makes the budget of all browsers together: a sixteenth of a core, whatever they ask for. They wait, and the run does not.
// There is none in a replay, where no run goes on.
func newThrift() *pace.Budget {
	return &pace.Budget{Share: 16, Credit: 200 * time.Millisecond, Guess: 500 * time.Microsecond}
}

// thrifty answers requests when it is their turn.
func (p *Page) thrifty(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if p.thrift.Wait(r.Context()) {
			p.thrift.Spend(func() { h(w, r) })
		}
	}
}

package watch

import (
	"net"
	"net/http"
	"time"

	"drp/internal/pace"
)

// thrift is what those who ask at the address get of the processors: of nothing where there is none.
type thrift struct{ pace.Thrift }

func newThrift(t *pace.Thrift) thrift {
	if t == nil {
		return thrift{}
	}
	return thrift{*t}
}

// What it takes to read and to write what is not measured, of a connection, of a request in it, and of one that is refused. It was
// measured as what drp took in all, while somebody did nothing else as fast as he could.
const (
	perConnection = 200 * time.Microsecond
	perRequest    = 200 * time.Microsecond
	perStranger   = 400 * time.Microsecond
)

// perAnswer is guessed of an answer until one was given.
const perAnswer = 300 * time.Microsecond

// met charges a connection to those who want more than that: how many there can be is bounded elsewhere.
func (t *thrift) met(_ net.Conn, state http.ConnState) {
	if state == http.StateNew {
		t.Pictures.Charge(perConnection)
	}
}

// ask waits until a request can be looked at; false when the one who asks has gone. Who steers does not wait.
func (t *thrift) ask(r *http.Request) bool {
	if r.Method == http.MethodPost {
		t.Pictures.Charge(perRequest)
		return true
	}
	return t.Answers.Bear(r.Context(), perRequest)
}

// answers lets those wait who ask at the address.
func (t *thrift) answers(h http.Handler) http.Handler {
	cost := &pace.Cost{Guess: perAnswer}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if Local(r) {
			h.ServeHTTP(w, r)
			return
		}
		t.Answers.Do(r.Context(), cost, func() { h.ServeHTTP(w, r) })
	})
}

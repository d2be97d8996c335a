package watch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"sync/atomic"
	"time"

	"drp/internal/pace"
)

// Rights are what the one who asks may do.
type Rights struct {
	Control bool `json:"control" doc:"whether settings can be changed, too"`
}

// rights go with each request.
type rights struct {
	who     string
	control bool
}

type rightsKey struct{}

func withRights(r *http.Request, given rights) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), rightsKey{}, given))
}

// MayControl tells whether a request comes from who may steer.
func MayControl(r *http.Request) bool {
	given, _ := r.Context().Value(rightsKey{}).(rights)
	return given.control
}

// socketName is who asks by the socket of a run: the same user on the same machine.
const socketName = "socket"

// Local tells whether a request has come by the socket of the run, where nobody waits for others.
func Local(r *http.Request) bool { return Who(r) == socketName }

// Who says where a request comes from, as "page 127.0.0.1": a browser says that it is one. On the socket of a run it is
// "socket", the same user on the same machine.
func Who(r *http.Request) string {
	given, _ := r.Context().Value(rightsKey{}).(rights)
	return given.who
}

// bodyBytes is the longest that can be sent; loggedBytes is what the log shows of it.
const (
	bodyBytes   = 64 << 10
	loggedBytes = 512
)

// steered lets a page be posted to by who may, once all of what is sent is there, and keeps account of it in the log.
func (s *Server) steered(page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			refuse(w, http.StatusUnsupportedMediaType, "send JSON, with Content-Type: application/json")
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyBytes))
		if long := (*http.MaxBytesError)(nil); errors.As(err, &long) {
			refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("this is longer than the %d bytes that are taken", bodyBytes))
			return
		}
		if err != nil {
			refuse(w, http.StatusBadRequest, "not all of it has come")
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		kept := &noted{ResponseWriter: w, code: http.StatusOK}
		page.ServeHTTP(kept, r)
		s.posted.note(s.o.Log, fmt.Sprintf("watch: %s posted %.*q to %s, answered with %d", Who(r), loggedBytes, body, r.URL.Path, kept.code))
	})
}

// postedGap is from one line of the log to the next where somebody posts all the time, as a page does while a slider moves.
const postedGap = time.Second

// postings keeps account in the log of what was posted: of many at once only the first, and then one in a while, with how many
// others there were.
type postings struct {
	lines  pace.Pace
	others atomic.Int64 // since the last line
}

func (p *postings) note(log *slog.Logger, line string) {
	if log == nil {
		return
	}
	if !p.lines.Now() {
		p.others.Add(1)
		return
	}
	if n := p.others.Swap(0); n > 0 {
		line += fmt.Sprintf("; %d others since the line before are not shown", n)
	}
	log.Info(line)
}

// end says what the last line has not.
func (p *postings) end(log *slog.Logger) {
	if n := p.others.Swap(0); n > 0 {
		log.Info(fmt.Sprintf("watch: %d others were posted after that", n))
	}
}

// noted remembers the code of an answer.
type noted struct {
	http.ResponseWriter
	code int
}

// WriteHeader implements http.ResponseWriter.
func (n *noted) WriteHeader(code int) {
	n.code = code
	n.ResponseWriter.WriteHeader(code)
}

// Unwrap serves http.ResponseController.
func (n *noted) Unwrap() http.ResponseWriter { return n.ResponseWriter }

// refuse answers that something was not done, and why.
func refuse(w http.ResponseWriter, code int, why string) {
	replyAs(w, code, Refused{Error: why})
}

// Refused says why something was not done.
type Refused struct {
	Error string `json:"error"`
}

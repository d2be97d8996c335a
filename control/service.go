package control

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"drp/internal/wire"
)

// largestBody is more than any request has, but a report, which says what all parameters of a process are.
const (
	largestBody   = 16 << 10
	largestReport = 256 << 10
)

// service answers by HTTP.
type service struct {
	p     *Partition
	token string
	over  chan<- struct{}
}

// Handler puts a partition behind HTTP. With a token, nothing is answered without it. over is told when the partition was
// shut down.
func Handler(p *Partition, token string, over chan<- struct{}) http.Handler {
	s := &service{p: p, token: token, over: over}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", s.status)
	mux.HandleFunc("GET /v1/state", s.state)
	mux.HandleFunc("POST /v1/state", s.reach)
	mux.HandleFunc("POST /v1/transition", s.transition)
	mux.HandleFunc("POST /v1/shutdown", s.shutdown)
	mux.HandleFunc("POST /v1/processes", s.register)
	mux.HandleFunc("DELETE /v1/processes/{name}", s.drop)
	mux.HandleFunc("GET /v1/processes/{name}/order", s.order)
	mux.HandleFunc("GET /v1/processes/{name}/settings", s.settings)
	mux.HandleFunc("POST /v1/processes/{name}/report", s.report)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		respond(w, nil, refuse(Unknown, "there is no %s %s: docs/control.md has a table", clip(r.Method), clip(r.URL.Path)))
	})
	return s.guard(mux)
}

// NewServer is an http.Server for a Handler, with the deadlines that one on a network needs.
func NewServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: bodyTime, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, asker{}, c) }}
}

// guard lets nobody in without the token, and no page of the web that a browser of this machine shows: one that got itself
// another address has the wrong Host, and one that did not cannot send JSON to here, nor a DELETE.
func (s *service) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		largest := int64(largestBody)
		if strings.HasSuffix(r.URL.Path, "/report") {
			largest = largestReport
		}
		r.Body = http.MaxBytesReader(w, r.Body, largest)
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		switch {
		case s.token != "" && !sameToken(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), s.token):
			respond(w, nil, refuse(Denied, "the token is missing or not that of this partition: set DRP_CONTROL_TOKEN"))
		case s.token == "" && !localHost(r.Host):
			respond(w, nil, refuse(Denied, "the host %q is not this machine, and there is no token", clip(r.Host)))
		case r.Method == http.MethodPost && kind != "application/json":
			respond(w, nil, refuse(Wrong, "the body is to be JSON, and its Content-Type application/json"))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func sameToken(got, want string) bool {
	a, b := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// localHost tells whether a Host is a name of this machine for itself.
func localHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// statusOf is the number of HTTP for a problem.
func statusOf(k Kind) int {
	switch k {
	case Wrong:
		return http.StatusBadRequest
	case Denied:
		return http.StatusUnauthorized
	case Unknown:
		return http.StatusNotFound
	case Conflict:
		return http.StatusConflict
	case Gone:
		return http.StatusGone
	case Lost, Ended:
		return http.StatusInternalServerError
	}
	return http.StatusGatewayTimeout
}

// respond writes the answer, or the problem.
func respond(w http.ResponseWriter, v any, err error) {
	status := http.StatusOK
	if err != nil {
		var p *Problem
		if !errors.As(err, &p) {
			p, status = refuse(Failed, "%v", err), http.StatusInternalServerError
		} else {
			status = statusOf(p.Kind)
		}
		v = p
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // whoever asked may have gone
}

// bodyTime is how long the head of a request may take, and its body.
const bodyTime = 5 * time.Second

// take reads a body. It answers itself when the body makes no sense, or is long in coming. The deadline is for the body alone:
// on the whole request it would be one for the answer, too, and transitions take their time.
func take(w http.ResponseWriter, r *http.Request, v any) bool {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Now().Add(bodyTime)) // which is not possible only where nobody is slow
	text, err := io.ReadAll(r.Body)
	if err == nil {
		_ = c.SetReadDeadline(time.Time{})
		err = strictly(text, v)
	}
	if err != nil {
		respond(w, nil, refuse(Wrong, "the body is not the JSON that is wanted here: %v", wire.JSONTrouble(err)))
	}
	return err == nil
}

// present refuses what somebody wanted who has given up since, as while this process was stopped: nobody expects it any more.
func present(r *http.Request) error {
	if r.Context().Err() != nil || hungUp(r.Context()) {
		return refuse(Conflict, "whoever asked has gone")
	}
	return nil
}

// Wish is what somebody wants of a partition.
type Wish struct {
	Transition string `json:"transition,omitempty"`
	State      *State `json:"state,omitempty"`
	Deadline   string `json:"deadline,omitempty"` // such as 30s; that of each transition unless given
}

const longestDeadline = time.Hour

func (q *Wish) deadline() (time.Duration, error) {
	if q.Deadline == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(q.Deadline)
	if err != nil || d <= 0 || d > longestDeadline {
		return 0, refuse(Wrong, "the deadline %q is not a time up to %v with its unit, such as 30s", clip(q.Deadline), longestDeadline)
	}
	return d, nil
}

func (s *service) status(w http.ResponseWriter, _ *http.Request) { respond(w, s.p.Status(), nil) }

func (s *service) state(w http.ResponseWriter, _ *http.Request) {
	state := s.p.Status().State
	respond(w, Wish{State: &state}, nil)
}

// wish reads what is wanted and does it.
func (s *service) wish(w http.ResponseWriter, r *http.Request, do func(Wish, time.Duration) error) {
	var q Wish
	if !take(w, r, &q) {
		return
	}
	deadline, err := q.deadline()
	if err == nil {
		err = present(r)
	}
	if err == nil {
		err = do(q, deadline)
	}
	respond(w, s.p.Status(), err)
}

func (s *service) transition(w http.ResponseWriter, r *http.Request) {
	s.wish(w, r, func(q Wish, deadline time.Duration) error {
		if q.State != nil {
			return refuse(Wrong, "a state goes to /v1/state")
		}
		return s.p.Do(q.Transition, deadline)
	})
}

func (s *service) reach(w http.ResponseWriter, r *http.Request) {
	s.wish(w, r, func(q Wish, deadline time.Duration) error {
		if q.State == nil || q.Transition != "" {
			return refuse(Wrong, `the state to be reached is missing: {"state": "enabled"}`)
		}
		return s.p.Reach(*q.State, deadline)
	})
}

func (s *service) shutdown(w http.ResponseWriter, r *http.Request) {
	s.wish(w, r, func(_ Wish, deadline time.Duration) error {
		err := s.p.Shutdown(deadline)
		if problem := (*Problem)(nil); errors.As(err, &problem) && problem.Kind == Conflict {
			return err
		}
		select {
		case s.over <- struct{}{}:
		default:
		}
		return err
	})
}

func (s *service) register(w http.ResponseWriter, r *http.Request) {
	var who Process
	if take(w, r, &who) {
		place, err := s.p.Register(who)
		respond(w, place, err)
	}
}

func (s *service) drop(w http.ResponseWriter, r *http.Request) {
	err := present(r)
	if err == nil {
		err = s.p.Drop(r.PathValue("name"))
	}
	respond(w, s.p.Status(), err)
}

func (s *service) order(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	after, err := strconv.ParseUint(q.Get("after"), 10, 64)
	if err != nil {
		respond(w, nil, refuse(Wrong, "after= is to be the number of the last order, from 0"))
		return
	}
	a, err := s.p.Next(r.Context(), r.PathValue("name"), q.Get("session"), after)
	respond(w, a, err)
}

func (s *service) settings(w http.ResponseWriter, r *http.Request) {
	found, err := s.p.Settings(r.PathValue("name"), r.URL.Query().Get("session"))
	respond(w, found, err)
}

func (s *service) report(w http.ResponseWriter, r *http.Request) {
	var report Report
	if take(w, r, &report) {
		respond(w, struct{}{}, s.p.Report(r.PathValue("name"), report))
	}
}

package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"syscall"
	"time"

	"drp/internal/pace"
	"drp/internal/wire"
)

// Options say where a Server listens and what it shows.
type Options struct {
	Address   string // HOST:PORT; empty is nowhere
	Token     string // that those who ask there must know; empty makes one
	Control   string // that those who steer from there must know; empty makes one
	Socket    string // path, in a folder of this process alone; empty is none
	Partition string
	Status    func() Status // may be called at any time until Close
	Log       *slog.Logger
	Root      http.Handler            // what is served where nothing else is; nil is a list of what there is
	Get       map[string]http.Handler // by path: what else can be read
	Post      map[string]http.Handler // by path: what can be changed, by who may steer; the body is there, and is JSON
	Thrift    *pace.Thrift            // of all who look at the address, and not at the socket; nil lets them take what they want
}

// Server answers who asks for the status of a run.
type Server struct {
	o       Options
	thrift  thrift
	url     string
	control string // the same address for who steers
	servers []*http.Server
	running sync.WaitGroup
	posted  postings

	mu     sync.Mutex // protects all below
	latest Status
	at     time.Time // of latest
	closed bool
}

// What a client may take up.
const (
	connections  = 64
	headerBytes  = 16 << 10
	headerTime   = 5 * time.Second
	answerTime   = 10 * time.Second
	turnTime     = answerTime / 2
	idleTime     = time.Minute
	goodbyeTime  = time.Second
	statusMaxAge = 250 * time.Millisecond
)

// connectionPace is for those who connect and leave as fast as they can: who stays connects once. A browser needs half a dozen. Many at once
// cost no more in the long run, and somebody who connects behind three times as many as there are places for, all of whom ask for
// nothing, does not wait for these.
func connectionPace() *pace.Pace {
	return &pace.Pace{Few: 3 * connections, Gap: 100 * time.Millisecond}
}

// socketPace is for those at the socket: scripts and terminals of the same user, who come anew with each question.
func socketPace() *pace.Pace { return &pace.Pace{Few: 16, Gap: 50 * time.Millisecond} }

// wholePace is for what tells of the whole run. It takes up to a millisecond, and nothing is new before statusMaxAge is over.
func wholePace() *pace.Pace { return &pace.Pace{Few: 4, Gap: statusMaxAge} }

// Listen begins to answer.
func Listen(o Options) (*Server, error) {
	s := &Server{o: o, thrift: newThrift(o.Thrift), posted: postings{lines: pace.Pace{Few: burst, Gap: postedGap}}}
	if o.Address != "" && o.Token != "" && o.Token == o.Control {
		return nil, errors.New("watch: the token for watching and that for steering are the same: give two, since who has the first would steer")
	}
	if o.Address != "" {
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", o.Address)
		if err != nil {
			return nil, fmt.Errorf("watch: %w", cannotListen(o.Address, err))
		}
		if s.o.Token == "" {
			s.o.Token = newToken()
		}
		if s.o.Control == "" {
			s.o.Control = newToken()
		}
		address := l.Addr().String()
		s.url = "http://" + address + "/?token=" + url.QueryEscape(s.o.Token)
		s.control = "http://" + address + "/?token=" + url.QueryEscape(s.o.Control)
		s.serve(l, newGuard(s.o.Token, s.o.Control, address, &s.thrift, s.pages()), s.thrift.met, connectionPace())
		if host, _ := l.Addr().(*net.TCPAddr); host != nil && !host.IP.IsLoopback() && o.Log != nil {
			o.Log.Warn(fmt.Sprintf("watch: other machines can connect to %s, and nothing is encrypted: use it within a network that you "+
				"trust, or 127.0.0.1 and a tunnel", address))
		}
	}
	if o.Socket != "" {
		l, err := wire.ListenPrivate(o.Socket)
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("watch: %w", err)
		}
		calm, pages := knownPace(), s.pages()
		s.serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if foreign(r) { // no browser comes here
				http.Error(w, othersPage, http.StatusForbidden)
				return
			}
			if calm.Wait(r.Context()) {
				pages.ServeHTTP(w, withRights(r, rights{who: socketName, control: true}))
			}
		}), nil, socketPace())
	}
	return s, nil
}

// cannotListen says why nobody can be answered at an address, and what to do.
func cannotListen(address string, err error) error {
	errno, name, outer := syscall.Errno(0), (*net.DNSError)(nil), (*net.OpError)(nil)
	advice := map[syscall.Errno]string{
		syscall.EADDRINUSE:    ": another process listens there; give another port, or 0 for any that is free",
		syscall.EADDRNOTAVAIL: ": this machine has no such address; give one that it has, or 127.0.0.1",
		syscall.EACCES:        ": ports below 1024 are for root; give another one",
	}
	switch {
	case errors.As(err, &errno):
		return fmt.Errorf("%s: %w%s", address, errno, advice[errno])
	case errors.As(err, &name):
		return fmt.Errorf("no machine is known by the name %s", name.Name)
	case errors.As(err, &outer):
		return outer.Err
	}
	return err
}

// URL is the address with the token for watching, empty where there is none.
func (s *Server) URL() string { return s.url }

// ControlURL is the address with the token for steering, empty where there is none.
func (s *Server) ControlURL() string { return s.control }

func (s *Server) serve(l net.Listener, h http.Handler, met func(net.Conn, http.ConnState), let *pace.Pace) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, WriteTimeout: answerTime,
		IdleTimeout: idleTime, MaxHeaderBytes: headerBytes, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	server.ConnState = func(c net.Conn, state http.ConnState) {
		if met != nil {
			met(c, state)
		}
		if k, counted := c.(*counted); counted {
			k.turn(state)
		}
	}
	s.servers = append(s.servers, server)
	s.running.Go(func() { _ = server.Serve(newFewConnections(wire.Paced(l, let), connections)) })
}

// Close lets those who are answered have their answer, for a moment, and ends. It may be called more than once.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTime)
	defer cancel()
	for _, server := range s.servers {
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
	}
	s.running.Wait()
	s.posted.end(s.o.Log)
}

// pages are what there is.
func (s *Server) pages() http.Handler {
	mux, calm := http.NewServeMux(), wholePace()
	handle := func(pattern string, h http.Handler) {
		h = s.thrift.answers(h)
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			at, soon := calm.Soon(turnTime)
			switch {
			case !soon: // before answerTime is over, which would end his connection without a word
				w.Header().Set("Retry-After", strconv.Itoa(int(turnTime.Seconds())))
				refuse(w, http.StatusServiceUnavailable, fmt.Sprintf("so many ask for this that it would take more than %v: ask again later", turnTime))
			case pace.Until(r.Context(), at):
				h.ServeHTTP(w, r)
			}
		})
	}
	handle("GET /metrics", Metrics(s.o.Partition, s.status))
	handle("GET /v1/status", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reply(w, s.status()) }))
	handle("GET /v1/openapi.json", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reply(w, Document()) }))
	mux.HandleFunc("GET /v1/rights", func(w http.ResponseWriter, r *http.Request) { reply(w, Rights{Control: MayControl(r)}) })
	for path, page := range s.o.Get {
		mux.Handle("GET "+path, s.thrift.answers(page))
	}
	for path, page := range s.o.Post {
		mux.Handle("POST "+path, s.steered(page))
		if s.o.Get[path] == nil {
			mux.HandleFunc("GET "+path, onlyPosted)
		}
	}
	if s.o.Root != nil {
		mux.Handle("GET /", s.o.Root)
	} else {
		mux.Handle("GET /{$}", s.thrift.answers(http.HandlerFunc(index)))
	}
	return mux
}

// onlyPosted answers who reads what can only be posted to.
func onlyPosted(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Allow", http.MethodPost)
	refuse(w, http.StatusMethodNotAllowed, "this can only be posted to")
}

const indexPage = `<!doctype html>
<title>drp</title>
<ul>
<li><a href="v1/status">v1/status</a>: the run as JSON, as <a href="v1/openapi.json">v1/openapi.json</a> describes it
<li><a href="metrics">metrics</a> for Prometheus
</ul>
`

func index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(indexPage))
}

func reply(w http.ResponseWriter, v any) { replyAs(w, http.StatusOK, v) }

func replyAs(w http.ResponseWriter, code int, v any) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(text, '\n'))
}

// status asks the run, or gives what it said a moment ago.
func (s *Server) status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed && time.Since(s.at) > statusMaxAge {
		s.latest, s.at = s.o.Status(), time.Now()
	}
	return s.latest
}

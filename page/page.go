package page

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"drp/calib"
	"drp/drp"
	"drp/internal/pace"
	"drp/watch"
)

// Options say what a Page shows.
type Options struct {
	Monitor  string              // name of the run that is watched
	Status   func() watch.Status // of the run; may be called at any time until Close
	Watched  func(error)         // told when a run begins to be watched, and why it is not any more, io.EOF at its end; nil is nobody
	Settings func() uint64       // generation of the settings; nil where there are none
	Files    fs.FS               // of the page itself; nil is none
	Store    calib.Store         // of constants, where the run tells of none; nil is none
	Journal  *Journal            // of the log; nil is none
	Rings    drp.Rings           // that go before what events say
	Player   *Player             // of a replay; nil in a run that goes on
	Thrift   *pace.Thrift        // of all who look; nil lets them take what they want
	Log      *slog.Logger
	Patience time.Duration // with who takes no frame; 0 is ten seconds
}

// Page is a handler of all that a browser asks for. Close ends it.
type Page struct {
	o      Options
	mux    *http.ServeMux
	thrift pace.Thrift // of nothing where there is none
	costs  *costs
	stop   context.CancelFunc
	ctx    context.Context //nolint:containedctx // ends with Close
	runs   sync.WaitGroup

	mu      sync.Mutex // protects all below, and all of the feeds but what is theirs alone
	all     *feed
	hits    *feed // nil until somebody wants hits only
	kept    kept
	painter painter
	spares  []*picture
	streams map[*stream]bool
	history history
	left    time.Time // when the last browser went; zero while one looks, and once its memory was given back

	statusMu sync.Mutex // protects status
	status   struct {
		watch.Status
		at time.Time
	}
}

// Limits.
const (
	mostStreams   = 16
	mostKept      = 64
	mostKeptBytes = 256 << 20
	restingBytes  = 32 << 20 // of what is kept while nobody looks
	usualPatience = 10 * time.Second
	statusMaxAge  = 400 * time.Millisecond
)

// New begins to watch. The run need not be there yet.
func New(o Options) *Page {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Journal == nil {
		o.Journal = &Journal{}
	}
	if o.Patience == 0 {
		o.Patience = usualPatience
	}
	p := &Page{o: o, streams: map[*stream]bool{}, costs: newCosts(), kept: kept{most: mostKept, mostBytes: restingBytes}}
	p.ctx, p.stop = context.WithCancel(context.Background())
	if o.Thrift != nil {
		p.thrift = *o.Thrift
	}
	p.mux = p.routes()
	p.all = p.newFeed(false)
	p.runs.Go(func() { p.all.run(p.ctx) })
	p.runs.Go(func() { p.sample(p.ctx) })
	return p
}

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

func (p *Page) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/page/stream", p.serveStream)
	mux.HandleFunc("GET /v1/page/event", thrifty(p.thrift.Pictures, ofPicture, p.serveEvent))
	mux.HandleFunc("GET /v1/page/events", thrifty(p.thrift.Answers, ofWords, p.serveEvents))
	mux.HandleFunc("GET /v1/page/history", thrifty(p.thrift.Pictures, ofPicture, p.serveHistory))
	mux.HandleFunc("GET /v1/page/pixel", thrifty(p.thrift.Answers, ofWords, p.servePixel))
	mux.HandleFunc("GET /v1/page/mask", thrifty(p.thrift.Pictures, ofPicture, p.serveMask))
	mux.HandleFunc("GET /v1/replay", p.serveReplay)
	if p.o.Files != nil {
		files := http.FileServerFS(p.o.Files)
		mux.HandleFunc("GET /", thrifty(p.thrift.Answers, ofWords, files.ServeHTTP))
	}
	return mux
}

// Close ends all streams, with a word for those who read them.
func (p *Page) Close() {
	if p == nil {
		return
	}
	p.stop()
	p.runs.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept.close()
}

// present asks for the status, or gives what was said a moment ago.
func (p *Page) present() watch.Status {
	p.statusMu.Lock()
	defer p.statusMu.Unlock()
	if time.Since(p.status.at) > statusMaxAge {
		p.status.Status, p.status.at = p.o.Status(), time.Now()
	}
	return p.status.Status
}

// wanted makes sure that there is a feed of hits when somebody wants one.
func (p *Page) wanted(hits bool) *feed {
	if !hits {
		return p.all
	}
	if p.hits == nil {
		p.hits = p.newFeed(true)
		f := p.hits
		p.runs.Go(func() {
			f.run(p.ctx)
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.hits == f {
				p.hits = nil
			}
		})
	}
	return p.hits
}

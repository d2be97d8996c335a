package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"

	"drp/drp"
	"drp/hit/cuda"
	"drp/internal/pace"
	"drp/internal/rundir"
	"drp/page"
	"drp/watch"
)

// watchFlags say who may look at a run beside this user.
type watchFlags struct {
	http        string
	tokenFile   string
	controlFile string
	aim         aimFlags
	shown       page.Options // what the page shows, where there is one
	recorded    string       // folder in which the status is recorded, empty for none
	elsewhere   bool         // it is a run of another process: not to be found as one, and not to be steered here
}

func (f *watchFlags) add(fl *pflag.FlagSet) {
	f.addWatching(fl)
	fl.StringVar(&f.controlFile, "http-control-file", "", "`file` with the token of those who may also change settings by --http (default: as above)")
}

// addWatching adds the flags of what shows a run, and has nothing to steer.
func (f *watchFlags) addWatching(fl *pflag.FlagSet) {
	fl.StringVar(&f.http, "http", "", "show the run at `HOST:PORT`, as 127.0.0.1:8080, to who has the token that is printed (docs/metrics.md)")
	fl.StringVar(&f.tokenFile, "http-token-file", "", "`file` with the token for --http (default: another one in each run)")
}

// onlookers are those who look at a run.
type onlookers struct {
	partition string
	http      bool
	server    *watch.Server
	flags     *watchFlags
	log       *slog.Logger
	page      *page.Page   // nil without an address
	record    *page.Record // nil where nothing is recorded
	folder    string
	bridge    *bridge                 // nil without
	gpu       *cuda.GPU               // nil without
	run       atomic.Pointer[drp.Run] // nil until it has begun
	shown     chan struct{}           // closed from then on
}

// open lets others look. What it needs is there before the run begins; without a socket of its own a run goes on.
func (f *watchFlags) open(partition string, log *slog.Logger) (*onlookers, error) {
	if f.shown.Player != nil || f.elsewhere { // a run has them as settings, which its events tell
		rings, err := f.aim.complete(f.http != "")
		if err != nil {
			return nil, err
		}
		f.shown.Rings = rings
	}
	o := &onlookers{partition: partition, http: f.http != "", flags: f, log: log, shown: make(chan struct{})}
	options, err := f.options(log)
	if err != nil {
		return nil, err
	}
	options.Partition, options.Status = partition, o.status
	if !f.elsewhere {
		options.Get, options.Post = o.pages()
		o.folder, options.Socket = statusSocket(log)
	}
	if f.shown.Player == nil { // in a replay there is no run to be disturbed
		options.Thrift = pace.OfProcessors()
	}
	o.openPage(&options)
	if o.server, err = watch.Listen(options); err != nil {
		o.page.Close()
		o.removeFolder()
		return nil, &drp.Failure{Kind: drp.Configuration, Err: fmt.Errorf("--http: %w", err)}
	}
	announce("the run", o.server, log, !f.elsewhere)
	return o, nil
}

// options are where a server listens, and to whom it answers there.
func (f *watchFlags) options(log *slog.Logger) (options watch.Options, err error) {
	options = watch.Options{Address: f.http, Log: log}
	if f.http != "" {
		if _, _, err = net.SplitHostPort(f.http); err != nil {
			return options, fmt.Errorf("--http %q: give HOST:PORT, as 127.0.0.1:8080", f.http)
		}
	}
	if f.http == "" && (f.tokenFile != "" || f.controlFile != "") {
		return options, errors.New("--http-token-file and --http-control-file are for --http: give --http HOST:PORT, too")
	}
	if f.tokenFile != "" {
		if options.Token, err = readToken("--http-token-file", f.tokenFile); err != nil {
			return options, &drp.Failure{Kind: drp.Configuration, Err: err}
		}
	}
	if f.controlFile != "" {
		if options.Control, err = readToken("--http-control-file", f.controlFile); err != nil {
			return options, &drp.Failure{Kind: drp.Configuration, Err: err}
		}
	}
	return options, nil
}

// announce says at which addresses something can be looked at, if at any, and steered, where there is something to steer.
func announce(what string, s *watch.Server, log *slog.Logger, steered bool) {
	url := s.URL()
	if url == "" {
		return
	}
	log.Info(what + " can be watched at " + url)
	if steered {
		log.Info(what + " can be steered at " + s.ControlURL())
	}
	if line := tunnelTo(url); line != "" {
		log.Info(line)
	}
}

// statusSocket is where this process can be asked for its status; empty where it cannot.
func statusSocket(log *slog.Logger) (folder, path string) {
	rundir.RemoveDead()
	folder, err := rundir.Create()
	if err == nil {
		path = filepath.Join(folder, rundir.Status)
		if len(path) > rundir.LongestSocket {
			err = fmt.Errorf("%s is longer than the %d bytes that a socket may have: set XDG_RUNTIME_DIR to a shorter folder",
				path, rundir.LongestSocket)
		}
	}
	if err != nil {
		log.Warn(fmt.Sprintf("drp status and drp top will not find this run: %v", err))
		return folder, ""
	}
	return folder, path
}

// show lets them see a run, and its GPU.
func (o *onlookers) show(r *drp.Run, gpu *cuda.GPU) {
	o.gpu = gpu
	if o.http {
		r.Watch()
	}
	o.run.Store(r)
	close(o.shown)
	o.openRecord(r)
}

// pages are what else is served than the status.
func (o *onlookers) pages() (get, post map[string]http.Handler) {
	get, post = watch.SettingsPages(o.steered)
	path, reload := watch.PageOfReload(o.reload)
	post[path] = reload
	return get, post
}

// steered is the run, nil until it has begun; or a replay.
func (o *onlookers) steered() watch.Steered {
	if p := o.flags.shown.Player; p != nil {
		return p
	}
	if r := o.run.Load(); r != nil {
		return r
	}
	return nil
}

// awaitSettings returns when the scripts of the run have said what can be set, which it calls early where they have not; false
// is that it is over before.
func (o *onlookers) awaitSettings(over <-chan struct{}, early func()) bool {
	said := false
	for _, c := range []func() <-chan struct{}{func() <-chan struct{} { return o.shown },
		func() <-chan struct{} { return o.run.Load().SettingsDeclared() }} {
		select {
		case <-c():
			continue
		default:
		}
		if !said {
			early()
			said = true
		}
		select {
		case <-c():
		case <-over:
			return false
		}
	}
	return true
}

func (o *onlookers) status() watch.Status {
	s := watch.Status{State: "starting", PID: os.Getpid(), Time: time.Now(), Stages: []watch.Stage{}, Bounds: watch.Bounds(),
		Workers: []watch.Worker{}, Consumers: []watch.Consumer{}, Failures: []string{}}
	switch r := o.run.Load(); {
	case o.flags.shown.Status != nil:
		return o.flags.shown.Status()
	case r != nil:
		s = r.Status()
		s.GPU = gpuStatus(o.gpu)
	default:
		s.Host, _ = os.Hostname()
	}
	s.Version, s.Partition = version, o.partition
	return s
}

// Close ends it.
func (o *onlookers) Close() {
	o.record.Close()
	o.page.Close()
	o.bridge.close()
	o.server.Close()
	o.removeFolder()
}

func (o *onlookers) removeFolder() { removeFolder(o.folder) }

func removeFolder(folder string) {
	if folder != "" {
		_ = os.Remove(folder) // unless others of this process have sockets in it
	}
}

// errNoRun says that there is nothing to look at.
var errNoRun = errors.New("no run of this user is going on on this machine; that of another machine is at the address that drp --http prints")

func gpuStatus(g *cuda.GPU) *watch.GPU {
	if g == nil {
		return nil
	}
	b := g.Books()
	s := &watch.GPU{Name: g.Name(), Frames: b.GPU, Batches: b.Batches, Busy: b.Busy.Seconds(), Staged: b.Staged, Overflow: b.Overflow,
		Other: b.Other, Checked: b.Checked}
	if err := g.Lost(); err != nil {
		s.Lost = err.Error()
	}
	return s
}

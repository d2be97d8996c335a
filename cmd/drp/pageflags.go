package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"drp/drp"
	"drp/page"
	"drp/watch"
	"drp/web"
)

// journal lets the page, and the record of the run, have the log, too.
func (f *watchFlags) journal(log *slog.Logger) *slog.Logger {
	f.shown.Journal = &page.Journal{}
	return slog.New(f.shown.Journal.Handler(log.Handler()))
}

// watchable gives a run that is shown on a page a name to be watched by, where it has none, and notes where its status is
// recorded.
func (f *watchFlags) watchable(cfg *drp.Config) {
	if cfg.Monitor == nil && f.http != "" {
		cfg.Monitor = &drp.Monitor{Name: fmt.Sprintf("run/%d", os.Getpid())}
	}
	if cfg.Monitor != nil {
		f.shown.Monitor = cfg.Monitor.Name
	}
	f.recorded = cfg.OutputDir
}

// openPage begins to serve the page, where there is an address for it.
func (o *onlookers) openPage(options *watch.Options) {
	if !o.http {
		return
	}
	shown := o.flags.shown
	shown.Status, shown.Files, shown.Log = options.Status, web.Files(), options.Log
	shown.Settings = func() uint64 {
		if shown.Player != nil {
			return shown.Player.SettingsGeneration()
		}
		if r := o.run.Load(); r != nil {
			return uint64(r.SettingsGeneration())
		}
		return 0
	}
	o.page = page.New(shown)
	options.Root = o.page
	if options.Post == nil {
		options.Get, options.Post = map[string]http.Handler{}, map[string]http.Handler{}
	}
	options.Get["/v1/replay"], options.Post["/v1/replay"] = o.page, o.page.Orders()
}

// openRecord begins to record the status of a run beside its files, where there are any.
func (o *onlookers) openRecord(r *drp.Run) {
	if o.flags.recorded != "" {
		o.record = page.NewRecord(page.RecordOptions{Dir: o.flags.recorded, Stream: r.Stream(), Status: o.status,
			Journal: o.flags.shown.Journal, Log: o.log, Changes: r.SettingsSince, Declared: r.Settings})
	}
}

// serve shows the page of a run of another process, until it is interrupted.
func (f *watchFlags) serve(ctx context.Context, name string) error {
	log := f.journal(newScreen(os.Stderr, false).logger())
	run := &elsewhere{}
	f.shown.Monitor, f.shown.Status, f.noSocket = name, run.status, true
	looking, err := f.open("", log)
	if err != nil {
		return err
	}
	defer looking.Close()
	<-ctx.Done()
	return nil
}

// elsewhere is the status of a run of another process: of the one that this process watches.
type elsewhere struct {
	mu     sync.Mutex // protects all below
	latest watch.Status
	asked  time.Time
}

func (e *elsewhere) status() watch.Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	const often = 500 * time.Millisecond
	if time.Since(e.asked) < often {
		return e.latest
	}
	ctx, cancel := context.WithTimeout(context.Background(), often)
	defer cancel()
	e.latest = (&onlookers{flags: &watchFlags{}}).status()
	all, _ := (&lookFlags{}).find(ctx, nil) // none is as if it had not begun
	for _, s := range all {
		s.client.Close()
		if slices.ContainsFunc(s.status.Consumers, func(c watch.Consumer) bool { return c.PID == os.Getpid() }) {
			e.latest = *s.status
		}
	}
	e.asked = time.Now()
	return e.latest
}

// tunnelTo says how to reach an address of this machine alone from another one; nothing where all can reach it.
func tunnelTo(address string) string {
	u, err := url.Parse(address)
	own, unknown := os.Hostname()
	if err != nil || unknown != nil || u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback() {
		return ""
	}
	return fmt.Sprintf("from another machine: ssh -L %s:%s %s, and the same address there", u.Port(), u.Host, own)
}

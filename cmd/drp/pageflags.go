package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"

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
func (f *watchFlags) watchable(cfg *drp.Config) (err error) {
	if cfg.Monitor == nil && f.http != "" {
		cfg.Monitor = &drp.Monitor{Name: fmt.Sprintf("run/%d", os.Getpid())}
	}
	if cfg.Monitor != nil {
		f.shown.Monitor = cfg.Monitor.Name
	}
	f.recorded = cfg.OutputDir
	cfg.Rings, err = f.aim.complete(cfg.Monitor != nil)
	return err
}

// openPage begins to serve the page, where there is an address for it.
func (o *onlookers) openPage(options *watch.Options) {
	if !o.http {
		return
	}
	shown := o.flags.shown
	shown.Status, shown.Files, shown.Log, shown.Thrift = options.Status, web.Files(), options.Log, options.Thrift
	if !o.flags.elsewhere {
		shown.Settings = o.generation
	}
	o.page = page.New(shown)
	options.Root = o.page
	if options.Post == nil {
		options.Get, options.Post = map[string]http.Handler{}, map[string]http.Handler{}
	}
	options.Get["/v1/replay"], options.Post["/v1/replay"] = o.page, o.page.Orders()
}

// generation is that of the settings, 0 before there are any.
func (o *onlookers) generation() uint64 {
	if p := o.flags.shown.Player; p != nil {
		return p.SettingsGeneration()
	}
	if r := o.run.Load(); r != nil {
		return uint64(r.SettingsGeneration())
	}
	return 0
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
	f.shown.Monitor, f.shown.Status, f.shown.Watched, f.elsewhere = name, run.status, run.watched, true
	looking, err := f.open("", log)
	if err != nil {
		return err
	}
	defer looking.Close()
	<-ctx.Done()
	return nil
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

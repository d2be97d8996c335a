package main

import (
	"fmt"
	"log/slog"
	"net/http"
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
		if r := o.run.Load(); r != nil {
			return uint64(r.SettingsGeneration())
		}
		return 0
	}
	o.page = page.New(shown)
	options.Root = o.page
	if options.Post == nil {
		options.Post = map[string]http.Handler{}
	}
	options.Post["/v1/replay"] = o.page.Orders()
}

// openRecord begins to record the status of a run beside its files, where there are any.
func (o *onlookers) openRecord(r *drp.Run) {
	if o.flags.recorded != "" {
		o.record = page.NewRecord(page.RecordOptions{Dir: o.flags.recorded, Stream: r.Stream(), Status: o.status,
			Journal: o.flags.shown.Journal, Log: o.log})
	}
}

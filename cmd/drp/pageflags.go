package main

import (
	"fmt"
	"log/slog"
	"os"

	"drp/drp"
	"drp/page"
	"drp/watch"
	"drp/web"
)

// journal lets the page have the log, too.
func (f *watchFlags) journal(log *slog.Logger) *slog.Logger {
	f.shown.Journal = &page.Journal{}
	return slog.New(f.shown.Journal.Handler(log.Handler()))
}

// watchable gives a run that is shown on a page a name to be watched by, where it has none.
func (f *watchFlags) watchable(m *drp.Monitor) *drp.Monitor {
	if m == nil && f.http != "" {
		m = &drp.Monitor{Name: fmt.Sprintf("run/%d", os.Getpid())}
	}
	if m != nil {
		f.shown.Monitor = m.Name
	}
	return m
}

// openPage begins to serve the page, where there is an address for it.
func (o *onlookers) openPage(f *watchFlags, options *watch.Options) {
	if f.http == "" {
		return
	}
	shown := f.shown
	shown.Status, shown.Files, shown.Log = options.Status, web.Files(), options.Log
	o.page = page.New(shown)
	options.Root = o.page
}

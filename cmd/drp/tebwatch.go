package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"drp/drp"
	"drp/internal/pace"
	"drp/internal/settings"
	"drp/teb"
	tebserve "drp/teb/serve"
	"drp/watch"
)

// tebOnlookers are those who look at a stand-alone trigger event builder.
type tebOnlookers struct {
	b      *builders
	s      *tebserve.Server
	book   *settings.Book
	begun  time.Time
	folder string
	server *watch.Server
}

// look lets them look, at the address of --http and at a socket, as at a run.
func (f *tebFlags) look(b *builders, s *tebserve.Server) (*tebOnlookers, error) {
	o := &tebOnlookers{b: b, s: s, book: &b.settings.book, begun: time.Now()}
	options, err := f.watch.options(b.log)
	if err != nil {
		return nil, err
	}
	options.Partition, options.Status, options.Thrift = f.partition, o.status, pace.OfProcessors()
	options.Get, options.Post = watch.SettingsPages(func() watch.Steered { return o })
	path, reload := watch.PageOfReload(b.reload)
	options.Post[path] = reload
	o.folder, options.Socket = statusSocket(b.log)
	if o.server, err = watch.Listen(options); err != nil {
		removeFolder(o.folder)
		return nil, &drp.Failure{Kind: drp.Configuration, Err: fmt.Errorf("--http: %w", err)}
	}
	announce("the trigger event builder", o.server, b.log, true)
	return o, nil
}

func (o *tebOnlookers) close() {
	o.server.Close()
	removeFolder(o.folder)
}

func (o *tebOnlookers) steered() watch.Steered { return o }

// awaitSettings implements settable.
func (o *tebOnlookers) awaitSettings(over <-chan struct{}, early func()) bool {
	select {
	case <-o.b.settings.declared:
		return true
	default:
		early()
	}
	select {
	case <-o.b.settings.declared:
		return true
	case <-over:
		return false
	}
}

// Settings implements watch.Steered.
func (o *tebOnlookers) Settings() settings.Listing { return o.book.List() }

// Set implements watch.Steered.
func (o *tebOnlookers) Set(values map[string]any, who string) (int64, error) {
	return o.book.Set(values, who)
}

// SetForAll implements watch.Steered.
func (o *tebOnlookers) SetForAll(values map[string]any, who string) (int64, error) {
	return o.book.SetForAll(values, who)
}

// Unheard implements watch.Unheard.
func (o *tebOnlookers) Unheard() string { return o.b.f.control.unheard() }

// Try implements watch.Steered.
func (o *tebOnlookers) Try(values map[string]any) (map[string]string, error) {
	return o.book.Try(values)
}

// status tells all that is known. Counts are of all runs since the start.
func (o *tebOnlookers) status() watch.Status {
	s := watch.Status{Version: version, PID: os.Getpid(), Partition: o.b.f.partition, Source: "drp teb", Script: shortRules(o.b.f.rules), State: "unconfigured",
		Time: time.Now(), Seconds: time.Since(o.begun).Seconds(), Stages: []watch.Stage{}, Bounds: watch.Bounds(), Workers: []watch.Worker{},
		Consumers: []watch.Consumer{}, Failures: []string{}}
	s.Host, _ = os.Hostname()
	l := o.book.List()
	s.Settings = watch.Settings{Parameters: len(l.Settings), Generation: l.Generation, Applied: l.Applied, Refused: l.Refused}
	counts := o.s.Counts()
	s.Builder = &watch.Builder{Rules: o.b.f.rules, Let: counts.Let, Refused: counts.Refused, Unfit: counts.Unfit, Contributors: []watch.Contributor{}}
	for _, name := range o.b.rules.Contributors {
		s.Builder.Contributors = append(s.Builder.Contributors, watch.Contributor{Name: name})
	}
	s.Trigger = &watch.Trigger{Latency: o.b.time.Latency(), Decisions: []watch.Decision{}}
	o.b.mu.Lock()
	all := slices.Clone(o.b.all)
	o.b.mu.Unlock()
	for _, t := range all {
		addBooks(&s, t)
	}
	s.Loaded = o.b.loaded()
	if slices.ContainsFunc(s.Builder.Contributors, func(c watch.Contributor) bool { return c.Present }) {
		s.State = "running"
	}
	return s
}

// shortRules is what decides, without its folder.
func shortRules(rules string) string {
	words, err := splitWords(rules)
	if err != nil || len(words) == 0 {
		return rules
	}
	words[0] = filepath.Base(words[0])
	return strings.Join(words, " ")
}

// addBooks adds what came to one TEB, the latest of which comes last.
func addBooks(s *watch.Status, t *teb.TEB) {
	books, b := t.Books(), s.Builder
	b.Events += books.Events
	b.Transitions += books.Transitions
	b.Kept += books.Kept
	b.Defaulted += books.Defaulted
	b.Complete += books.Complete
	b.TimedOut += books.TimedOut
	b.Absent += books.Absent
	b.Skipped += books.Skipped
	b.InWindow = books.InWindow
	s.Trigger.Waiting = int64(books.InDecision)
	for i, r := range t.Reasons() {
		at := slices.IndexFunc(s.Trigger.Decisions, func(d watch.Decision) bool { return d.Reason == r.Name })
		if at < 0 {
			at = len(s.Trigger.Decisions)
			s.Trigger.Decisions = append(s.Trigger.Decisions, watch.Decision{Reason: r.Name})
		}
		s.Trigger.Decisions[at].Count += books.Reasons[i]
	}
	for _, c := range t.Contributors() {
		at := slices.IndexFunc(b.Contributors, func(own watch.Contributor) bool { return own.Name == c.Name })
		if at < 0 {
			continue // others are not let in
		}
		own := &b.Contributors[at]
		own.Present = c.Present
		own.Rows += c.Rows
		own.Late += c.Late
		own.Missing += c.Missing
	}
}

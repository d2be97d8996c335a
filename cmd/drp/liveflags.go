package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/goccy/go-yaml/ast"
	"github.com/spf13/pflag"

	"drp/drp"
	"drp/watch"
)

// liveFlags say what parameters of scripts and stages are at the start, and who may change them beside those who look.
type liveFlags struct {
	set      setFlag
	liveline string
	flags    *pflag.FlagSet // all that a file may name
	hangups  chan os.Signal // SIGHUP, where there is a file to be read anew
}

// The flag with parameters at the start, and the section of a file with the same.
const (
	setName     = "set"
	settingsKey = "settings"
)

func (f *liveFlags) add(fl *pflag.FlagSet) {
	fl.Var(&f.set, setName, "parameters of scripts and stages at the start, as `NAME=VALUE`; drp set changes them later (docs/settings.md)")
	fl.StringVar(&f.liveline, "liveline", "", "also take such parameters by UDP at `HOST:PORT`, as 127.0.0.1:15001, from whoever sends them there")
}

// setFlag is parameters: those of the command line go before those of the environment, and these before those of the file.
type setFlag struct {
	words       []string
	environment []string
	file        []setting
	path        string
}

// Set implements pflag.Value.
func (s *setFlag) Set(text string) error {
	words, err := splitWords(text)
	s.words = append(s.words, words...)
	if err == nil {
		_, err = assignments(s.words)
	}
	return err
}

// Type implements pflag.Value.
func (*setFlag) Type() string { return "parameters" }

// String implements pflag.Value.
func (s *setFlag) String() string { return strings.Join(s.words, " ") }

func (s *setFlag) below(path string, settings []setting) {
	s.path, s.file = path, settings
	if text, ok := os.LookupEnv(envName(setName)); ok {
		s.environment = []string{text}
	}
}

// values gives all parameters.
func (s *setFlag) values() (map[string]any, error) {
	values := map[string]any{}
	for _, line := range s.file {
		name, value, _ := strings.Cut(line.value, "=")
		values[name] = value
	}
	for _, text := range s.environment {
		words, err := splitWords(text)
		var given map[string]any
		if err == nil {
			given, err = assignments(words)
		}
		if err != nil {
			return nil, &drp.Failure{Kind: drp.Configuration, Err: fmt.Errorf("environment variable %s: %w", envName(setName), err)}
		}
		maps.Copy(values, given)
	}
	for _, w := range s.words {
		name, value, _ := strings.Cut(w, "=")
		values[name] = value
	}
	return values, nil
}

// liveSettings reads the section of a file, a mapping of names to values.
func liveSettings(path string, node ast.Node) (all []setting, err error) {
	var pairs []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.NullNode:
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		return nil, fmt.Errorf("%s:%d: settings: names of parameters with their values are wanted, like \"threshold: 60\"", path,
			node.GetToken().Position.Line)
	}
	seen := map[string]bool{}
	for _, pair := range pairs {
		name, line := pair.Key.GetToken().Value, pair.Key.GetToken().Position.Line
		value, ok := scalarText(pair.Value)
		switch {
		case !ok:
			return nil, fmt.Errorf("%s:%d: settings: %s: a single value is wanted", path, line, name)
		case seen[name] || name == "" || strings.Contains(name, "="):
			return nil, fmt.Errorf("%s:%d: settings: the name %q is there twice, or is none", path, line, name)
		}
		seen[name] = true
		all = append(all, setting{name + "=" + value, line})
	}
	return all, nil
}

// look lets others look at the run and steer it, and clients of the bridge at its events, until leave is called.
func (f *runFlags) look(ctx context.Context, log *slog.Logger) (o *onlookers, leave func(), err error) {
	if o, err = f.watch.open(f.partition, log); err != nil {
		return nil, nil, err
	}
	if o.bridge, err = f.monitor.bridge(log); err != nil {
		o.Close()
		return nil, nil, err
	}
	s, err := f.live.open(o, log)
	if err != nil {
		o.Close()
		return nil, nil, err
	}
	o.reloadOnSignal(ctx)
	return o, func() { s.close(); o.Close() }, nil
}

// steering is those who change settings of a run that goes on, beside onlookers.
type steering struct {
	live    *watch.Live // nil without
	over    chan struct{}
	reading sync.WaitGroup
}

// catch lets no SIGHUP end the program where there is a file to be read anew, until release is called.
func (f *liveFlags) catch() (release func()) {
	f.hangups = make(chan os.Signal, 1)
	if f.set.path != "" {
		signal.Notify(f.hangups, syscall.SIGHUP)
	}
	return func() { signal.Stop(f.hangups) }
}

// endings are the signals that end a run in order. SIGHUP is one where no file is to be read anew, unless it is ignored, as
// under nohup.
func (f *liveFlags) endings() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if f.set.path == "" && !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// settable is what has parameters, once they are declared.
type settable interface {
	steered() watch.Steered
	// awaitSettings returns when they are, which it calls early where they are not yet; false is that it is over before.
	awaitSettings(over <-chan struct{}, early func()) bool
}

// open begins to listen. With a file, SIGHUP lets it be read anew.
func (f *liveFlags) open(o settable, log *slog.Logger) (s *steering, err error) {
	s = &steering{over: make(chan struct{})}
	if f.liveline != "" {
		if s.live, err = watch.ListenLive(f.liveline, o.steered, log); err != nil {
			return nil, &drp.Failure{Kind: drp.Configuration, Err: fmt.Errorf("--liveline: %w", err)}
		}
		log.Info("settings are taken by UDP at " + s.live.Address())
	}
	if path := f.set.path; path != "" {
		at, err := readSettings(f.flags, path)
		if err != nil {
			s.close()
			return nil, &drp.Failure{Kind: drp.Configuration, Err: err}
		}
		a := &reader{flags: f.flags, path: path, latest: at, steered: o.steered, log: log}
		s.reading.Go(func() {
			for {
				select {
				case <-f.hangups:
				case <-s.over:
					return
				}
				if o.awaitSettings(s.over, a.early) {
					a.read()
				}
			}
		})
	}
	return s, nil
}

// close ends it.
func (s *steering) close() {
	close(s.over)
	s.reading.Wait()
	if s.live != nil {
		s.live.Close()
	}
}

// reader reads the file of a run anew.
type reader struct {
	flags   *pflag.FlagSet
	path    string
	latest  map[string][]setting // of what the run has
	steered func() watch.Steered
	log     *slog.Logger
}

// early says that there is nothing yet that could change.
func (a *reader) early() {
	a.log.Info(fmt.Sprintf("SIGHUP: the run has not begun: %s is read anew when its script has declared what can be set", a.path))
}

// read takes the parameters in the file, and says what else has changed there, which a run that goes on cannot take.
func (a *reader) read() {
	now, err := readSettings(a.flags, a.path)
	if err != nil {
		a.log.Error(fmt.Sprintf("SIGHUP: nothing changes: %v", err))
		return
	}
	if others := a.others(now); len(others) > 0 {
		a.log.Warn(fmt.Sprintf("SIGHUP: %s: a run that goes on cannot change %s: that takes a start anew", a.path, strings.Join(others, ", ")))
	}
	values := map[string]any{}
	for _, s := range now[setName] {
		name, value, _ := strings.Cut(s.value, "=")
		values[name] = value
	}
	if len(values) == 0 {
		a.log.Info(fmt.Sprintf("SIGHUP: %s has no settings: nothing changes", a.path))
		return
	}
	generation, err := a.steered().Set(values, "SIGHUP")
	if err != nil {
		a.log.Error(fmt.Sprintf("SIGHUP: %s: no setting changes: %v", a.path, err))
		return
	}
	a.log.Info(fmt.Sprintf("SIGHUP: %s is read anew: generation %d of the settings", a.path, generation))
}

// others names the keys whose values are not those of the run.
func (a *reader) others(now map[string][]setting) (keys []string) {
	for key := range a.latest {
		keys = append(keys, key)
	}
	for key := range now {
		if _, before := a.latest[key]; !before {
			keys = append(keys, key)
		}
	}
	keys = slices.DeleteFunc(keys, func(key string) bool {
		return key == setName || reflect.DeepEqual(texts(a.latest[key]), texts(now[key]))
	})
	slices.Sort(keys)
	return keys
}

func texts(all []setting) (texts []string) {
	for _, s := range all {
		texts = append(texts, s.value)
	}
	return texts
}

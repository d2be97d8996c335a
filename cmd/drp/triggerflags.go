package main

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"drp/drp"
	"drp/internal/wire"
)

// triggerFlags are those of a run about who decides what is recorded.
type triggerFlags struct {
	rules       string
	teb         []string
	contributor string
	deadline    time.Duration
	otherwise   string
	keepAll     bool
	workers     int
}

func (f *triggerFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&f.rules, "trigger", "", "record what the `rules` of this YAML file want, or a trigger script: \"trigger.py ARGS\" (docs/teb.md; default: all that the script leaves)")
	fl.IntVar(&f.workers, "trigger-workers", 1, "processes of the trigger script; with one it may remember earlier events")
	fl.StringSliceVar(&f.teb, "teb", nil, "let stand-alone trigger event builders decide, at `tcp://HOST:PORT` or ipc:///PATH (drp teb); several, with commas, share the events")
	fl.StringVar(&f.contributor, "contributor", "", "name of what this process brings to the trigger (default: the first camera and its first segment, as epix_0)")
	fl.DurationVar(&f.deadline, "trigger-deadline", 0, "longest wait for a decision of the trigger (default 2s, or 5s with --teb)")
	oneOfVar(fl, &f.otherwise, "trigger-default", "then keep the event, or veto it", "keep", "veto")
	fl.BoolVar(&f.keepAll, "trigger-keep-all", false, "record the events that the trigger does not want, too, with its decision: for drp teb replay")
}

// complete gives what a run is to know of its trigger, nil where there is none.
func (f *triggerFlags) complete(partition string) (*drp.Trigger, error) {
	if err := checkWorkers(f.workers); err != nil {
		return nil, err
	}
	t := &drp.Trigger{Partition: partition, Contributor: f.contributor, Deadline: f.deadline, Veto: f.otherwise == "veto",
		KeepAll: f.keepAll}
	if f.contributor != "" {
		if err := checkContributors([]string{f.contributor}); err != nil {
			return nil, fmt.Errorf("--contributor: %w", err)
		}
	}
	switch {
	case f.rules == "" && f.workers != 1:
		return nil, errors.New("--trigger-workers is for a script that --trigger names; with --teb give it to drp teb")
	case f.rules != "" && len(f.teb) > 0:
		return nil, errors.New("--trigger and --teb: one of them decides; give the rules to drp teb -t")
	case f.rules == "" && len(f.teb) == 0:
		if f.contributor != "" || f.deadline != 0 || f.keepAll {
			return nil, errors.New("--contributor, --trigger-deadline and --trigger-keep-all are for --trigger or --teb: give one of these, too")
		}
		return nil, nil
	case len(f.teb) > 0:
		for i, text := range f.teb {
			server, err := parseEndpoint(text)
			if err == nil && slices.Contains(f.teb[:i], text) {
				err = fmt.Errorf("%s is named twice", text)
			}
			if err != nil {
				return nil, fmt.Errorf("--teb: %w", err)
			}
			t.Servers = append(t.Servers, server)
		}
		return t, nil
	}
	rules, err := readRules(f.rules)
	if err == nil {
		t.Script, err = rules.decidingScript(f.workers)
	}
	if err != nil {
		return nil, unfit("--trigger", err)
	}
	t.Rules, t.PrescaleSeed, t.Prescale = rules.Rules, rules.Seed, rules.groups
	return t, nil
}

// parseEndpoint reads an address as ZeroMQ writes it.
func parseEndpoint(text string) (e wire.Endpoint, err error) {
	if path, ok := strings.CutPrefix(text, "ipc://"); ok && filepath.IsAbs(path) {
		return wire.Endpoint{Path: path}, nil
	}
	address, ok := strings.CutPrefix(text, "tcp://")
	if _, _, err := net.SplitHostPort(address); ok && err == nil {
		return wire.Endpoint{Address: address}, nil
	}
	if strings.Contains(text, ",") {
		return e, fmt.Errorf("%q is no endpoint: give the flag once for each", text)
	}
	return e, fmt.Errorf("%q is no endpoint: give tcp://HOST:PORT, or ipc:// and the whole path of a socket", text)
}

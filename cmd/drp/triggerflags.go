package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"

	"drp/drp"
	"drp/internal/wire"
	"drp/teb"
)

// triggerFlags are those of a run about who decides what is recorded.
type triggerFlags struct {
	rules       string
	teb         []string
	contributor string
	deadline    time.Duration
	otherwise   string
	keepAll     bool
}

func (f *triggerFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&f.rules, "trigger", "", "record what the rules of this YAML `file` want (docs/teb.md; default: all that the script leaves)")
	fl.StringSliceVar(&f.teb, "teb", nil, "let stand-alone trigger event builders decide, at `tcp://HOST:PORT` or ipc:///PATH (drp teb); several, with commas, share the events")
	fl.StringVar(&f.contributor, "contributor", "", "name of what this process brings to the trigger (default: the first camera and its first segment, as epix_0)")
	fl.DurationVar(&f.deadline, "trigger-deadline", 0, "longest wait for a decision of the trigger (default 2s, or 5s with --teb)")
	fl.StringVar(&f.otherwise, "trigger-default", "keep", "then keep the event, or veto it")
	fl.BoolVar(&f.keepAll, "trigger-keep-all", false, "record the events that the trigger does not want, too, with its decision: for drp teb replay")
}

// complete gives what a run is to know of its trigger, nil where there is none.
func (f *triggerFlags) complete(partition string) (*drp.Trigger, error) {
	if err := checkOtherwise(f.otherwise); err != nil {
		return nil, err
	}
	t := &drp.Trigger{Partition: partition, Contributor: f.contributor, Deadline: f.deadline, Veto: f.otherwise == "veto",
		KeepAll: f.keepAll}
	switch {
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
	if err != nil {
		return nil, &drp.Failure{Kind: drp.Configuration, Err: fmt.Errorf("--trigger: %w", err)}
	}
	t.Rules, t.PrescaleSeed, t.Prescale = rules.Rules, rules.Seed, rules.groups
	return t, nil
}

func checkOtherwise(choice string) error {
	if choice != "keep" && choice != "veto" {
		return fmt.Errorf("--trigger-default %q: give keep or veto", choice)
	}
	return nil
}

// parseEndpoint reads an address as ZeroMQ writes it.
func parseEndpoint(text string) (e wire.Endpoint, err error) {
	if path, ok := strings.CutPrefix(text, "ipc://"); ok && filepath.IsAbs(path) {
		return wire.Endpoint{Path: path}, nil
	}
	if address, ok := strings.CutPrefix(text, "tcp://"); ok && strings.Contains(address, ":") {
		return wire.Endpoint{Address: address}, nil
	}
	return e, fmt.Errorf("%q is no endpoint: give tcp://HOST:PORT, or ipc:// and the whole path of a socket", text)
}

// ruleFile is the rules of a trigger, as scripts/trigger_expr.yaml has them.
type ruleFile struct {
	Rules        []teb.Rule     `yaml:"rules"`
	Prescale     map[int]uint32 `yaml:"prescale"` // by readout group
	Seed         uint64         `yaml:"prescale_seed"`
	Contributors []string       `yaml:"contributors"` // that a stand-alone one waits for

	groups [16]uint32
}

// logic makes one that goes by the rules.
func (r *ruleFile) logic() ([]teb.Logic, error) { return []teb.Logic{teb.NewExpression(r.Rules)}, nil }

func readRules(path string) (r ruleFile, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&r); err != nil && !errors.Is(err, io.EOF) {
		return r, fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, true))
	}
	if len(r.Rules) == 0 {
		return r, fmt.Errorf("%s: there are no rules in it: rules: is a list of name, when, persist and monitor (docs/teb.md)", path)
	}
	for group, n := range r.Prescale {
		if group < 0 || group >= len(r.groups) {
			return r, fmt.Errorf("%s: prescale: there is no readout group %d: give 0 to %d", path, group, len(r.groups)-1)
		}
		r.groups[group] = n
	}
	return r, nil
}

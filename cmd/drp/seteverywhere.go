package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"drp/drp"
	"drp/internal/settings"
	"drp/watch"
)

// What became of a process of a partition whose parameters were to be changed.
const (
	outcomeSet      = "set"
	outcomeLeft     = "left"       // it declares none of the names
	outcomeSame     = "unchanged"  // nothing was sent, since it or another one refuses
	outcomeRefused  = "refused"    // it says no
	outcomeNoAnswer = "unanswered" // it may have done it or not
)

// changed is a process after that.
type changed struct {
	process
	Outcome    string   `json:"outcome"`
	Generation int64    `json:"generation,omitempty"` // with which the values hold
	Unknown    []string `json:"unknown,omitempty"`    // names that it does not declare
	Warning    string   `json:"warning,omitempty"`    // why the values may be lost
	Error      string   `json:"error,omitempty"`
}

func (r *changed) fails(err error) {
	if r.Outcome, r.Error = outcomeNoAnswer, endOf(err).Error(); refuses(err) {
		r.Outcome = outcomeRefused
	}
}

// setEverywhere changes parameters in all processes of a partition, each those that it declares, or in none: all say first
// whether they would take them.
func setEverywhere(ctx context.Context, all []seen, values map[string]any) ([]changed, error) {
	checks := askEach(all, func(_ int, c *watch.Client) (got watch.Checked, err error) {
		text, err := c.Post(ctx, watch.CheckPath, values)
		if err == nil {
			err = json.Unmarshal(text, &got)
		}
		return got, err
	})
	result := make([]changed, len(all))
	for i := range checks {
		c := &checks[i]
		result[i] = changed{process: c.process(), Outcome: outcomeSame, Unknown: slices.Sorted(maps.Keys(c.got.Unknown))}
		if c.err != nil {
			result[i].fails(c.err)
		}
	}
	if err := refusedBefore(checks, result, values); err != nil {
		return result, err
	}
	sets := askEach(all, func(i int, c *watch.Client) (got watch.Accepted, err error) {
		own := map[string]any{}
		for _, name := range checks[i].got.Known {
			own[name] = values[name]
		}
		if len(own) == 0 {
			return got, nil
		}
		text, err := c.Post(ctx, watch.ForAllPath, own)
		if err == nil {
			err = json.Unmarshal(text, &got)
		}
		return got, err
	})
	for i := range sets {
		r, err := &result[i], sets[i].err
		r.Generation, r.Warning = sets[i].got.Generation, sets[i].got.Warning
		switch {
		case err != nil:
			r.fails(err)
		case len(checks[i].got.Known) > 0:
			r.Outcome = outcomeSet
		default:
			r.Outcome = outcomeLeft
		}
	}
	return result, notEverywhere(result)
}

// refusedBefore says why nothing is changed, if so: somebody refuses, or nobody knows a name.
func refusedBefore(checks []answer[watch.Checked], result []changed, values map[string]any) error {
	var wrong []string
	kind := drp.Configuration
	for i := range checks {
		if err := checks[i].err; err != nil {
			wrong = append(wrong, fmt.Sprintf("%v: %v", result[i].process, endOf(err)))
			if !refuses(err) {
				kind = drp.General
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		wrong = append(wrong, nobodyKnows(name, checks)...)
	}
	if len(wrong) == 0 {
		return nil
	}
	return &drp.Failure{Kind: kind, Err: errors.New("nothing was changed in any process:\n  " + strings.Join(wrong, "\n  "))}
}

// nobodyKnows says why a name is refused that no process has declared, each reason with the processes that it is true of; nothing where
// one has, or may have.
func nobodyKnows(name string, checks []answer[watch.Checked]) (lines []string) {
	var reasons []string
	of := map[string][]string{}
	for i := range checks {
		why, unknown := checks[i].got.Unknown[name]
		if !unknown {
			return nil
		}
		if of[why] == nil {
			reasons = append(reasons, why)
		}
		of[why] = append(of[why], strconv.Itoa(checks[i].status.PID))
	}
	for _, why := range reasons {
		if len(reasons) > 1 {
			why = fmt.Sprintf("process %s: %s", strings.Join(of[why], ", "), why)
		}
		lines = append(lines, why)
	}
	return lines
}

// notEverywhere says which processes have the values and which do not, where these are not all.
func notEverywhere(result []changed) error {
	var have, not []string
	for i := range result {
		switch r := &result[i]; r.Outcome {
		case outcomeSet:
			have = append(have, fmt.Sprintf("%v has the values", r.process))
		case outcomeRefused:
			not = append(not, fmt.Sprintf("%v has not: %s", r.process, r.Error))
		case outcomeNoAnswer:
			not = append(not, fmt.Sprintf("%v did not answer, and may have or not: %s", r.process, r.Error))
		}
	}
	if len(not) == 0 {
		return nil
	}
	return general(errors.New("not all processes have the values now:\n  " + strings.Join(append(have, not...), "\n  ")))
}

// writeChanged says what became of each process.
func writeChanged(to io.Writer, all []changed) {
	for i := range all {
		r := &all[i]
		switch {
		case r.Outcome == outcomeSet && len(all) == 1:
			_, _ = fmt.Fprintf(to, "accepted: generation %d\n", r.Generation)
		case r.Outcome == outcomeLeft:
			_, _ = fmt.Fprintf(to, "%v: left as it is, since it does not declare %s\n", r.process, strings.Join(r.Unknown, ", "))
		case r.Outcome == outcomeSet && len(r.Unknown) > 0:
			_, _ = fmt.Fprintf(to, "%v: generation %d, without %s, which it does not declare\n", r.process, r.Generation, strings.Join(r.Unknown, ", "))
		case r.Outcome == outcomeSet:
			_, _ = fmt.Fprintf(to, "%v: generation %d\n", r.process, r.Generation)
		}
	}
}

// warnings are why the values may be lost, each reason once.
func warnings(all []changed) (texts []string) {
	for i := range all {
		if text := printable(all[i].Warning); text != "" && !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts
}

// ofPartition shows or changes the parameters of all processes of a partition.
func (f *lookFlags) ofPartition(ctx context.Context, values map[string]any, asJSON, history bool) error {
	all, err := f.every(ctx)
	if err != nil {
		return err
	}
	defer closeAll(all)
	if len(values) == 0 {
		return general(showEverywhere(ctx, all, asJSON, history))
	}
	result, err := setEverywhere(ctx, all, values)
	if asJSON {
		return errors.Join(err, printJSON(result))
	}
	writeChanged(&stdout, result)
	for _, text := range warnings(result) {
		warn(text)
	}
	return err
}

// shown is what can be set in a process.
type shown struct {
	process
	settings.Listing
}

func showEverywhere(ctx context.Context, all []seen, asJSON, history bool) error {
	var lists []shown
	for _, a := range askEach(all, func(_ int, c *watch.Client) ([]byte, error) { return c.Get(ctx, watch.SettingsPath) }) {
		one := shown{process: a.process()}
		err := a.err
		if err == nil {
			err = one.Read(a.got)
		}
		if err != nil {
			return fmt.Errorf("%v: %w", one.process, err)
		}
		lists = append(lists, one)
	}
	if asJSON {
		return printJSON(lists)
	}
	writeShown(&stdout, lists, history)
	return nil
}

// writeShown shows what can be set in each process, and what differs between them.
func writeShown(to io.Writer, lists []shown, history bool) {
	for i := range lists {
		if len(lists) > 1 {
			_, _ = fmt.Fprintf(to, "%v:\n", lists[i].process)
		}
		writeSettings(to, &lists[i].Listing, history)
		if own := ownOf(&lists[i].Listing); len(own) > 0 {
			_, _ = fmt.Fprintf(to, "set for this process alone: %s\n", strings.Join(own, ", "))
		}
	}
	for _, line := range differing(lists) {
		_, _ = fmt.Fprintln(to, line)
	}
}

// ownOf are the names of what was set for one process alone.
func ownOf(l *settings.Listing) (names []string) {
	for i := range l.Settings {
		if l.Settings[i].Own {
			names = append(names, l.Settings[i].Name)
		}
	}
	return names
}

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"drp/drp"
	"drp/watch"
)

// reloadOptions say how a reload was asked for.
type reloadOptions struct {
	asked  watch.Reload
	wait   bool
	asJSON bool
}

// What became of a process of a partition whose script was to be taken anew, beside refused, unanswered and unchanged.
const outcomeReloads = "reloads"

// reloaded is a process after that.
type reloaded struct {
	process
	Outcome    string `json:"outcome"`
	Generation uint32 `json:"generation,omitempty"` // of the texts, once --wait has seen it
	Error      string `json:"error,omitempty"`
	*watch.Reloaded
}

func (r *reloaded) fails(err error) {
	if r.Outcome, r.Error = outcomeNoAnswer, endOf(err).Error(); refuses(err) {
		r.Outcome = outcomeRefused
	}
}

// reloadEverywhere lets all processes take their scripts anew, or none: all try them first.
func reloadEverywhere(ctx context.Context, all []seen, o *reloadOptions) ([]reloaded, error) {
	ask := func(asked watch.Reload) []answer[*watch.Reloaded] {
		return askEach(all, func(_ int, c *watch.Client) (*watch.Reloaded, error) { return c.Reload(ctx, asked) })
	}
	result := make([]reloaded, len(all))
	var wrong []string
	kind := drp.Script
	for i, tried := range ask(watch.Reload{Now: o.asked.Now, Ends: o.asked.Ends, Check: true}) {
		result[i] = reloaded{process: tried.process(), Outcome: outcomeSame, Reloaded: tried.got}
		if tried.err != nil {
			result[i].fails(tried.err)
			wrong = append(wrong, fmt.Sprintf("%v: %s", result[i].process, result[i].Error))
			if !refuses(tried.err) {
				kind = drp.General
			}
		}
	}
	if len(wrong) > 0 {
		return result, &drp.Failure{Kind: kind, Err: errors.New("no process takes its script anew:\n  " + strings.Join(wrong, "\n  "))}
	}
	for i, taken := range ask(o.asked) {
		if result[i].Outcome, result[i].Reloaded = outcomeReloads, taken.got; taken.err != nil {
			result[i].fails(taken.err)
		}
	}
	return result, notAllReload(result)
}

// notAllReload says which processes take their scripts anew and which do not, where these are not all.
func notAllReload(result []reloaded) error {
	var do, not []string
	for i := range result {
		switch r := &result[i]; r.Outcome {
		case outcomeReloads:
			do = append(do, fmt.Sprintf("%v takes it", r.process))
		case outcomeRefused:
			not = append(not, fmt.Sprintf("%v does not: %s", r.process, r.Error))
		default:
			not = append(not, fmt.Sprintf("%v did not answer, and may or not: %s", r.process, r.Error))
		}
	}
	if len(not) == 0 {
		return nil
	}
	return general(errors.New("not all processes take their scripts anew:\n  " + strings.Join(append(do, not...), "\n  ")))
}

// reloadPartition is drp reload --partition.
func (f *lookFlags) reloadPartition(ctx context.Context, o *reloadOptions) error {
	all, err := f.every(ctx)
	if err != nil {
		return err
	}
	defer closeAll(all)
	all = slices.DeleteFunc(slices.Clone(all), func(s seen) bool { return s.status.Builder != nil && s.status.Loaded.Generation == 0 })
	if len(all) == 0 {
		return general(errors.New("nothing of the partition has a script that decides or works at present"))
	}
	result, err := reloadEverywhere(ctx, all, o)
	if err == nil && o.wait {
		err = awaitAll(ctx, all, result)
	}
	if o.asJSON {
		return errors.Join(err, printJSON(result))
	}
	for i := range result {
		switch r := &result[i]; {
		case r.Outcome != outcomeReloads:
		case len(result) == 1:
			printLine(reloadedText(r.Reloaded, o.asked))
		default:
			printf("%v: %s\n", r.process, reloadedText(r.Reloaded, o.asked))
		}
	}
	for i := range result {
		if g := result[i].Generation; g > 0 && len(result) == 1 {
			printf("in use, generation %d\n", g)
		} else if g > 0 {
			printf("%v: in use, generation %d\n", result[i].process, g)
		}
	}
	return err
}

// awaitAll returns when all use their scripts; those that do not are the error.
func awaitAll(ctx context.Context, all []seen, result []reloaded) error {
	var errs []error
	for i, a := range askEach(all, func(i int, c *watch.Client) (uint32, error) { return awaitReload(ctx, c, result[i].Reloaded) }) {
		if result[i].Generation = a.got; a.err != nil {
			result[i].Error = a.err.Error()
			errs = append(errs, fmt.Errorf("%v: %w", result[i].process, a.err))
		}
	}
	return errors.Join(errs...)
}

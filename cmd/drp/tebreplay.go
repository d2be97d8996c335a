package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"drp/drp"
	"drp/teb"
	"drp/teb/replay"
	"drp/xtc"
)

// replayFlags are those of a trigger that decides about recorded events.
type replayFlags struct {
	rules     string
	workers   int
	python    string
	decide    time.Duration
	otherwise string
	list      bool
	changed   bool
	asJSON    bool

	out    *bufio.Writer
	listed int
}

const replayLong = `replay lets a trigger decide about the events of a recorded run, and shows what it would have kept beside what was kept. It
takes the files of one process or of all processes of a partition, each with the chunks after it, and of one run or several.

A run records what its trigger kept; with --trigger-keep-all it records all, so that a replay knows what another trigger would
have kept (docs/teb.md).

Exit codes: 0 ok, 1 nothing can be printed, 2 usage, 3 rules that do not fit, 4 a data file, 130 interrupt.`

func newTEBReplayCommand() *cobra.Command {
	f := &replayFlags{}
	cmd := &cobra.Command{
		Use:   `replay -t RULES.yaml|"TRIGGER.py ARGS" FILE…`,
		Short: "Show what a trigger would have kept of a recorded run",
		Long:  replayLong,
		Example: `  drp -p "myroi.py 100 120" --trigger rules.yaml --trigger-keep-all -o out
  drp teb replay -t others.yaml out/exp-r0005-s000-c000.xtc2
  drp teb replay -t "trigger.py 100" --trigger-workers 2 out/exp-r0005-s000-c000.xtc2
  drp teb replay -t others.yaml -v --changed out0/*.xtc2 out1/*.xtc2`,
		Args: someFiles("recorded files", "drp teb replay -t rules.yaml out/exp-r0005-s000-c000.xtc2"),
		RunE: func(cmd *cobra.Command, paths []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return f.run(ctx, paths)
		},
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVarP(&f.rules, "trigger", "t", "", "YAML file of `rules`, as scripts/trigger_expr.yaml, or a trigger script: \"trigger.py ARGS\"")
	fl.IntVar(&f.workers, "trigger-workers", 1, "processes of the trigger script; with one it may remember earlier events")
	fl.StringVar(&f.python, "python", "", "Python interpreter (default: that of the active or neighbouring .venv, or python3)")
	fl.BoolVarP(&f.list, "verbose", "v", false, "list each event, with a * where it is decided otherwise than in the run")
	fl.BoolVar(&f.changed, "changed", false, "with -v, list only those")
	fl.BoolVar(&f.asJSON, "json", false, "print JSON; with -v, a line for each event and then one for all")
	fl.DurationVar(&f.decide, "trigger-deadline", time.Minute, "longest wait for the rules, or the script")
	oneOfVar(fl, &f.otherwise, "trigger-default", "then keep the event, or veto it", "keep", "veto")
	return cmd
}

// complete says who decides.
func (f *replayFlags) complete(log *slog.Logger) (o replay.Options, err error) {
	switch {
	case f.rules == "":
		return o, errors.New("no rules: give a file or a script with -t; scripts/trigger_expr.yaml is one")
	case f.decide <= 0:
		return o, errors.New("--trigger-deadline is a time above 0")
	case f.changed && !f.list:
		return o, errors.New("--changed is about the list that -v prints: give that, too")
	}
	if err := checkWorkers(f.workers); err != nil {
		return o, err
	}
	with := runner{python: f.python, workers: f.workers, deadline: f.decide, log: log}
	rules, err := readRules(f.rules)
	if err == nil {
		err = rules.check(with) // what is wrong is known before a file is read
	}
	if err != nil {
		return o, unfit("-t", err)
	}
	return replay.Options{Logic: func() ([]teb.Logic, error) { return rules.logic(with) }, Prescale: rules.groups,
		PrescaleSeed: rules.Seed, Decide: f.decide, Default: teb.Verdict{Persist: f.otherwise == "keep"}}, nil
}

func (f *replayFlags) run(ctx context.Context, paths []string) error {
	log := newScreen(os.Stderr, false).logger()
	o, err := f.complete(log)
	if err != nil {
		return err
	}
	o.Warn = func(text string) { log.Warn(text) }
	f.out = bufio.NewWriter(&stdout)
	if f.list {
		o.Each = f.event
	}
	r, err := replay.Run(ctx, firstChunks(paths), o)
	if err == nil {
		err = f.print(r)
	}
	if flushed := f.out.Flush(); err == nil {
		err = general(flushed)
	}
	if unfit := (*replay.LogicError)(nil); errors.As(err, &unfit) {
		return &drp.Failure{Kind: drp.Configuration, Err: fmt.Errorf("-t %s: %w", f.rules, unfit)}
	}
	return frameError(err)
}

// firstChunks leaves out chunks of runs whose first chunk is named, too: they are found from there.
func firstChunks(paths []string) (first []string) {
	named := map[string]bool{}
	for _, path := range paths {
		named[filepath.Clean(path)] = true
	}
	for _, path := range paths {
		if name, ok := xtc.ParseFileName(path); ok && name.Chunk > 0 {
			if name.Chunk = 0; named[filepath.Join(filepath.Dir(path), name.Data())] {
				continue
			}
		}
		first = append(first, path)
	}
	return first
}

// event lists one.
func (f *replayFlags) event(e *replay.Event) error {
	if f.changed && e.Same() {
		return nil
	}
	var err error
	if f.asJSON {
		err = f.line(struct {
			*replay.Event
			Time xtc.Timestamp `json:"time"`
		}{e, xtc.TimestampOf(e.Time)})
		return general(err)
	}
	const columns = "%1s%20v  %-30v %6v %7v  %-28s  %s\n"
	if f.listed++; f.listed == 1 {
		_, err = fmt.Fprintf(f.out, columns, "", "pulse", "time", "groups", "brought", "now", "in the run")
	}
	mark := ""
	if !e.Same() {
		mark = "*"
	}
	if err == nil {
		_, err = fmt.Fprintf(f.out, columns, mark, e.Pulse, xtc.TimestampOf(e.Time), fmt.Sprintf("%#04x", e.Groups),
			fmt.Sprintf("%d/%d", e.Contributors, e.Contributors+e.Missing), outcome(&e.Now), outcome(&e.Was))
	}
	return general(err)
}

// line prints a value as one.
func (f *replayFlags) line(v any) error {
	text, err := json.Marshal(v)
	if err == nil {
		_, err = fmt.Fprintf(f.out, "%s\n", text)
	}
	return err
}

// outcome is a decision in words.
func outcome(o *replay.Outcome) string {
	words := "-"
	switch {
	case o.Persist:
		words = "keep"
	case o.Prescaled:
		words = "prescaled"
	}
	if o.Monitor != 0 {
		words += fmt.Sprintf(" monitor %#x", o.Monitor)
	}
	return words + " (" + o.Reason + ")"
}

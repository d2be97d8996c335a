package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/spf13/cobra"

	"drp/bench"
	"drp/drp"
)

func newBenchCommand() *cobra.Command {
	return withVerbs(&cobra.Command{
		Use:   "bench",
		Short: "Measure this machine and what drp makes of it",
	}, newHandoffCommand(), newBenchCalibCommand(), newBenchHitsCommand(), newBenchTEBCommand(), newBenchMonitorCommand())
}

func newHandoffCommand() *cobra.Command {
	o := bench.Options{}
	cmd := &cobra.Command{
		Use:   "handoff",
		Short: "Measure how fast datagrams go to a Python script and back",
		Long: `handoff measures, in one run and in turns: a bare pipe ping-pong between Go and Python; an event at a time;
a full pebble with frames of 4 KiB and 4 MiB, with an empty script and one that takes a 64 x 64 region, event by event
and in batches; the same with a message per event and the frame copied into and out of shared memory; and what the whole
of drp adds. Bars are ratios of figures of the same run.`,
	}
	cmd.Flags().IntVar(&o.Rounds, "rounds", 5, "rounds; figures are medians over them")
	cmd.Flags().Float64Var(&o.Seconds, "seconds", 0.5, "length of each measurement")
	cmd.Flags().StringVar(&o.Python, "python", "", "Python interpreter (default: as for a run)")
	cmd.Flags().StringVar(&o.Script, "passthrough", "scripts/passthrough.py", "the script that touches nothing")
	return benchVerb(cmd, func(ctx context.Context) (*bench.Report, error) { return handoff(ctx, o) })
}

func handoff(ctx context.Context, o bench.Options) (*bench.Report, error) {
	if o.Rounds < 1 || o.Seconds <= 0 {
		return nil, fmt.Errorf("--rounds and --seconds must be above 0")
	}
	python, err := drp.FindPython(o.Python)
	if err != nil {
		return nil, err
	}
	o.Python, o.PythonPath = python, drp.PythonPath()
	o.Script = installed(o.Script)
	r, err := bench.Handoff(ctx, o)
	return r, general(err)
}

// installed finds a script here, or beside the program.
func installed(script string) string {
	if _, err := os.Stat(script); err != nil && !filepath.IsAbs(script) {
		return filepath.Join(drp.Installation(), script)
	}
	return script
}

func newBenchCalibCommand() *cobra.Command {
	o := bench.CalibOptions{}
	cmd := &cobra.Command{
		Use:   "calib",
		Short: "Measure what calibration costs",
		Long: `calib measures, in one run and in turns, on one core and with frames of 2.16 megapixels that come from memory:
copying a frame; reading it and a pedestal; and making corrected pixels of it. Then it measures how long it takes until
all workers hold constants that were fetched. Bars are ratios of figures of the same run.`,
	}
	cmd.Flags().IntVar(&o.Rounds, "rounds", 9, "rounds; figures are medians over them")
	cmd.Flags().Float64Var(&o.Seconds, "seconds", 0.1, "length of each measurement")
	cmd.Flags().IntVar(&o.Bytes, "bytes", 57_000_000, "size of the constants that go to the workers")
	cmd.Flags().IntVar(&o.Workers, "workers", 64, "workers that they go to")
	return benchVerb(cmd, func(ctx context.Context) (*bench.Report, error) {
		if o.Rounds < 1 || o.Seconds <= 0 || o.Bytes < 1 || o.Workers < 1 {
			return nil, fmt.Errorf("--rounds, --seconds, --bytes and --workers must be above 0")
		}
		r, err := bench.Calib(ctx, o)
		return r, general(err)
	})
}

func newBenchHitsCommand() *cobra.Command {
	o := bench.HitsOptions{}
	var gpu bool
	cmd := &cobra.Command{
		Use:   "hits",
		Short: "Measure how fast hits are found",
		Long: `hits measures, in one run and in turns, on one core and with frames of 2.16 megapixels that come from memory:
copying a frame; reading it; reading it and a pedestal; a plain textbook peakfinder8; and the finders of drp. Bars are
ratios of figures of the same run.`,
	}
	cmd.Flags().BoolVar(&gpu, "gpu", false, "measure a GPU instead (docs/gpu.md)")
	cmd.Flags().IntVar(&o.Rounds, "rounds", 9, "rounds; figures are medians over them")
	cmd.Flags().Float64Var(&o.Seconds, "seconds", 0.1, "length of each measurement")
	return benchVerb(cmd, func(ctx context.Context) (*bench.Report, error) {
		if o.Rounds < 1 || o.Seconds <= 0 {
			return nil, fmt.Errorf("--rounds and --seconds must be above 0")
		}
		return measure(ctx, o, gpu)
	})
}

func newBenchTEBCommand() *cobra.Command {
	o := bench.TEBOptions{}
	cmd := &cobra.Command{
		Use:   "teb",
		Short: "Measure how fast events are built and decided",
		Long: `teb measures the trigger event builder in one run and in turns: in this process with 1 and 8 contributors, beside
messages through a channel of Go; by trigger scripts, in batches and one event at a time; over sockets of this machine
with 3 contributors, as fast as possible and at 25,000 events a second, beside a message there and back; and whether its
memory grows.`,
	}
	cmd.Flags().IntVar(&o.Rounds, "rounds", 5, "rounds; figures are medians over them")
	cmd.Flags().Float64Var(&o.Seconds, "seconds", 0.5, "length of each measurement")
	cmd.Flags().StringVar(&o.Python, "python", "", "Python interpreter (default: as for a run)")
	cmd.Flags().IntVar(&o.Events, "events", 20_000_000, "events of the run that shows whether memory grows")
	return benchVerb(cmd, func(ctx context.Context) (*bench.Report, error) {
		if o.Rounds < 1 || o.Seconds <= 0 || o.Events < 1000 {
			return nil, fmt.Errorf("--rounds and --seconds must be above 0, and --events at least 1000")
		}
		python, err := drp.FindPython(o.Python)
		if err != nil {
			return nil, err
		}
		o.Python, o.PythonPath = python, drp.PythonPath()
		r, err := bench.TEB(ctx, o)
		return r, general(err)
	})
}

// benchVerb completes a benchmark with the flags that all have, and what becomes of the report.
func benchVerb(cmd *cobra.Command, measure func(context.Context) (*bench.Report, error)) *cobra.Command {
	var asJSON, check bool
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&check, "check", false, "exit with 1 when a bar was missed")
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(*cobra.Command, []string) error {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		r, err := measure(ctx)
		if err != nil {
			return err
		}
		return show(r, asJSON, check)
	}
	return cmd
}

// show prints a report and, where wanted, fails when a bar was missed.
func show(r *bench.Report, asJSON, check bool) error {
	if asJSON {
		if err := printJSON(r); err != nil {
			return err
		}
	} else {
		r.Print(&stdout)
	}
	if missed := r.Missed(); check && len(missed) > 0 {
		for _, m := range missed {
			fmt.Fprintln(os.Stderr, "missed:", m)
		}
		return errSilent
	}
	return nil
}

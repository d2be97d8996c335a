package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"drp/bench"
	"drp/drp"
)

func newBenchMonitorCommand() *cobra.Command {
	o := bench.MonitorOptions{}
	cmd := &cobra.Command{
		Use:   "monitor",
		Short: "Measure what it costs that a run is watched",
		Long: `monitor measures, in one run and in turns: the copy of an event of 4.3 MB, and publishing it to one consumer, to
nobody, and to a hundred that are stopped; small events into the ring and out of it; and a consumer in Python. Bars are
ratios of figures of the same run, or of what was promised.`,
	}
	cmd.Flags().IntVar(&o.Rounds, "rounds", 5, "rounds; figures are medians over them")
	cmd.Flags().Float64Var(&o.Seconds, "seconds", 0.5, "length of each measurement")
	cmd.Flags().StringVar(&o.Python, "python", "", "Python interpreter (default: as for a run)")
	return benchVerb(cmd, func(ctx context.Context) (*bench.Report, error) {
		if o.Rounds < 1 || o.Seconds <= 0 {
			return nil, fmt.Errorf("--rounds and --seconds must be above 0")
		}
		python, err := drp.FindPython(o.Python)
		if err != nil {
			return nil, err
		}
		o.Python, o.PythonPath = python, drp.PythonPath()
		r, err := bench.Monitor(ctx, o)
		return r, general(err)
	})
}

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/spf13/cobra"

	"drp/bench"
	"drp/drp"
)

func newBenchMonitorCommand() *cobra.Command {
	o := bench.MonitorOptions{}
	var asJSON, check bool
	cmd := &cobra.Command{
		Use:   "monitor",
		Short: "Measure what it costs that a run is watched",
		Long: `monitor measures, in one run and in turns: the copy of an event of 4.3 MB, and publishing it to one consumer, to
nobody, and to a hundred that are stopped; small events into the ring and out of it; and a consumer in Python. Bars are
ratios of figures of the same run, or of what was promised.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
			defer stop()
			if o.Rounds < 1 || o.Seconds <= 0 {
				return fmt.Errorf("--rounds and --seconds must be above 0")
			}
			python, err := drp.FindPython(o.Python)
			if err != nil {
				return err
			}
			o.Python, o.PythonPath = python, drp.PythonPath()
			r, err := bench.Monitor(ctx, o)
			if err != nil {
				return general(err)
			}
			return show(r, asJSON, check)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&check, "check", false, "exit with 1 when a bar was missed")
	cmd.Flags().IntVar(&o.Rounds, "rounds", 5, "rounds; figures are medians over them")
	cmd.Flags().Float64Var(&o.Seconds, "seconds", 0.5, "length of each measurement")
	cmd.Flags().StringVar(&o.Python, "python", "", "Python interpreter (default: as for a run)")
	return cmd
}

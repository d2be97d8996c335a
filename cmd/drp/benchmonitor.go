package main

import (
	"context"
	"fmt"
	"os"
	"time"

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
ratios of figures of the same run, or of what was promised.

Then it lets a run go on one core, and on another one somebody look at it, by turns: consumers that are stopped, slow, dying
or writing nonsense, browsers that are so, and others who ask, connect and send as fast as they can. What the run gets done in a second of its own time
of the processor is compared with what it gets done without them, and so is its memory. The same is done with a run that has few events, on
a core that something else fills: what it leaves of the core is compared, which shows smaller effects. How well that is known stands beside it; a
bar is missed only where the effect is beyond it by more than can be chance (docs/performance.md).`,
	}
	cmd.Flags().IntVar(&o.Rounds, "rounds", 5, "rounds; figures are medians over them")
	cmd.Flags().Float64Var(&o.Seconds, "seconds", 0.5, "length of each measurement")
	cmd.Flags().IntVar(&o.Turns, "turns", 400, "turns with and without each onlooker, at most; 0 leaves them out")
	cmd.Flags().StringSliceVar(&o.Only, "only", nil, "names of onlookers, as flood or browser_slow (default: all, and the rate of pictures)")
	cmd.Flags().DurationVar(&o.Onlooking, "onlooking", 3*time.Minute, "time for all onlookers together; more shows smaller effects")
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
		if o.Turns > 0 {
			if o.Program, err = os.Executable(); err != nil {
				return nil, general(err)
			}
		}
		o.Script, o.Reader = installed("scripts/passthrough.py"), installed("scripts/sumimage.py")
		r, err := bench.Monitor(ctx, o)
		return r, general(err)
	})
}

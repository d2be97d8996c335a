package main

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"drp/drp"
	"drp/simtest"
)

func newSimTestCommand() *cobra.Command {
	var seed, seeds uint64
	var trace bool
	cmd := &cobra.Command{
		Use:   "sim-test",
		Short: "Run the pipeline in a simulated world full of trouble, and check every event",
		Long: `sim-test runs the pipeline's own code with simulated time, children, source and disk. One seed decides all trouble: children
that die, hang and talk nonsense, disks that are full, slow or broken, stalls, bursts, events that make no sense, and the
operator's interrupt, scripts that are reloaded. Then every event is looked for: nothing lost, nothing twice, the order kept, damage where it belongs.

The same seed gives the same run, step by step; --trace shows it.`,
		Example: "  drp sim-test --seeds 100000\n  drp sim-test --seed 4711 --trace",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if seeds == 0 {
				return errors.New("--seeds 0: give 1 or more")
			}
			o := simtest.Options{Seed: seed}
			if trace {
				o.Trace = func(line string) { printLine(line) }
				seeds = 1
			}
			return simulate(o, seeds)
		},
	}
	cmd.Flags().Uint64Var(&seed, "seed", 1, "the first seed")
	cmd.Flags().Uint64Var(&seeds, "seeds", 1, "how many seeds, one after another")
	cmd.Flags().BoolVar(&trace, "trace", false, "show everything that happens in the run of one seed")
	return cmd
}

// simulate runs many seeds, on all cores.
func simulate(o simtest.Options, seeds uint64) error {
	began := time.Now()
	var mu sync.Mutex
	var all sync.WaitGroup
	var next, failed, events, deaths uint64
	var simulated time.Duration
	for range min(uint64(runtime.NumCPU()), seeds) {
		all.Go(func() {
			for {
				mu.Lock()
				this := o
				this.Seed += next
				more := next < seeds
				next++
				mu.Unlock()
				if !more {
					return
				}
				r := simtest.Run(this)
				mu.Lock()
				events += uint64(r.Summary.Received)
				deaths += uint64(r.Deaths)
				simulated += r.Time
				if len(r.Problems) > 0 {
					failed++
					for _, p := range r.Problems {
						printf("seed %d: %s\n", r.Seed, p)
					}
				} else if seeds == 1 {
					printf("seed %d: %d steps, digest %016x\n%s", r.Seed, r.Steps, r.Digest, r.Summary.Text())
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	printf("%d seeds, %d events, %d deaths with events in hand, %v simulated in %.1f s; %d seeds failed\n", seeds, events,
		deaths, simulated.Round(time.Second), time.Since(began).Seconds(), failed)
	if failed > 0 {
		return &drp.Failure{Kind: drp.General, Err: fmt.Errorf("%d seeds failed; drp sim-test --seed N --trace shows one", failed)}
	}
	return nil
}

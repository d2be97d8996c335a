package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"drp/watch"
)

const topLong = `top shows a run as it goes on: rates, latencies, and each worker with its load and its memory. Every figure is of the
time since the one before. q ends it; the run does not notice. Of several runs it shows a row each.

  drp top
  drp top --partition tst
  drp top "http://127.0.0.1:8080/?token=…"    the address that drp --http has printed, here or through a tunnel

Where the output is no terminal, it is one picture after the other, --count of them.`

func newTopCommand() *cobra.Command {
	f, every, times := lookFlags{}, time.Second, 0
	cmd := &cobra.Command{
		Use:   "top [ADDRESS]",
		Short: "Watch a run in the terminal",
		Long:  topLong,
		Args:  needs(0, 1),
		RunE: func(cmd *cobra.Command, words []string) error {
			if every < 100*time.Millisecond {
				return fmt.Errorf("--every %v: give 100ms or more", every)
			}
			if err := fromZero("--count", int64(times)); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			all, err := f.find(ctx, words)
			if err != nil {
				return err
			}
			defer closeAll(all)
			if len(all) > 1 {
				return general(topSeveral(ctx, &f, all, every, times))
			}
			return general(top(ctx, all[0].client, all[0].status, every, times))
		},
	}
	f.add(cmd)
	cmd.Flags().DurationVar(&every, "every", every, "time from one picture to the next")
	cmd.Flags().IntVar(&times, "count", 0, "end after so many pictures (0: when the run ends)")
	return cmd
}

// top shows a run until it ends, somebody ends it, or there were enough pictures.
func top(ctx context.Context, client *watch.Client, now *watch.Status, every time.Duration, times int) error {
	var before *watch.Status // none for the first picture
	return pictures(ctx, every, times, func() ([]string, string, error) {
		if before == nil {
			before = now
			return pictureOf(nil, now), "", nil
		}
		after, err := client.Status(ctx)
		if err != nil {
			return nil, fmt.Sprintf("the run of process %d has ended, or does not answer: %v", before.PID, err), nil
		}
		lines := pictureOf(before, after)
		before = after
		return lines, "", nil
	})
}

// pictures shows one after the other until next says why there are no more, somebody ends it, or there were enough.
func pictures(ctx context.Context, every time.Duration, times int, next func() (lines []string, over string, err error)) error {
	screen, quit, leave, err := openCanvas(os.Stdout)
	if err != nil {
		return err
	}
	defer leave()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for shown := 1; ; shown++ {
		lines, over, err := next()
		switch {
		case err != nil:
			return err
		case over != "":
			leave()
			printLine(over)
			return nil
		}
		screen(lines)
		if times > 0 && shown >= times {
			return nil
		}
		select {
		case <-tick.C:
		case <-quit:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

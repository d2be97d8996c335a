package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"drp/drp"
	"drp/watch"
)

const reloadLong = `reload lets a run take its script as the file is now, without ending.

  drp reload               from the next step on (BeginStep, or BeginRun)
  drp reload --now         from the next event on, also in the middle of a step
  drp reload --wait        and return when all workers use it
  drp reload --partition tst    in all processes of a partition, if all of them can take their scripts, or in none

The text is compiled, and tried aside with what holds in the run and with the last good event, while the run goes on. It must
declare what the present one has declared. If it fails, the reason is said, the exit code is 5, and nothing has changed.
What the script does at the end of a step, of a run and of itself is tried with --ends only: it may write files. There, and in
"drp test", drp_info.trial is True for the script.
All scripts of the run are looked at: that of --post, and a trigger script, which is taken when these are; of a drp teb, too.
kill -USR1 PID asks for the same; the answer is in the log (docs/operations.md).`

// waitPause is how often --wait asks.
const waitPause = 200 * time.Millisecond

func newReloadCommand() *cobra.Command {
	var f lookFlags
	var asked watch.Reload
	var wait, asJSON bool
	cmd := &cobra.Command{
		Use:   "reload [ADDRESS]",
		Short: "Let a run take its script anew, without ending",
		Long:  reloadLong,
		Args:  needs(0, 1),
		RunE: func(cmd *cobra.Command, words []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			o := reloadOptions{asked: asked, wait: wait, asJSON: asJSON}
			if f.whole() && len(words) == 0 {
				return f.reloadPartition(ctx, &o)
			}
			c, err := f.one(ctx, words)
			if err != nil {
				return err
			}
			defer c.Close()
			got, err := c.Reload(ctx, o.asked)
			if refuses(err) {
				return &drp.Failure{Kind: drp.Script, Err: err}
			}
			if err != nil {
				return general(endOf(err))
			}
			if asJSON {
				err = printJSON(got)
			} else {
				printLine(reloadedText(got, o.asked))
			}
			if err != nil || !wait {
				return general(err)
			}
			generation, err := awaitReload(ctx, c, got)
			if err == nil && !asJSON {
				printf("in use, generation %d\n", generation)
			}
			return err
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&asked.Now, "now", false, "from the next event on, also in the middle of a step")
	cmd.Flags().BoolVar(&asked.Ends, "ends", false, "let the trial go on to the end of the step, of the run and of the script, which may write files")
	cmd.Flags().BoolVar(&wait, "wait", false, "return when it is in use")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON; with --partition, a list of those of all processes")
	return cmd
}

// reloadedText says what becomes of a text.
func reloadedText(got *watch.Reloaded, asked watch.Reload) string {
	text := stateText(got, asked)
	if got.Trigger != "" {
		text += "\n  " + printable(got.Trigger)
	}
	return text
}

func stateText(got *watch.Reloaded, asked watch.Reload) string {
	text := fmt.Sprintf("SHA-256 %s: %s", got.SHA256, got.State)
	switch {
	case got.Tried == "" && got.Ends:
		return text + ", its ends were tried before"
	case got.Tried == "" && asked.Ends:
		return text + ", its ends were not tried"
	case got.Tried == "":
		return text
	case got.Ends:
		return text + ", tried up to " + got.Tried + ", and at its ends"
	}
	return text + ", tried up to " + got.Tried + ", and not at its ends (--ends)"
}

// awaitReload returns when a run uses what it was asked to, with the generation of the texts.
func awaitReload(ctx context.Context, c *watch.Client, asked *watch.Reloaded) (generation uint32, err error) {
	for {
		s, err := c.Status(ctx)
		if err != nil {
			return 0, general(fmt.Errorf("the run ended before it used the script: %w", err))
		}
		next := s.Loaded.Next
		waits := next != nil && next.SHA256 == asked.SHA256 && next.PostSHA256 == asked.PostSHA256
		switch {
		case !waits && s.Loaded.SHA256 == asked.SHA256 && s.Loaded.PostSHA256 == asked.PostSHA256:
			return s.Loaded.Generation, nil
		case s.State == "ended":
			return 0, general(errors.New("the run ended before it used the script"))
		case !waits && s.Loaded.Refused != "":
			return 0, &drp.Failure{Kind: drp.Script, Err: errors.New(s.Loaded.Refused)}
		case !waits && asked.Tried != "":
			return 0, general(errors.New("another text was asked for meanwhile, or a Configure took another: drp status --json shows which is used"))
		}
		select {
		case <-time.After(waitPause):
		case <-ctx.Done():
			return 0, &drp.Failure{Kind: drp.Interrupted, Err: errors.New("interrupted: the run takes the script all the same")}
		}
	}
}

// errNotBegun is why there is nothing to reload.
var errNotBegun = errors.New("there is no script to be read: the run has not begun yet, or it is replayed")

// reload is for who looks at a run and may steer it.
func (o *onlookers) reload(ctx context.Context, asked watch.Reload) (watch.Reloaded, error) {
	r := o.run.Load()
	if r == nil {
		return watch.Reloaded{}, errNotBegun
	}
	if asked.Check {
		return r.TryReload(ctx, asked)
	}
	return r.Reload(ctx, asked)
}

// reloadOnSignal asks for it with each SIGUSR1, until the context ends. What comes of it is in the log.
func (o *onlookers) reloadOnSignal(ctx context.Context) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-signals:
				switch got, err := o.reload(ctx, watch.Reload{}); {
				case errors.Is(err, errNotBegun):
					o.log.Warn(fmt.Sprintf("SIGUSR1: %v", err))
				case err == nil && got.Tried == "": // all else is told by who tries it
					o.log.Info(fmt.Sprintf("SIGUSR1: the text of the script is the same, SHA-256 %s: %s", got.SHA256, got.State))
				}
			case <-ctx.Done():
				return
			}
		}
	}()
}

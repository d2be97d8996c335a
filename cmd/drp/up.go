package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"drp/control"
	"drp/drp"
)

const upLong = `up starts all processes of a partition on this machine: run control, trigger event builders, and the runs; and waits until
all have come to run control. What runs already is left alone, so that up starts again those that have died. Paths in the
file count from here, as on a command line.

  drp up scripts/partition.yaml --dry-run    check the file, and show what would be started
  drp up scripts/partition.yaml
  drp ctl state enabled
  drp down

What the processes say goes to NAME.log in the folder that the file names. Exit codes: 0 all are there; 1 one has not come,
and those that this command started were ended; 3 the file is wrong; 130 interrupted, with the same end.`

func newUpCommand() *cobra.Command {
	var dryRun bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "up FILE",
		Short: "Start all processes of a partition on this machine",
		Long:  upLong,
		Args:  needs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if wait <= 0 {
				return fmt.Errorf("--wait %v: give a time above 0, as 60s", wait)
			}
			p, err := readable(readPartition(args[0]))
			if err != nil {
				return err
			}
			if err := p.check(); err != nil {
				return configuration(err)
			}
			if dryRun {
				return p.show()
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return p.start(ctx, wait)
		},
	}
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "only check the file, and show the command lines")
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "longest wait for all to come to run control")
	return cmd
}

// show prints the command lines.
func (p *partitionFile) show() error {
	for _, l := range p.all() {
		var words []string
		for _, w := range l.words("drp") {
			words = append(words, shellWord(w))
		}
		printf("# %s\n%s\n", l.name, strings.Join(words, " "))
	}
	return nil
}

// shellWord is a word as a shell reads it.
func shellWord(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,=@%+", r)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// start starts what does not run, in order, and waits for all.
func (p *partitionFile) start(ctx context.Context, wait time.Duration) error {
	if err := os.MkdirAll(p.folder, 0o750); err != nil {
		return configuration(err)
	}
	f, err := openFleet(p.partition)
	if err != nil {
		return configuration(err)
	}
	defer f.release()
	ctx, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("not all have come within %v", wait))
	defer cancel()
	for _, l := range p.all() {
		if s, runs := f.living(l.name); runs {
			printf("%-16s runs already, process %d\n", l.name, s.Owner.PID)
		}
	}
	if err := p.await(ctx, f); err != nil {
		err = errors.Join(err, f.end(f.own(), downPatience))
		if errors.As(err, new(*drp.Failure)) {
			return err // which has an exit code
		}
		return general(err)
	}
	printf("partition %s is up; drp ctl state enabled begins a run, drp down ends all\n", p.partition)
	return nil
}

// startAbsent starts what does not run and was not started before.
func (p *partitionFile) startAbsent(f *fleet) error {
	for _, l := range p.all() {
		if _, runs := f.living(l.name); runs || f.children[l.name] != nil {
			continue
		}
		c, err := f.start(l, p.file(l.name+".log"))
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		printf("%-16s process %d, log in %s\n", l.name, c.Owner.PID, c.Log)
	}
	return nil
}

// await starts what does not run, also what ends only now, and waits until all have come to run control.
func (p *partitionFile) await(ctx context.Context, f *fleet) error {
	socket, err := controlSocket(p.partition)
	if err != nil {
		return err
	}
	c, err := control.NewClient(socket.String(), os.Getenv(controlToken))
	if err != nil {
		return err
	}
	defer c.Close()
	for began := time.Now(); ; {
		if err := p.startAbsent(f); err != nil {
			return err
		}
		since := time.Since(began)
		s, err := c.Status(ctx)
		missing := p.missing(f, &s, since)
		if err == nil && len(missing) == 0 {
			return nil
		}
		for _, one := range f.children {
			select {
			case <-one.done:
				return fmt.Errorf("%s has ended, %v: %s (%s)", one.Name, one.cmd.ProcessState, lastWords(one.Log), one.Log)
			default:
			}
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return &drp.Failure{Kind: drp.Interrupted, Err: errors.New("interrupted")}
			}
			return fmt.Errorf("%w: %s %s missing", context.Cause(ctx), strings.Join(missing, ", "), areOrIs(len(missing)))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// missing are those of the file that are not at run control, one that was dropped among them. Each must be the process that
// runs here, and have said something of itself since: one that was killed just before counts as there for a while.
func (p *partitionFile) missing(f *fleet, s *control.Status, since time.Duration) (names []string) {
	for _, l := range slices.Concat(p.teb, p.drp) {
		own, runs := f.living(l.name)
		if !runs || !slices.ContainsFunc(s.Processes, func(one control.ProcessStatus) bool {
			return one.Name == l.name && one.There && one.PID == own.Owner.PID && one.Start == own.Owner.StartTime &&
				one.Silent < since.Seconds()
		}) {
			names = append(names, l.name)
		}
	}
	return names
}

func areOrIs(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

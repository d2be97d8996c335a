package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"drp/control"
	"drp/drp"
	"drp/internal/rundir"
)

// ctlFlags say which run control, and how it is to be asked.
type ctlFlags struct {
	at        string
	partition string
	deadline  time.Duration
	asJSON    bool
}

const ctlLong = `ctl asks the run control of a partition (drp control) to do something, and waits until it is done.

  drp ctl status                 who is there, and how far
  drp ctl state enabled          all transitions from here to there
  drp ctl begin-run              one transition
  drp ctl drop epix_1            go on without a process

Exit codes: 0 it is done; 1 it is not, and who failed or what is in the way is said; 2 usage; 3 run control cannot be
reached, or wants another token ($DRP_CONTROL_TOKEN); 6 all have ended, and data was lost.`

func newCtlCommand() *cobra.Command {
	f := &ctlFlags{}
	cmd := &cobra.Command{Use: "ctl", Short: "Speak to the run control of a partition", Long: ctlLong}
	fl := cmd.PersistentFlags()
	fl.StringVar(&f.at, "control", "", "run control, at `http://HOST:PORT` or ipc:///PATH (default: that of this user on this machine)")
	fl.StringVar(&f.partition, "partition", "", "of which partition, where this user has several here")
	fl.DurationVar(&f.deadline, "deadline", 0, "longest wait for a transition (default: as docs/control.md says)")
	fl.BoolVar(&f.asJSON, "json", false, "print the status as JSON")
	verbs := []*cobra.Command{
		f.verb("status", "Show who is there, and how far", 0, f.showStatus),
		f.verb("state [STATE]", "Print the state, or go to another: unconfigured, configured, running, in-step, enabled", 1, f.state),
		f.verb("drop NAME", "Go on without a process", 1, func(ctx context.Context, c *control.Client, args []string) error {
			return f.show(c.Drop(ctx, args[0]))
		}),
		f.verb("shutdown", "End all processes in order, and then run control", 0, func(ctx context.Context, c *control.Client, _ []string) error {
			return f.show(c.Shutdown(ctx, f.limit()))
		}),
	}
	for _, t := range control.Transitions() {
		verbs = append(verbs, f.verb(t.Name, fmt.Sprintf("%v, from %v to %v", t.Service, t.From, t.To), 0,
			func(ctx context.Context, c *control.Client, _ []string) error {
				return f.show(c.Do(ctx, control.Wish{Transition: t.Name, Deadline: f.limit()}))
			}))
	}
	return withVerbs(cmd, verbs...)
}

// verb makes a command that asks something, with so many words of its own at the most; behind these the partition may be named.
func (f *ctlFlags) verb(use, short string, most int, do func(context.Context, *control.Client, []string) error) *cobra.Command {
	least := most
	if strings.Contains(use, "[") {
		least = 0
	}
	return &cobra.Command{Use: use + " [PARTITION]", Short: short, Args: needs(least, most+1), RunE: func(cmd *cobra.Command, words []string) error {
		own := min(len(words), most)
		if err := onePartition(&f.partition, words[own:]); err != nil {
			return err
		}
		words = words[:own]
		if cmd.Flags().Changed("deadline") && f.deadline <= 0 {
			return fmt.Errorf("--deadline %v: give a time above 0, as 30s", f.deadline)
		}
		c, err := f.client()
		if err != nil {
			return err
		}
		defer c.Close()
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return ctlFailure(do(ctx, c, words))
	}}
}

// ctlFailure gives an error its exit code.
func ctlFailure(err error) error {
	p := (*control.Problem)(nil)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return &drp.Failure{Kind: drp.Interrupted, Err: errors.New("interrupted; run control goes on with what it was asked for")}
	case errors.As(err, &p) && p.Kind == control.Wrong:
		return err
	case errors.As(err, &p) && p.Kind == control.Lost:
		return &drp.Failure{Kind: drp.Loss, Err: err}
	case errors.As(err, &p) && p.Kind != control.Denied:
		return general(err)
	}
	return configuration(err)
}

func (f *ctlFlags) limit() string {
	if f.deadline == 0 {
		return ""
	}
	return f.deadline.String()
}

// client finds run control: where the user says, or the only one that this user has here.
func (f *ctlFlags) client() (*control.Client, error) {
	at := f.at
	if at == "" {
		partition := f.partition
		if partition == "" {
			var err error
			if partition, err = onlyPartition(); err != nil {
				return nil, configuration(err)
			}
		}
		if err := checkPartition(partition); err != nil {
			return nil, err
		}
		socket, err := controlSocket(partition)
		if err != nil {
			return nil, configuration(err)
		}
		at = socket.String()
	}
	c, err := control.NewClient(at, os.Getenv(controlToken))
	if err != nil {
		return nil, fmt.Errorf("--control: %w", err)
	}
	return c, nil
}

// onlyPartition is the one whose run control has a socket here.
func onlyPartition() (string, error) {
	entries, err := os.ReadDir(filepath.Join(rundir.Base(), rundir.Control))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var names []string
	for _, e := range entries {
		if e.Type() == fs.ModeSocket && !strings.Contains(e.Name(), "@") { // which stands in those of trigger event builders
			names = append(names, e.Name())
		}
	}
	if len(names) > 1 {
		names = slices.DeleteFunc(names, abandoned)
	}
	switch len(names) {
	case 0:
		return "", errors.New("this user has no run control on this machine: start one with drp up or drp control, or name another with --control")
	case 1:
		return names[0], nil
	}
	return "", fmt.Errorf("this user has several run controls here: name one with --partition: %s", strings.Join(names, ", "))
}

// abandoned tells whether nobody listens at the socket of a partition, as where run control was killed.
func abandoned(partition string) bool {
	c, err := net.Dial("unix", filepath.Join(rundir.Base(), rundir.Control, partition))
	if err == nil {
		_ = c.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

func (f *ctlFlags) state(ctx context.Context, c *control.Client, args []string) error {
	if len(args) == 0 {
		s, err := c.Status(ctx)
		if err == nil {
			if f.asJSON {
				return printJSON(s)
			}
			printLine(s.State)
		}
		return err
	}
	var to control.State
	if err := to.UnmarshalText([]byte(args[0])); err != nil {
		return &control.Problem{Kind: control.Wrong, Message: strings.TrimPrefix(err.Error(), "control: ")}
	}
	return f.show(c.Do(ctx, control.Wish{State: &to, Deadline: f.limit()}))
}

func (f *ctlFlags) showStatus(ctx context.Context, c *control.Client, _ []string) error {
	s, err := c.Status(ctx)
	if err != nil || f.asJSON {
		return f.show(s, err)
	}
	printLine(headline(&s))
	const columns = "  %-16s %-5s %-13s %12v  %s\n"
	for _, p := range s.Processes {
		how := p.State.String()
		if !p.There {
			how = "-"
		}
		var notes []string
		if p.PID > 0 {
			notes = append(notes, fmt.Sprintf("process %d on %s", p.PID, plain(p.Host)))
		}
		if p.Behind > 0 {
			notes = append(notes, fmt.Sprintf("%d orders behind", p.Behind))
		}
		if p.Through {
			notes = append(notes, "its source has no more events")
		}
		if p.Trouble != "" {
			notes = append(notes, strings.Trim(fmt.Sprintf("%q", p.Trouble), `"`))
		}
		printf(columns, p.Name, plain(p.Role), how, p.Events, strings.Join(notes, "; "))
	}
	return nil
}

func headline(s *control.Status) string {
	text := fmt.Sprintf("partition %s: %v", s.Partition, s.State)
	if s.State >= control.Running {
		text += fmt.Sprintf(", run %d", s.Run)
	}
	if s.State >= control.InStep {
		text += fmt.Sprintf(", step %d", s.Step)
	}
	if s.Busy != "" {
		text += "; " + s.Busy + " is under way"
	}
	return text
}

// show prints where the partition is now.
func (f *ctlFlags) show(s control.Status, err error) error {
	if err != nil {
		return err
	}
	if f.asJSON {
		return printJSON(s)
	}
	printLine(headline(&s))
	for _, p := range s.Processes {
		if p.Trouble != "" {
			fmt.Fprintf(os.Stderr, "drp: %s: %s\n", p.Name, strings.Trim(fmt.Sprintf("%q", p.Trouble), `"`))
		}
	}
	return nil
}

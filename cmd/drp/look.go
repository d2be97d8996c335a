package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"drp/internal/rundir"
	"drp/watch"
)

// lookFlags say at which run to look.
type lookFlags struct {
	partition string
	pid       int
	runs      bool // no replays
}

func (f *lookFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.partition, "partition", "", "only the run of this partition")
	cmd.Flags().IntVar(&f.pid, "pid", 0, "only the run, or the replay, of this process")
}

// seen is a run that answers.
type seen struct {
	client *watch.Client
	status *watch.Status
}

// find asks the runs of this user, or the one at an address, and gives those that were meant.
func (f *lookFlags) find(ctx context.Context, words []string) (all []seen, err error) {
	if len(words) > 0 && (f.pid != 0 || f.partition != "") {
		return nil, errors.New("the address says which run is meant: leave --pid and --partition out")
	}
	if len(words) > 0 {
		c, err := watch.DialURL(words[0])
		if err != nil {
			return nil, err
		}
		s, err := c.Status(ctx)
		if err != nil {
			return nil, general(err)
		}
		return []seen{{c, s}}, nil
	}
	got, err := f.look(ctx)
	if err == nil && len(got.meant) == 0 {
		err = f.nothing(got)
	}
	return got.meant, general(err)
}

// looked is what was found.
type looked struct {
	meant  []seen
	others []seen   // which are closed
	silent []string // folders of processes that live and do not answer, so that nobody knows what they are
}

// look asks all runs of this user at once.
func (f *lookFlags) look(ctx context.Context) (got looked, err error) {
	paths, err := rundir.Living(rundir.Status)
	if err != nil {
		return got, err
	}
	answers := make([]seen, len(paths))
	errs := make([]error, len(paths))
	var asking sync.WaitGroup
	for i, path := range paths {
		asking.Go(func() {
			answers[i].client = watch.DialSocket(path)
			answers[i].status, errs[i] = answers[i].client.Status(ctx)
		})
	}
	asking.Wait()
	for i, s := range answers {
		switch {
		case errs[i] == nil && f.means(s.status):
			got.meant = append(got.meant, s)
			continue
		case errs[i] == nil:
			got.others = append(got.others, s)
		case !ended(errs[i]):
			got.silent = append(got.silent, filepath.Base(filepath.Dir(paths[i])))
		}
		s.client.Close()
	}
	slices.SortFunc(got.meant, func(a, b seen) int { return cmp.Compare(a.status.PID, b.status.PID) })
	return got, nil
}

// means tells whether a run is one of those. A replay is no process of the partition that it shows.
func (f *lookFlags) means(s *watch.Status) bool {
	if s.Replay && (f.runs || f.partition != "") {
		return false
	}
	return (f.pid == 0 || s.PID == f.pid) && (f.partition == "" || s.Partition == f.partition)
}

// ended tells from an error that the process that was asked has just ended: it is not there, or has left in the middle.
func ended(err error) bool {
	for _, of := range []error{syscall.ECONNREFUSED, syscall.ENOENT, syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}

// errGone is what became of a run that has given its status just before.
var errGone = errors.New("the run has ended, or is about to")

// endOf says so instead of what became of its socket.
func endOf(err error) error {
	if err != nil && ended(err) {
		return errGone
	}
	return err
}

// whole tells whether all processes of a partition are meant.
func (f *lookFlags) whole() bool { return f.partition != "" && f.pid == 0 }

// every gives all processes of a partition. One that lives and does not answer may be one of them.
func (f *lookFlags) every(ctx context.Context) ([]seen, error) {
	got, err := f.look(ctx)
	switch {
	case err != nil:
	case len(got.silent) > 0:
		err = fmt.Errorf("%s, and may be of the partition %s: nothing was asked of the others; name those that are meant with --pid, or end it",
			noAnswer(got.silent), f.partition)
	case len(got.meant) == 0:
		err = f.nothing(got)
	default:
		return got.meant, nil
	}
	closeAll(got.meant)
	return nil, general(err)
}

func closeAll(all []seen) {
	for _, s := range all {
		s.client.Close()
	}
}

// noAnswer says which processes are silent. The name of a folder begins with the process id.
func noAnswer(silent []string) string {
	var pids []string
	for _, name := range silent {
		pid, _, _ := strings.Cut(name, "-")
		pids = append(pids, pid)
	}
	return "process " + strings.Join(pids, ", ") + " lives and does not answer"
}

// nothing says that no run is meant, and which others there are.
func (f *lookFlags) nothing(got looked) error {
	if len(got.silent) > 0 {
		return errors.New(noAnswer(got.silent) + ", and no other run of this user is meant")
	}
	if len(got.others) == 0 {
		return errNoRun
	}
	what := ""
	if f.pid != 0 {
		what += fmt.Sprintf(" with the process id %d", f.pid)
	}
	if f.partition != "" {
		what += fmt.Sprintf(" of the partition %q", f.partition)
	}
	return fmt.Errorf("no run of this user%s is going on on this machine; there are%s", what, choices(got.others))
}

// choices lists runs with the flags that choose each of them.
func choices(all []seen) string {
	processes := map[string]int{}
	for _, s := range all {
		if !s.status.Replay {
			processes[s.status.Partition]++
		}
	}
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, "\n  --pid %d", s.status.PID)
		switch p := s.status.Partition; {
		case s.status.Replay:
			b.WriteString(", which is a replay")
		case p != "" && processes[p] == 1:
			fmt.Fprintf(&b, " or --partition %s", p)
		case p != "":
			fmt.Fprintf(&b, " of the partition %s, which has %d processes", p, processes[p])
		}
		fmt.Fprintf(&b, ": %s on %s", s.status.Script, s.status.Source)
	}
	return b.String()
}

// one gives the run that is meant where there can be only one, for who is about to change it: a replay only where it is named.
func (f *lookFlags) one(ctx context.Context, words []string) (*watch.Client, error) {
	steered := *f
	steered.runs = f.pid == 0
	all, err := steered.find(ctx, words)
	if err != nil {
		return nil, err
	}
	if len(all) == 1 {
		return all[0].client, nil
	}
	closeAll(all)
	return nil, errors.New("several runs go on: say which one, with" + choices(all))
}

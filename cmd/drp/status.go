package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"drp/internal/rundir"
	"drp/watch"
)

// lookFlags say at which run to look.
type lookFlags struct {
	partition string
	pid       int
}

func (f *lookFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.partition, "partition", "", "only the run of this partition")
	cmd.Flags().IntVar(&f.pid, "pid", 0, "only the run of this process")
}

// seen is a run that answers.
type seen struct {
	client *watch.Client
	status *watch.Status
}

// find asks the runs of this user, or the one at an address, and gives those that were meant.
func (f *lookFlags) find(ctx context.Context, words []string) (all []seen, err error) {
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
	paths, err := rundir.Living(rundir.Status)
	if err != nil {
		return nil, general(err)
	}
	var others []seen
	for _, path := range paths {
		c := watch.DialSocket(path)
		s, err := c.Status(ctx)
		switch {
		case err != nil:
			c.Close() // it has just ended
		case f.pid != 0 && s.PID != f.pid || f.partition != "" && s.Partition != f.partition:
			c.Close()
			others = append(others, seen{c, s})
		default:
			all = append(all, seen{c, s})
		}
	}
	if len(all) == 0 {
		return nil, general(f.nothing(others))
	}
	return all, nil
}

// nothing says that no run is meant, and which others there are.
func (f *lookFlags) nothing(others []seen) error {
	if len(others) == 0 {
		return errNoRun
	}
	what := ""
	if f.pid != 0 {
		what += fmt.Sprintf(" with the process id %d", f.pid)
	}
	if f.partition != "" {
		what += fmt.Sprintf(" of the partition %q", f.partition)
	}
	return fmt.Errorf("no run of this user%s is going on on this machine; there are%s", what, choices(others))
}

// choices lists runs with the flags that choose each of them.
func choices(all []seen) string {
	processes := map[string]int{}
	for _, s := range all {
		processes[s.status.Partition]++
	}
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, "\n  --pid %d", s.status.PID)
		switch p := s.status.Partition; {
		case p != "" && processes[p] == 1:
			fmt.Fprintf(&b, " or --partition %s", p)
		case p != "":
			fmt.Fprintf(&b, " of the partition %s, which has %d processes", p, processes[p])
		}
		fmt.Fprintf(&b, ": %s on %s", s.status.Script, s.status.Source)
	}
	return b.String()
}

const statusLong = `status shows the runs of this user on this machine as they are now: rates and latencies are since each began.

  drp status
  drp status --json | jq '.[0].events'
  drp status "http://127.0.0.1:8080/?token=…"    the address that drp --http has printed, here or through a tunnel

The JSON is a list of what the address gives as /v1/status; /v1/openapi.json beside it describes it (docs/metrics.md).`

func newStatusCommand() *cobra.Command {
	f, asJSON := lookFlags{}, false
	cmd := &cobra.Command{
		Use:   "status [ADDRESS]",
		Short: "Show how the runs of this machine are doing",
		Long:  statusLong,
		Args:  needs(0, 1),
		RunE: func(cmd *cobra.Command, words []string) error {
			all, err := f.find(cmd.Context(), words)
			if err != nil {
				return err
			}
			statuses := []*watch.Status{}
			for _, s := range all {
				s.client.Close()
				statuses = append(statuses, s.status)
			}
			if asJSON {
				text, err := json.MarshalIndent(statuses, "", "  ")
				fmt.Println(string(text))
				return general(err)
			}
			for i, s := range statuses {
				if i > 0 {
					fmt.Println()
				}
				fmt.Print(strings.Join(pictureOf(nil, s), "\n") + "\n")
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the status of each run as JSON")
	return cmd
}

// one gives the run that is meant where there can be only one.
func (f *lookFlags) one(ctx context.Context, words []string) (*watch.Client, *watch.Status, error) {
	all, err := f.find(ctx, words)
	if err != nil {
		return nil, nil, err
	}
	if len(all) == 1 {
		return all[0].client, all[0].status, nil
	}
	for _, s := range all {
		s.client.Close()
	}
	return nil, nil, errors.New("several runs go on: say which one, with" + choices(all))
}

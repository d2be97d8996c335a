package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"drp/internal/orphan"
	"drp/internal/rundir"
	"drp/shm"
)

func newCleanCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Remove what runs that were killed left behind",
		Long: `clean lists and removes shared-memory segments, socket folders and partition locks that drp made, for this
user, and whose owner is dead; and ends processes that its script had started. Those of other programs, of other users
and of living runs are never touched. Recorded files are completed by drp xtc repair.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return general(clean(dryRun)) },
	}
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "only list")
	return cmd
}

// leftover is something to remove.
type leftover struct {
	name   string
	remove func() error
}

// leftovers lists what killed runs left. What could be found is given also where something could not be listed.
func leftovers() (found []leftover, err error) {
	processes, errProcesses := orphan.Find()
	segments, errSegments := shm.Stale()
	paths, errPaths := rundir.Stale()
	for _, o := range processes { // first, since they may hold what follows
		found = append(found, leftover{fmt.Sprintf("process %d (%s), started by the script of process %d, which is dead", o.PID,
			o.Command, o.Owner), o.End})
	}
	for _, l := range segments {
		found = append(found, leftover{fmt.Sprintf("segment %d, %d bytes, of process %d, which is dead", l.ID, l.Bytes,
			l.Owner.PID), l.Remove})
	}
	for _, path := range paths {
		found = append(found, leftover{path + ", of a dead process", func() error { return rundir.Remove(path) }})
	}
	return found, errors.Join(errProcesses, errSegments, errPaths)
}

func clean(dryRun bool) error {
	found, err := leftovers()
	errs := []error{err}
	removed := 0
	for _, l := range found {
		printLine(l.name)
		if dryRun {
			continue
		}
		if err := l.remove(); err != nil {
			errs = append(errs, err)
			continue
		}
		removed++
	}
	switch {
	case len(found) == 0:
		printLine("nothing was left behind")
	case !dryRun:
		printf("%d of %d removed\n", removed, len(found))
	}
	return errors.Join(errs...)
}

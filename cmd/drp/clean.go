package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"drp/internal/rundir"
	"drp/shm"
)

func newCleanCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Remove what runs that were killed left behind",
		Long: `clean lists and removes shared-memory segments and socket folders that drp made, for this user, and whose
owner is dead. Those of other programs, of other users and of living runs are never touched.`,
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

func clean(dryRun bool) error {
	segments, errSegments := shm.Stale()
	folders, errFolders := rundir.Stale()
	errs := []error{errSegments, errFolders}
	var found []leftover
	for _, l := range segments {
		found = append(found, leftover{fmt.Sprintf("segment %d, %d bytes, of process %d, which is dead", l.ID, l.Bytes,
			l.Owner.PID), l.Remove})
	}
	for _, dir := range folders {
		found = append(found, leftover{fmt.Sprintf("socket folder %s of a dead process", dir),
			func() error { return rundir.Remove(dir) }})
	}
	removed := 0
	for _, l := range found {
		fmt.Println(l.name)
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
		fmt.Println("nothing was left behind")
	case !dryRun:
		fmt.Printf("%d of %d removed\n", removed, len(found))
	}
	return errors.Join(errs...)
}

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"drp/shm"
)

func newCleanCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Remove what runs that were killed left behind",
		Long: `clean lists and removes shared-memory segments that drp made, for this user, and whose owner is dead.
Segments of other programs, of other users and of living runs are never touched.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return general(clean(dryRun)) },
	}
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "only list")
	return cmd
}

func clean(dryRun bool) error {
	stale, err := shm.Stale()
	if err != nil {
		return err
	}
	var errs []error
	removed := 0
	for _, l := range stale {
		fmt.Printf("segment %d, %d bytes, of process %d, which is dead\n", l.ID, l.Bytes, l.Owner.PID)
		if dryRun {
			continue
		}
		if err := l.Remove(); err != nil {
			errs = append(errs, err)
			continue
		}
		removed++
	}
	switch {
	case len(stale) == 0:
		fmt.Println("nothing was left behind")
	case !dryRun:
		fmt.Printf("%d of %d removed\n", removed, len(stale))
	}
	return errors.Join(errs...)
}

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"drp/xtc"
)

func newRepairCommand() *cobra.Command {
	var keep, asJSON bool
	cmd := &cobra.Command{
		Use:     "repair FILE|FOLDER…",
		Short:   "Complete what an interrupted run has left",
		Example: "  drp xtc repair out",
		Long: `repair makes complete files of the .inprogress files of a run that was killed or whose disk failed: a data file is cut
behind its last whole datagram, the small data is made anew, and both get their final names. Of a folder all unfinished
runs are repaired. Nothing is made up: a run that ended without its EndRun still does. Files that are being written are
refused, and empty ones removed. An incomplete datagram at the end is dropped; anything else that is cut off is kept in a
file named .cut. A note beside the file, named .repaired, keeps what was found; drp xtc check shows it.`,
		Args: someFiles("files of unfinished runs, or the folder with them", "drp xtc repair out"),
		RunE: func(_ *cobra.Command, args []string) error {
			paths, err := unfinished(args)
			if err != nil {
				return fileError(err)
			}
			var failed error
			for _, path := range paths {
				r, err := xtc.Repair(path, keep)
				if errors.Is(err, xtc.ErrNothingWhole) && len(paths) > 1 {
					printf("%v: it stays as it is\n", err)
					continue
				}
				if err != nil {
					failed = errors.Join(failed, err) // the others may do
					continue
				}
				if asJSON {
					if err := printJSON(r); err != nil {
						return err
					}
				} else {
					printRepaired(&r)
				}
			}
			if failed != nil {
				return general(failed)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "keep all that is cut off, and the old small data, in files named .cut")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// unfinished replaces folders by what is unfinished in them.
func unfinished(args []string) (paths []string, err error) {
	for _, arg := range args {
		if info, err := os.Stat(arg); err != nil || !info.IsDir() {
			paths = append(paths, arg)
			continue
		}
		found, err := xtc.Unfinished(arg)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			fmt.Fprintf(os.Stderr, "%s: nothing is unfinished\n", arg)
		}
		paths = append(paths, found...)
	}
	return paths, nil
}

// warnOfAborted names the runs in an output folder whose drp is dead and whose files are unfinished.
func warnOfAborted(dir string, log *slog.Logger) {
	const enough = 5
	found, err := xtc.Aborted(dir)
	if err != nil {
		log.Warn(fmt.Sprintf("%s cannot be searched for runs that were aborted: %v", dir, err))
	}
	for i, path := range found {
		if i == enough {
			log.Warn(fmt.Sprintf("and %d more runs were aborted", len(found)-enough))
			return
		}
		name, _ := xtc.ParseFileName(path) // by which it was found
		log.Warn(fmt.Sprintf("run %d of %s, stream %d, was aborted: its files in %s are unfinished, and drp xtc repair %s completes "+
			"them", name.Run, name.Expt, name.Stream, dir, path))
	}
}

func printRepaired(r *xtc.Repaired) {
	if len(r.Removed) > 0 {
		printf("%s was empty, and so was its small data: removed, nothing of that run was ever written\n",
			r.Removed[len(r.Removed)-1])
		return
	}
	if r.Complete {
		printf("%s is complete, there is nothing to do\n", r.Files[0])
		return
	}
	printf("%s: %d events and %d transitions were recovered, the last of %v; %d bytes were cut off\n", r.Files[0], r.Events,
		r.Others, xtc.TimestampOf(r.LastTime), r.CutBytes)
	for _, path := range r.Files[1:] {
		printf("  %s\n", path)
	}
	for _, note := range r.Notes {
		printf("  %s\n", note)
	}
}

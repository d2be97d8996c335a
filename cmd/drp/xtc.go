package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"drp/drp"
	"drp/xtc"
)

func newXTCCommand() *cobra.Command {
	return withVerbs(&cobra.Command{
		Use:   "xtc",
		Short: "Look into XTC2 files, and repair them",
	}, newLsCommand(), newDumpCommand(), newCheckCommand(), newRepairCommand())
}

// fileError makes the exit code of what the xtc package says about a file.
func fileError(err error) error {
	if err == nil || errors.Is(err, errSilent) {
		return err
	}
	return &drp.Failure{Kind: drp.SourceTrouble, Err: err}
}

func newLsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "ls FILE…",
		Short:   "Show what a file holds: transitions, detectors, fields",
		Example: "  drp xtc ls out/simulated-r0001-s000-c000.xtc2",
		Args:    someFiles("files", "drp xtc ls out/*.xtc2"),
		RunE: func(_ *cobra.Command, paths []string) error {
			for _, path := range paths {
				l, err := xtc.Ls(path)
				if err != nil && !asJSON {
					return fileError(err)
				}
				if asJSON {
					if err := printJSON(l); err != nil {
						return err
					}
				} else {
					printListing(&l)
				}
				if err != nil {
					return fileError(err)
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printJSON(v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return general(err)
	}
	printLine(string(text))
	return nil
}

func printListing(l *xtc.Listing) {
	printf("%s: %d bytes, %d datagrams\n", l.Path, l.Bytes, l.Datagrams)
	if l.Experiment != "" {
		printf("  experiment %s, run %d\n", l.Experiment, l.Run)
	}
	printf("  from %v to %v\n ", l.FirstTime, l.LastTime)
	for id := range xtc.TransitionID(xtc.NumTransitions) {
		if n := l.Count[id.String()]; n > 0 {
			printf(" %v %d", id, n)
		}
	}
	printLine()
	for _, d := range l.Detectors {
		printf("  %s.%s %v (%s), segments %s\n", d.Name, d.Alg, d.Version, d.Type, ranges(d.Segments))
		const shown = 8
		for i, f := range d.Fields {
			if i == shown {
				printf("      and %d fields more\n", len(d.Fields)-shown)
				break
			}
			printf("      %-24s %v%s\n", f.Name, f.Type, strings.Repeat("[]", f.Rank))
		}
	}
	if l.Damaged > 0 {
		printf("  %d datagrams are damaged\n", l.Damaged)
	}
	if l.NextChunk != "" {
		printf("  goes on in %s\n", l.NextChunk)
	}
	if l.Truncated != nil {
		printf("  %v\n", l.Truncated)
	}
	if l.Note != "" {
		printf("  %s\n", l.Note)
	}
}

// ranges prints sorted numbers as 0-3,7.
func ranges(numbers []uint32) string {
	var parts []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, fmt.Sprint(numbers[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", numbers[i], numbers[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}

func newDumpCommand() *cobra.Command {
	var o xtc.DumpOptions
	cmd := &cobra.Command{
		Use:     "dump FILE",
		Short:   "Print the structure and values of every datagram",
		Example: "  drp xtc dump --first 5 --last 6 run.xtc2",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("drp xtc dump: name one file, and not %d", len(args))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			for flag, n := range map[string]int{"--elements": o.MaxElements, "--first": o.First, "--last": o.Last} {
				if err := fromZero(flag, int64(n)); err != nil {
					return err
				}
			}
			if o.Last > 0 && o.Last < o.First {
				return fmt.Errorf("--last %d comes before --first %d", o.Last, o.First)
			}
			err := xtc.Dump(&stdout, args[0], o)
			if errors.Is(err, fs.ErrClosed) || errors.Is(err, os.ErrClosed) {
				return nil
			}
			return fileError(err)
		},
	}
	cmd.Flags().StringVar(&o.Configure, "configure", "", "take the Names from this `file` (for a later chunk)")
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print one JSON object per datagram")
	cmd.Flags().IntVar(&o.MaxElements, "elements", 8, "elements of an array to print")
	cmd.Flags().IntVar(&o.First, "first", 0, "first datagram, counted from 1")
	cmd.Flags().IntVar(&o.Last, "last", 0, "last datagram (0: to the end)")
	return cmd
}

func newCheckCommand() *cobra.Command {
	var o xtc.CheckOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "check FILE…",
		Short:   "Account for every byte of a file and its small data",
		Example: "  drp xtc check out/*.xtc2",
		Long: `check reads a file completely: every datagram's structure against the names of its Configure, the order of
transitions, damage, its checksums if it has any, and that each offset of the small data points at its datagram. It exits with 1 when a file is bad.`,
		Args: someFiles("files", "drp xtc check out/*.xtc2"),
		RunE: func(_ *cobra.Command, paths []string) error {
			bad := false
			for _, path := range paths {
				report, err := xtc.Check(path, o)
				if err != nil {
					return fileError(err)
				}
				if asJSON {
					if err := printJSON(report); err != nil {
						return err
					}
				} else {
					printReport(&report)
				}
				bad = bad || !report.OK()
			}
			if bad {
				return errSilent
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&o.Configure, "configure", "", "take the Names from this `file` (for a later chunk)")
	cmd.Flags().StringVar(&o.SmallData, "smalldata", "", "small data of the file (default: beside it)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printReport(r *xtc.Report) {
	verdict := "good"
	if !r.OK() {
		verdict = "BAD"
	}
	printf("%s: %s; %d of %d bytes explained, %d datagrams, %d blocks\n", r.Path, verdict, r.Explained, r.Bytes,
		r.Datagrams, r.Blocks)
	for _, p := range r.Errors {
		printf("  error: %v\n", p)
	}
	if r.Truncated != nil {
		printf("  error: %v\n", r.Truncated)
	}
	for _, p := range r.Warnings {
		printf("  warning: %v\n", p)
	}
	for damage, n := range r.Damage {
		printf("  damage %s: %d datagrams\n", damage, n)
	}
	if r.Repaired != nil {
		printf("  repaired: %v\n", r.Repaired)
	}
	if r.CRC != "" {
		printf("  checksums %s: compared with every datagram\n", r.CRC)
	}
	if s := r.SmallData; s != nil {
		printf("  small data %s: %d events point at their datagrams\n", s.Path, s.Events)
	}
}

package main

import (
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"drp/calib"
	"drp/calib/report"
	"drp/calib/store"
)

// calibLine is a set in the list, for programs.
type calibLine struct {
	ID string `json:"id"`
	*store.Document
}

func newCalibLsCommand(place *storeFlag) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "ls [DETECTOR]",
		Short:   "List what is in the store, newest first",
		Example: "  drp calib ls jungfrau",
		Args:    needs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			st, err := place.open(false)
			if err != nil {
				return err
			}
			defer func() { _ = st.Close() }()
			entries, err := st.List(cmd.Context(), append(args, "")[0])
			if err != nil {
				return calibError(err)
			}
			if asJSON {
				lines := make([]calibLine, len(entries))
				for i := range entries {
					lines[i] = calibLine{entries[i].ID, store.DocumentOf(&entries[i].Set)}
				}
				return printJSON(lines)
			}
			w := tabwriter.NewWriter(&stdout, 0, 0, 2, ' ', 0)
			for _, e := range entries {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", short(e.ID), e.Detector, abbreviated(e.Serials), store.Runs(&e.Set),
					e.Provenance.When.Format("2006-01-02 15:04"), e.Provenance.Who, e.Provenance.Comment)
			}
			return general(w.Flush())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// abbreviated shows serials, which may be many and long, in the width of a column.
func abbreviated(serials []string) string {
	const shown = 40
	if text := calib.Serial(serials); len(text) <= shown {
		return text
	}
	return fmt.Sprintf("%.20s… (%d segments)", serials[0], len(serials))
}

func newCalibShowCommand(place *storeFlag) *cobra.Command {
	var q queryFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID|EXPORT | DETECTOR --run N",
		Short: "Show what a set is: shape, ranges, statistics, where it is from",
		Example: `  drp calib show 3f9a
  drp calib show jungfrau --run 12`,
		Args: needs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := q.chosen(cmd, place, args[0])
			if err != nil {
				return err
			}
			used := usesOf(s)
			if asJSON {
				return printJSON(struct {
					calibLine
					InUse      []use            `json:"in_use,omitempty"`
					Statistics []report.Row     `json:"statistics"`
					Statuses   []map[string]int `json:"statuses,omitempty"`
				}{calibLine{s.ID, store.DocumentOf(s)}, used, report.Statistics(s), report.Statuses(s)})
			}
			return printSet(s, used)
		},
	}
	q.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// use is a run that has a set, or some segments of it.
type use struct {
	Partition  string   `json:"partition"`
	Run        int      `json:"run"`
	Serials    []string `json:"serials"`
	Generation uint64   `json:"generation"`
	Digest     string   `json:"digest"` // of what is broadcast, which has a mask for every pixel
}

// usesOf asks the runs of this user on this machine whether they have a set. Where nobody can be asked, nobody has it.
func usesOf(s *calib.Set) (all []use) {
	if s.ID == "" {
		return nil
	}
	found, _ := runningNow("", s.Detector)
	for _, a := range found {
		if a.SetID == s.ID {
			all = append(all, use{a.Partition, a.Run, a.Serials, a.Generation, a.Digest})
		}
	}
	return all
}

func printSet(s *calib.Set, used []use) error {
	model := calib.ModelOf(s.Model)
	printf("%s (%s), %s, %s\n", s.Detector, s.Model, store.Runs(s), s.Unit)
	if s.ID != "" {
		printf("  set      %s\n", s.ID)
	}
	printf("  digest   %s\n", s.Digest)
	for _, u := range used {
		printf("  in use   partition %s, run %d, segments %s: generation %d, digest there %s\n", plain(u.Partition), u.Run,
			plain(abbreviated(u.Serials)), u.Generation, short(u.Digest))
	}
	printf("  shape    %d ranges %v x %d segments x %d x %d pixels\n", len(model.Ranges), model.Ranges, len(s.Serials), s.Rows,
		s.Cols)
	for i, id := range s.Serials {
		printf("  segment  %d: %s\n", i, id)
	}
	if s.CommonMode != nil {
		printf("  common mode  %v\n", s.CommonMode)
	}
	if s.Geometry != "" {
		printf("  geometry %d characters\n", len(s.Geometry))
	}
	p := s.Provenance
	printf("  made     %s by %s from %s\n", p.When.Format("2006-01-02 15:04:05 MST"), p.Who, p.From)
	if p.Comment != "" {
		printf("  comment  %s\n", p.Comment)
	}
	if len(s.Mask) > 0 {
		printf("  mask     %d of %d pixels are bad\n", len(s.Mask)-sum(s.Mask), len(s.Mask))
	}
	for r, counts := range report.Statuses(s) {
		for _, name := range sortedKeys(counts) {
			printf("  status   range %s: %d pixels %s\n", model.Ranges[r], counts[name], name)
		}
	}
	w := tabwriter.NewWriter(&stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  array\trange\tsegment\tused\tmin\tmedian\tmax")
	for _, row := range report.Statistics(s) {
		fmt.Fprintf(w, "  %s\t%s\t%d\t%d\t%.6g\t%.6g\t%.6g\n", row.Array, row.Range, slices.Index(s.Serials, row.Segment), row.Used,
			row.Min, row.Median, row.Max)
	}
	return general(w.Flush())
}

func sum(mask []uint8) (n int) {
	for _, v := range mask {
		n += int(v)
	}
	return n
}

func sortedKeys(counts map[string]int) (names []string) {
	for name := range counts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func newCalibDiffCommand(place *storeFlag) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "diff A B",
		Short:   "Say how two sets differ, by id or export; exit code 1 when they do",
		Example: "  drp calib diff 3f9a 81c2",
		Args:    needs(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var q queryFlags
			var sets [2]*calib.Set
			for i, word := range args {
				var err error
				if sets[i], err = q.chosen(cmd, place, word); err != nil {
					return err
				}
			}
			c := report.Compare(sets[0], sets[1])
			if asJSON {
				if err := printJSON(c); err != nil {
					return err
				}
			} else {
				printComparison(c)
			}
			if !c.Same() {
				return errDiffer
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printComparison(c *report.Comparison) {
	for _, field := range c.Fields {
		printLine(field)
	}
	for _, d := range c.Arrays {
		if d.Only != "" {
			printf("%s: only the %s has it\n", d.Array, d.Only)
			continue
		}
		name := d.Array
		if d.Range != "" {
			name += " of " + d.Range
		}
		printf("%s: %d of %d values differ, by %.6g at the median and %.6g at most (%s)", name, d.Pixels, d.Of, d.Median,
			d.Max, d.Where)
		if d.NaN > 0 {
			printf("; %d of them are a number in one only", d.NaN)
		}
		printLine()
	}
	if c.Same() {
		printLine("they are the same")
	} else if len(c.Arrays) == 0 && len(c.Segments) > 0 {
		printLine("the arrays are the same")
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"drp/teb/replay"
)

// print shows what came of a replay.
func (f *replayFlags) print(r *replay.Report) error {
	if f.asJSON && f.list {
		return general(f.line(r))
	}
	if f.asJSON {
		text, err := json.MarshalIndent(r, "", "  ")
		if err == nil {
			_, err = fmt.Fprintf(f.out, "%s\n", text)
		}
		return general(err)
	}
	if f.listed > 0 {
		fmt.Fprintln(f.out)
	}
	_, err := f.out.WriteString(replayTable(r))
	return general(err)
}

// replayTable is the report as people read it.
func replayTable(r *replay.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "events      %12d of %s: %s kept, and %s in the run\n", r.Events, strings.Join(r.Contributors, ", "),
		share(r.Kept, r.Events), share(r.KeptThen, r.Events))
	for _, note := range []struct {
		count int64
		text  string
	}{
		{r.Incomplete, "lack what a contributor brought, whose files do not have them"},
		{r.Lacking, "were read that have no contribution, since nobody could look into them; they are left out"},
		{r.Again, "were read whose pulse ID is no larger than that of one before; they are left out"},
		{r.Disagreeing, "are decided in another way in another file; the first one counts"},
	} {
		if note.count > 0 {
			fmt.Fprintf(&b, "  %12d %s\n", note.count, note.text)
		}
	}
	if r.Events > 0 && r.KeptThen == r.Events {
		b.WriteString("the files have only events that the run kept; --trigger-keep-all records those that it would veto, too\n")
	}
	fmt.Fprintf(&b, "\n%-20s %12s %12s %12s   %12s %12s\n", "reason", "events", "kept", "share", "in the run", "kept in it")
	for _, c := range r.Reasons {
		fmt.Fprintf(&b, "%-20s %12d %12d %12s   %12d %12d\n", c.Reason, c.Events, c.Kept, percent(c.Kept, r.Events), c.EventsThen, c.KeptThen)
	}
	fmt.Fprintf(&b, "%-20s %12d %12d %12s   %12d %12d\n", "all", r.Events, r.Kept, percent(r.Kept, r.Events), r.Events, r.KeptThen)
	fmt.Fprintf(&b, "\n%-20s %12s %12s %12s   %12s %12s\n", "readout group", "events", "kept", "share", "prescaled", "kept in it")
	for _, c := range r.Groups {
		group := fmt.Sprint(c.Group)
		if c.Group < 0 {
			group = "none"
		}
		fmt.Fprintf(&b, "%-20s %12d %12d %12s   %12d %12d\n", group, c.Events, c.Kept, percent(c.Kept, c.Events), c.Prescaled, c.KeptThen)
	}
	for i, c := range r.Monitors {
		if i == 0 {
			fmt.Fprintf(&b, "\n%-20s %12s %12s %12s   %12s\n", "monitor (bit)", "events", "", "share", "in the run")
		}
		fmt.Fprintf(&b, "%-20d %12d %12s %12s   %12d\n", c.Monitor, c.Events, "", percent(c.Events, r.Events), c.Then)
	}
	fmt.Fprintf(&b, "\nagreement   %12s are decided as in the run, with reason and monitors; kept both times %d, only now %d, only then %d, never %d\n",
		share(r.Same, r.Events), r.Both, r.Kept-r.Both, r.KeptThen-r.Both, r.Events-r.Kept-r.KeptThen+r.Both)
	return b.String()
}

func percent(n, of int64) string { return fmt.Sprintf("%.3g %%", 100*float64(n)/float64(max(of, 1))) }

// share is a count and its part of all.
func share(n, of int64) string { return fmt.Sprintf("%d (%s)", n, percent(n, of)) }

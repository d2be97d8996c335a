package main

import (
	"fmt"
	"strings"
	"time"

	"drp/watch"
)

// builderPicture draws drp teb in lines of text: between two moments, or since it began where before has nothing.
func builderPicture(before, now *watch.Status) []string {
	b, was := now.Builder, before.Builder
	if was == nil {
		was = &watch.Builder{}
	}
	lines := []string{printable(fmt.Sprintf("drp teb %d on %s of partition %s: %s for %v", now.PID, now.Host, now.Partition, now.State,
		time.Duration(now.Seconds)*time.Second)), printable(b.Rules)}
	if now.Settings.Parameters > 0 {
		lines = append(lines, settingsLine(&now.Settings))
	}
	if now.Loaded.Generation > 0 {
		lines = append(lines, printable(textLine(&now.Loaded)))
	}
	lines = append(lines, "",
		fmt.Sprintf("events %d: %.0f/s, kept %d, not decided in time %d; transitions %d; waiting for contributions %d", b.Events,
			perSecond(before, now, float64(was.Events), float64(b.Events)), b.Kept, b.Defaulted, b.Transitions, b.InWindow),
		fmt.Sprintf("complete %d, without a contribution that came too late %d, of somebody gone %d, of somebody who skipped it %d", b.Complete,
			b.TimedOut, b.Absent, b.Skipped),
		fmt.Sprintf("connections let in %d, refused %d, unfit %d", b.Let, b.Refused, b.Unfit),
		triggerLine(before, now), "",
		"contributor          there    rows/s         rows         late      missing")
	for i := range b.Contributors {
		c, then := &b.Contributors[i], watch.Contributor{}
		if i < len(was.Contributors) {
			then = was.Contributors[i]
		}
		lines = append(lines, fmt.Sprintf("%-20s %5s %9.0f %12d %12d %12d", printable(c.Name), map[bool]string{true: "yes", false: "no"}[c.Present],
			perSecond(before, now, float64(then.Rows), float64(c.Rows)), c.Rows, c.Late, c.Missing))
	}
	return lines
}

// builderRow is drp teb among several processes, as severalTable draws it: what it decides is what it receives.
func builderRow(before, now *watch.Status) string {
	b, was := now.Builder, uint64(0)
	if before.Builder != nil {
		was = before.Builder.Events
	}
	late := uint64(0)
	for i := range b.Contributors {
		late += b.Contributors[i].Late
	}
	return printable(strings.TrimRight(fmt.Sprintf("%7d  %-12s  %-12s %11d %9.0f %9s %9s %10d %9s %9s %12s %9s  drp teb, %s; kept %d, late %d, not in time %d", now.PID,
		now.Partition, now.State, b.Events, perSecond(before, now, float64(was), float64(b.Events)), "", "", int64(b.InWindow)+now.Trigger.Waiting,
		"", "", timeText(now.Trigger.Latency.P99), "", b.Rules, b.Kept, late, b.Defaulted), " "))
}

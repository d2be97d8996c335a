package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"drp/internal/settings"
	"drp/watch"
)

// differing says which parameters have several values among processes that belong together, as where one was started anew and
// has what its script says. Where nobody has set any, they differ as they were configured, which is wanted, as of two detectors; what was
// set for one process alone is, too.
// Lines are in the order in which the parameters are declared.
func differing(lists []shown) (lines []string) {
	type value struct {
		text string
		pids []string
	}
	var names []string
	values, changed := map[string][]value{}, map[string]bool{}
	for i := range lists {
		for _, s := range lists[i].Settings {
			if s.Own {
				continue
			}
			if !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
			text, all := settings.Text(s.Value), values[s.Name]
			at := slices.IndexFunc(all, func(v value) bool { return v.text == text })
			if at < 0 {
				at, all = len(all), append(all, value{text: text})
			}
			changed[s.Name] = changed[s.Name] || text != settings.Text(s.Default)
			all[at].pids = append(all[at].pids, fmt.Sprint(lists[i].PID))
			values[s.Name] = all
		}
	}
	for _, name := range names {
		if len(values[name]) < 2 || !changed[name] {
			continue
		}
		var each []string
		for _, v := range values[name] {
			each = append(each, fmt.Sprintf("%s in %s", v.text, strings.Join(v.pids, ", ")))
		}
		lines = append(lines, printable(fmt.Sprintf("%s differs between processes: %s", name, strings.Join(each, "; "))))
	}
	return lines
}

// differingOf says the same of runs by their partitions. Those that do not answer any more are left out.
func differingOf(ctx context.Context, all []seen) (lines []string) {
	lists := map[string][]shown{}
	var partitions []string
	for _, a := range askEach(all, func(_ int, c *watch.Client) ([]byte, error) { return c.Get(ctx, watch.SettingsPath) }) {
		one, partition := shown{process: a.process()}, a.status.Partition
		if partition == "" || a.status.Replay || a.err != nil || one.Read(a.got) != nil {
			continue
		}
		if lists[partition] == nil {
			partitions = append(partitions, partition)
		}
		lists[partition] = append(lists[partition], one)
	}
	for _, partition := range partitions {
		for _, line := range differing(lists[partition]) {
			lines = append(lines, fmt.Sprintf("partition %s: %s", partition, line))
		}
	}
	return lines
}

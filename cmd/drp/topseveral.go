package main

import (
	"context"
	"fmt"
	"time"

	"drp/watch"
)

// topSeveral shows several runs, a row for each, until all have ended, somebody ends it, or there were enough. Who comes later
// gets a row, too.
func topSeveral(ctx context.Context, f *lookFlags, all []seen, every time.Duration, times int) error {
	var before map[int]*watch.Status // none for the first picture
	return pictures(ctx, every, times, func() ([]string, string, error) {
		if before != nil {
			got, err := f.look(ctx)
			if err != nil {
				return nil, "", err
			}
			if all = got.meant; len(all) == 0 {
				return nil, "the runs have ended, or do not answer", nil
			}
			closeAll(all)
		}
		lines := severalTable(before, all)
		before = map[int]*watch.Status{}
		for _, s := range all {
			before[s.status.PID] = s.status
		}
		return lines, "", nil
	})
}

// severalTable draws a row for each of several runs: between two moments, or since it began where it was not there before.
func severalTable(before map[int]*watch.Status, all []seen) []string {
	lines := []string{"    pid  partition     state           received  events/s        in       out  in flight  deadtime      lost  script 99 %  restarts  script"}
	for _, s := range all {
		now, was := s.status, before[s.status.PID]
		if was == nil || now.Seconds < was.Seconds {
			was = &watch.Status{}
		}
		if now.Builder != nil && now.Trigger != nil {
			lines = append(lines, builderRow(was, now))
			continue
		}
		rate := func(from, to int64) float64 { return perSecond(was, now, float64(from), float64(to)) }
		restarts, slowest := int64(0), 0.0
		now.EachWorker(func(_ string, w *watch.Worker) {
			restarts += w.Restarts
			slowest = max(slowest, w.Script.P99)
		})
		e, b, state := &now.Events, &was.Events, now.State
		if now.Replay {
			state = "replay"
		}
		lines = append(lines, printable(fmt.Sprintf("%7d  %-12s  %-12s %11d %9.0f %7s/s %7s/s %10d %8.0f%% %9d %12s %9d  %s on %s", now.PID, now.Partition,
			state, e.Received, rate(b.Received, e.Received), sizeText(rate(b.BytesReceived, e.BytesReceived)),
			sizeText(rate(b.BytesRecorded, e.BytesRecorded)), e.InFlight, deadtime(was, now), e.Lost,
			timeText(slowest), restarts, now.Script, now.Source)))
	}
	return append(lines, "", "drp top --pid N shows one of them with its workers")
}

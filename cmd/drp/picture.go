package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"drp/watch"
)

// pictureOf draws a run in lines of text: between two moments, or since it began where before is nil.
func pictureOf(before, now *watch.Status) []string {
	if before == nil || before.PID != now.PID || now.Seconds < before.Seconds {
		before = &watch.Status{}
	}
	if now.Builder != nil && now.Trigger != nil {
		return builderPicture(before, now)
	}
	lines := append(headOf(now), eventLines(before, now)...)
	lines = append(lines, "")
	lines = append(lines, stageTable(before, now)...)
	if t := now.Trigger; t != nil {
		lines = append(lines, triggerLine(before, now))
	}
	for _, c := range now.Consumers {
		why := ""
		if c.Newest {
			why = ", since it takes the newest"
		}
		lines = append(lines, fmt.Sprintf("consumer %s (process %d): %d events, %d missed%s", printable(c.Name), c.PID, c.Delivered, c.Missed, why))
	}
	lines = append(lines, "")
	lines = append(lines, workerTable(before, now)...)
	for _, f := range now.Failures {
		lines = append(lines, "script: "+printable(f))
	}
	return lines
}

func headOf(s *watch.Status) []string {
	where := ""
	if s.Partition != "" {
		where = " of partition " + s.Partition
	}
	what := ""
	if s.Replay {
		what = "replay of "
	}
	head := fmt.Sprintf("drp %d on %s%s: %s%s run %d, %s for %v", s.PID, s.Host, where, what, s.Experiment, s.Run, s.State,
		(time.Duration(s.Seconds) * time.Second))
	what = fmt.Sprintf("%s on %s", s.Script, s.Source)
	if s.Calibration.Published != "" {
		what += "; constants of " + s.Calibration.Published
	}
	lines := []string{printable(head), printable(what)}
	if s.Settings.Parameters > 0 {
		lines = append(lines, settingsLine(&s.Settings))
	}
	if l := &s.Loaded; l.Generation > 0 && l.SHA256 != "" {
		lines = append(lines, printable(textLine(l)))
	}
	return append(lines, "")
}

func settingsLine(s *watch.Settings) string {
	line := fmt.Sprintf("settings: generation %d of %d parameters, refused %d", s.Generation, s.Parameters, s.Refused)
	if s.Applied != s.Generation {
		line += fmt.Sprintf("; events have generation %d", s.Applied)
	}
	return line
}

// shownOfSHA is how much of a SHA-256 tells texts apart.
const shownOfSHA = 12

// textLine tells which text of the scripts is used, and what became of others.
func textLine(l *watch.Loaded) string {
	short := func(sha string) string { return sha[:min(shownOfSHA, len(sha))] }
	line := fmt.Sprintf("text %d of the script, SHA-256 %s", l.Generation, short(l.SHA256))
	if l.PostSHA256 != "" {
		line += ", of the second " + short(l.PostSHA256)
	}
	if n := l.Next; n != nil {
		line += fmt.Sprintf("; %s %s", short(n.SHA256), n.State)
	}
	if l.Refused != "" {
		reason, _, _ := strings.Cut(l.Refused, "\n")
		line += "; the last one asked for is not used: " + reason
	}
	return line
}

// perSecond gives how often something came between two moments.
func perSecond(before, now *watch.Status, from, to float64) float64 {
	if dt := now.Seconds - before.Seconds; dt > 0 {
		return (to - from) / dt
	}
	return 0
}

// deadtime is the part of the time that the source waited, in percent. What is waited for is noted every 100 ms, and so may have
// begun before.
func deadtime(before, now *watch.Status) float64 {
	return min(100, 100*perSecond(before, now, before.Events.Deadtime, now.Events.Deadtime))
}

func eventLines(before, now *watch.Status) []string {
	b, e := &before.Events, &now.Events
	rate := func(from, to int64) float64 { return perSecond(before, now, float64(from), float64(to)) }
	lines := []string{
		fmt.Sprintf("received %d: %.0f/s, %s/s in, %s/s out; in flight %d; deadtime %.0f %%", e.Received,
			rate(b.Received, e.Received), sizeText(rate(b.BytesReceived, e.BytesReceived)), sizeText(rate(b.BytesRecorded, e.BytesRecorded)),
			e.InFlight, deadtime(before, now)),
		fmt.Sprintf("recorded %d, rejected %d, vetoed %d, quarantined %d, dropped %d, failed %d; damaged %d, lost %d", e.Recorded,
			e.Rejected, e.Vetoed, e.Quarantined, e.Dropped, e.Failed, e.Damaged, e.Lost),
	}
	if h := &now.Hits; h.Searched > 0 {
		searched, hits := h.Searched-before.Hits.Searched, h.Hits-before.Hits.Hits
		lines = append(lines, fmt.Sprintf("hits %d of %d searched: %.2f %%; by the GPU %d, not shown to the script %d", h.Hits, h.Searched,
			100*float64(hits)/float64(max(searched, 1)), h.ByGPU, h.Passed))
	}
	if g := now.GPU; g != nil {
		was := before.GPU
		if was == nil {
			was = &watch.GPU{}
		}
		state := "works"
		if g.Lost != "" {
			state = "is lost: " + g.Lost
		}
		lines = append(lines, printable(fmt.Sprintf("GPU %s %s; %.0f frames/s, busy %.0f %%", g.Name, state,
			perSecond(before, now, float64(was.Frames), float64(g.Frames)), 100*perSecond(before, now, was.Busy, g.Busy))))
	}
	return lines
}

// stageTable says within which time half of the events, and 99 % of them, pass each stage.
func stageTable(before, now *watch.Status) []string {
	head, half, most := "latency", "50 %   ", "99 %   "
	for i, s := range now.Stages {
		l := s.Latency
		if i < len(before.Stages) {
			l = l.Since(&before.Stages[i].Latency)
		}
		head += fmt.Sprintf(" %8s", s.Name)
		half += fmt.Sprintf(" %8s", timeText(l.P50))
		most += fmt.Sprintf(" %8s", timeText(l.P99))
	}
	return []string{head, half, most}
}

func triggerLine(before, now *watch.Status) string {
	var b strings.Builder
	l := now.Trigger.Latency
	if before.Trigger != nil {
		l = l.Since(&before.Trigger.Latency)
	}
	fmt.Fprintf(&b, "trigger: waiting %d, decided within %s %s;", now.Trigger.Waiting, timeText(l.P50), timeText(l.P99))
	for _, d := range now.Trigger.Decisions {
		if d.Count > 0 {
			fmt.Fprintf(&b, " %s %d", printable(d.Reason), d.Count)
		}
	}
	return b.String()
}

func workerTable(before, now *watch.Status) []string {
	lines := []string{"worker  state        pid  events/s  busy   CPU  waiting   slots   script 50 %   99 %  resident     share  restarts"}
	lines = append(lines, workerRows(before, now, before.Workers, now.Workers)...)
	if len(now.Post) > 0 {
		lines = append(lines, "of the second script:")
		lines = append(lines, workerRows(before, now, before.Post, now.Post)...)
	}
	return lines
}

func workerRows(before, now *watch.Status, those, these []watch.Worker) (lines []string) {
	for i := range these {
		w, was := &these[i], watch.Worker{}
		if i < len(those) {
			was = those[i]
		}
		cpu := w.CPU - was.CPU
		if was.PID != w.PID {
			cpu = w.CPU
		}
		script := w.Script.Since(&was.Script)
		lines = append(lines, fmt.Sprintf("%6d  %-8s %7d %9.0f %4.0f%% %4.0f%% %8d %7s %13s %6s %9s %9s %9d", w.Number, w.State, w.PID,
			perSecond(before, now, float64(was.Events), float64(w.Events)), hundredths(perSecond(before, now, was.Busy, w.Busy)),
			hundredths(perSecond(before, now, 0, cpu)), w.Waiting, fmt.Sprintf("%d/%d", w.Slots.InUse, w.Slots.Slots),
			timeText(script.P50), timeText(script.P99), sizeText(float64(w.Resident)), sizeText(float64(w.Share)), w.Restarts))
	}
	return lines
}

// hundredths is a part as a percentage; a process that was replaced by a younger one has no less than none.
func hundredths(part float64) float64 { return max(0, 100*part) }

// timeText writes seconds with two or three digits.
func timeText(seconds float64) string {
	switch {
	case seconds == 0:
		return "-"
	case seconds < 1e-3:
		return strconv.FormatFloat(seconds*1e6, 'g', 3, 64) + "µs"
	case seconds < 9.95e-3:
		return strconv.FormatFloat(seconds*1e3, 'f', 1, 64) + "ms"
	case seconds < 1:
		return strconv.FormatFloat(seconds*1e3, 'f', 0, 64) + "ms"
	}
	return strconv.FormatFloat(seconds, 'f', 0, 64) + "s"
}

// sizeText writes bytes with three digits.
func sizeText(bytes float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if bytes < 999.5 {
			return fmt.Sprintf("%.3g %s", bytes, unit)
		}
		bytes /= 1000
	}
	return fmt.Sprintf("%.3g TB", bytes)
}

// printable replaces what a terminal would obey.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

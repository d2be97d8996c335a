package main

import (
	"strings"
	"testing"
	"time"

	"drp/watch"
)

// moments are two of a run, a second apart.
func moments() (before, now watch.Status) {
	var h watch.Histogram
	for range 100 {
		h.Add(3 * time.Millisecond)
	}
	before = watch.Status{PID: 7, Host: "node", Experiment: "mfx1", Run: 5, Source: "sim", Script: "a.py", State: "enabled", Seconds: 10,
		Events:  watch.Events{Received: 1000, Recorded: 900, InFlight: 100, BytesReceived: 1e9, Deadtime: 1},
		Hits:    watch.Hits{Searched: 900, Hits: 90},
		Stages:  []watch.Stage{{Name: "total", Latency: h.Latency()}},
		Trigger: &watch.Trigger{Latency: h.Latency(), Decisions: []watch.Decision{{Reason: "hits", Count: 90}, {Reason: "none"}}},
		Workers: []watch.Worker{{State: "idle", PID: 70, Events: 900, Busy: 5, CPU: 4, Script: h.Latency()}}}
	for range 100 {
		h.Add(500 * time.Millisecond)
	}
	now = before
	now.Seconds, now.State = 11, "stepping"
	now.Events = watch.Events{Received: 1500, Recorded: 1500, BytesReceived: 3e9, BytesRecorded: 5e6, Deadtime: 1.25, Lost: 2}
	now.Hits = watch.Hits{Searched: 1500, Hits: 390}
	now.Stages = []watch.Stage{{Name: "total", Latency: h.Latency()}}
	now.Workers = []watch.Worker{{State: "working", PID: 70, Events: 1400, Busy: 5.5, CPU: 4.25, Script: h.Latency(), Resident: 2e7,
		Slots: watch.Slots{Slots: 64, InUse: 3}}, {Number: 1, State: "starting", Restarts: 1}}
	now.Consumers = []watch.Consumer{{Name: "plots", PID: 9, Delivered: 5, Missed: 1}, {Name: "page", PID: 7, Delivered: 1, Missed: 9, Newest: true}}
	now.GPU = &watch.GPU{Name: "A1", Frames: 110, Busy: 5.5, Lost: "it hangs"}
	before.GPU = &watch.GPU{Name: "A1", Frames: 60, Busy: 5}
	now.Settings = watch.Settings{Parameters: 2, Generation: 5, Applied: 4, Refused: 3}
	now.Loaded = watch.Loaded{SHA256: "0123456789abcdef", PostSHA256: "fedcba9876543210", Generation: 4, Refused: "line 3: a\x1b\nTraceback",
		Next: &watch.NextScript{SHA256: "1111222233334444", State: "taken at the next step"}}
	now.Failures = []string{"ValueError:\x1b[31m no"}
	return before, now
}

// TestAPictureIsOfTheTimeBetween, and not since the run began.
func TestAPictureIsOfTheTimeBetween(t *testing.T) {
	before, now := moments()
	picture := strings.Join(pictureOf(&before, &now), "\n")
	for _, want := range []string{
		"drp 7 on node: mfx1 run 5, stepping for 11s", "a.py on sim\nsettings: generation 5 of 2 parameters, refused 3; events have generation 4\n" +
			"text 4 of the script, SHA-256 0123456789ab, of the second fedcba987654; 111122223333 taken at the next step; " +
			"the last one asked for is not used: line 3: a?\n",
		"received 1500: 500/s, 2 GB/s in, 5 MB/s out; in flight 0; deadtime 25 %",
		"hits 390 of 1500 searched: 50.00 %",
		"GPU A1 is lost: it hangs; 50 frames/s, busy 50 %",
		"trigger: waiting 0, decided within - -; hits 90",
		"consumer plots (process 9): 5 events, 1 missed\nconsumer page (process 7): 1 events, 9 missed, since it takes the newest\n",
		"     0  working       70       500   50%   25%        0    3/64         524ms  524ms     20 MB       0 B         0",
		"     1  starting       0         0    0%    0%        0     0/0             -      -       0 B       0 B         1",
		"script: ValueError:?[31m no",
	} {
		if !strings.Contains(picture, want) {
			t.Errorf("%q is not in\n%s", want, picture)
		}
	}
	since := strings.Join(pictureOf(nil, &now), "\n")
	if !strings.Contains(since, "received 1500: 136/s") || !strings.Contains(since, "searched: 26.00 %") {
		t.Errorf("since it began:\n%s", since)
	}
	if got := strings.Join(pictureOf(nil, &before), "\n"); strings.Contains(got, "settings") {
		t.Errorf("settings of a script without any:\n%s", got)
	}
	other := before
	other.PID = 8
	if got := strings.Join(pictureOf(&other, &now), "\n"); got != since {
		t.Errorf("another run is taken for this one:\n%s", got)
	}
}

func TestCanvasFitsTheTerminal(t *testing.T) {
	wide := strings.Repeat("äöü", 10)
	for _, test := range []struct {
		lines         []string
		width, height int
		want          []string
	}{
		{[]string{"one"}, 80, 24, []string{"one"}},
		{[]string{"one", "two"}, 3, 2, []string{"one", "two"}},
		{[]string{"one", "two", "three"}, 12, 2, []string{"one", "2 more lines"}},
		{[]string{wide, "two"}, 20, 3, []string{wide[:38] + "…", "two", "cut at column 20 of…"}},
		{[]string{wide, "two"}, 29, 2, []string{wide[:56] + "…", "1 more lines; cut at column …"}},
		{[]string{"one", wide}, 4, 2, []string{"one", "1 m…"}},
	} {
		want := "\x1b[H" + strings.Join(test.want, "\x1b[K\r\n") + "\x1b[K\x1b[J"
		if got := canvas(test.lines, test.width, test.height); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for seconds, want := range map[float64]string{0: "-", 1e-6: "1µs", 512e-6: "512µs", 0.008192: "8.2ms", 0.524288: "524ms", 0.016384: "16ms", 1.048576: "1s", 67: "67s"} {
		if got := timeText(seconds); got != want {
			t.Errorf("%v s: %q, not %q", seconds, got, want)
		}
	}
	for bytes, want := range map[float64]string{0: "0 B", 999: "999 B", 999.6: "1 kB", 1234: "1.23 kB", 4.3e6: "4.3 MB", 2e15: "2e+03 TB"} {
		if got := sizeText(bytes); got != want {
			t.Errorf("%v bytes: %q, not %q", bytes, got, want)
		}
	}
}

func TestAwaitQuit(t *testing.T) {
	for _, keys := range []string{"xyq", "\x03", "", "nothing"} {
		awaitQuit(strings.NewReader(keys)) // it returns
	}
	rest := strings.NewReader("aq more")
	awaitQuit(rest)
	if rest.Len() != len(" more") {
		t.Errorf("%d are left", rest.Len())
	}
}

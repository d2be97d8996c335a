package watch_test

import (
	"os"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/watch"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

// full is a status in which nothing is missing, and every number is another one.
func full() watch.Status {
	var h watch.Histogram
	for i := range 100 {
		h.Add(time.Duration(i) * time.Millisecond)
	}
	loaded := watch.Loaded{SHA256: "5f1c", PostSHA256: "77aa", Generation: 3, Time: time.Now(), Refused: "line 3", Reloads: watch.Reloads{Used: 21, Refused: 22, FellBack: 23},
		Next: &watch.NextScript{SHA256: "99bb", PostSHA256: "77aa", State: "taken at the next step"}}
	s := watch.Status{Version: "1.2", Loaded: loaded, Host: "node", PID: 17, Partition: "tst", Experiment: "mfx1", Run: 5, Source: "sim", State: "enabled",
		Script: "my \"roi\".py\n\xff", Transition: "Enable", Time: time.Now(), Seconds: 8.5,
		Events: watch.Events{Received: 100, Recorded: 50, Rejected: 20, Vetoed: 10, Quarantined: 1, Dropped: 2, Failed: 3, InFlight: 14,
			Lost: 6, Damaged: 7, Altered: 8, Late: 9, Defaulted: 11, Unwanted: 12, Posted: 13, PostFailed: 14, BytesReceived: 1e9, BytesRecorded: 1e6, Deadtime: 0.25},
		Hits:   watch.Hits{Searched: 90, Hits: 30, Passed: 29, Unsearched: 5, ByGPU: 60, Instead: 7},
		Bounds: watch.Bounds(), Transitions: watch.Slots{Slots: 8, InUse: 1},
		Trigger:     &watch.Trigger{Waiting: 3, Latency: h.Latency(), Decisions: []watch.Decision{{Reason: "hits", Count: 40}}},
		Calibration: watch.Calibration{Generation: 2, Published: "epix, generation 2"},
		Settings:    watch.Settings{Parameters: 3, Generation: 15, Applied: 16, Refused: 17},
		Consumers: []watch.Consumer{{Number: 1, Name: "plots", PID: 99, Delivered: 70, Missed: 4}, {Number: 2, Name: "plots", PID: 98},
			{Number: 3, Name: "plots", PID: 98}}, Failures: []string{"no"}}
	s.GPU = &watch.GPU{Name: "A GPU", Frames: 60, Batches: 6, Busy: 0.75, Staged: 1, Overflow: 2, Other: 3, Checked: 4}
	for _, name := range []string{"fill", "queue", "prepare", "script", "order", "post", "record", "total"} {
		s.Stages = append(s.Stages, watch.Stage{Name: name, Latency: h.Latency()})
	}
	for i, state := range []string{"idle", "working", "starting", "stopped", "retired", "ended"} {
		s.Workers = append(s.Workers, watch.Worker{Number: i, State: state, PID: 100 + i, Slots: watch.Slots{Slots: 64, InUse: 5}, Waiting: 4,
			Events: 33, Busy: 1.5, CPU: 1.25, Resident: 1e7, Share: 1e6, Restarts: 1, Recycled: 2, Script: h.Latency()})
	}
	s.Post = s.Workers[1:2]
	return s
}

// building is a status of drp teb in which all is there.
func building() watch.Status {
	s := watch.Status{Version: "1.2", Host: "node", PID: 18, Partition: "tst", Source: "drp teb", Script: "rules.yaml", State: "running", Time: time.Now(),
		Bounds: watch.Bounds(), Stages: []watch.Stage{}, Workers: []watch.Worker{}, Consumers: []watch.Consumer{}, Failures: []string{}}
	s.Trigger = full().Trigger
	s.Builder = &watch.Builder{Rules: "rules.yaml", Events: 100, Transitions: 5, Kept: 40, Defaulted: 2, Complete: 90, TimedOut: 8, Absent: 4, Skipped: 3,
		InWindow: 6, Let: 7, Refused: 9, Unfit: 10,
		Contributors: []watch.Contributor{{Name: "cam_0", Present: true, Rows: 105, Late: 11, Missing: 12}, {Name: "cam_1"}}}
	return s
}

package watch

import (
	"net/http"
	"os"
	"runtime"
	"strconv"
)

// family is metrics of one name.
type family struct {
	name, help string
	kind       string
	labels     []string
	read       func(s *Status, put put)
}

// put gives one value, with the values of the labels.
type put func(value float64, labels ...string)

const (
	counter   = "counter"
	gauge     = "gauge"
	histogram = "histogram"
)

func count(n int64) float64 { return float64(n) }

// runFamilies are all of a run that are no histograms, but for those that everything has.
var runFamilies = []family{
	{"drp_run_info", "What runs, as labels; the value is 1.", gauge, []string{"version", "experiment", "run", "script"},
		func(s *Status, put put) { put(1, s.Version, s.Experiment, strconv.Itoa(s.Run), s.Script) }},
	{"drp_run_state", "1 for the state that the run is in, 0 for the others.", gauge, []string{"state"}, func(s *Status, put put) {
		for _, state := range runStates {
			put(one(s.State == state), state)
		}
	}},
	{"drp_run_seconds", "Time since the run began.", gauge, nil, func(s *Status, put put) { put(s.Seconds) }},
	{"drp_script_info", "Which text of the scripts is used, as labels; the value is 1.", gauge, []string{"sha256", "post_sha256"},
		func(s *Status, put put) { put(1, s.Loaded.SHA256, s.Loaded.PostSHA256) }},
	{"drp_script_generation", "Counts the texts of the scripts that were used, from 1 on.", gauge, nil,
		func(s *Status, put put) { put(float64(s.Loaded.Generation)) }},
	{"drp_script_reloads_total", "Texts that were asked for while the run went on, by what became of them.", counter, []string{"outcome"},
		func(s *Status, put put) {
			put(count(s.Loaded.Reloads.Used), "used")
			put(count(s.Loaded.Reloads.Refused), "refused")
			put(count(s.Loaded.Reloads.FellBack), "fell_back")
		}},
	{"drp_events_received_total", "Events that came from the source.", counter, nil,
		func(s *Status, put put) { put(count(s.Events.Received)) }},
	{"drp_events_total", "Events by their outcome, of which each gets one.", counter, []string{"outcome"}, outcomes},
	{"drp_events_in_flight", "Events that were received and have no outcome yet.", gauge, nil,
		func(s *Status, put put) { put(count(s.Events.InFlight)) }},
	{"drp_events_lost_total", "Events that should have been kept and were not.", counter, nil,
		func(s *Status, put put) { put(count(s.Events.Lost)) }},
	{"drp_events_damaged_total", "Events recorded with a damage bit.", counter, nil,
		func(s *Status, put put) { put(count(s.Events.Damaged)) }},
	{"drp_events_altered_total", "Events that changed in memory since they came.", counter, nil,
		func(s *Status, put put) { put(count(s.Events.Altered)) }},
	{"drp_late_answers_total", "Answers for an event already decided.", counter, nil,
		func(s *Status, put put) { put(count(s.Events.Late)) }},
	{"drp_posted_total", "Events shown to the second script.", counter, nil,
		func(s *Status, put put) { put(count(s.Events.Posted)) }},
	{"drp_post_failed_total", "Events that the second script failed on.", counter, nil,
		func(s *Status, put put) { put(count(s.Events.PostFailed)) }},
	{"drp_received_bytes_total", "Bytes of the events that came.", counter, nil,
		func(s *Status, put put) { put(count(s.Events.BytesReceived)) }},
	{"drp_recorded_bytes_total", "Bytes that were recorded.", counter, nil,
		func(s *Status, put put) { put(count(s.Events.BytesRecorded)) }},
	{"drp_deadtime_seconds_total", "Time that the source waited for a free slot.", counter, nil,
		func(s *Status, put put) { put(s.Events.Deadtime) }},

	{"drp_searched_total", "Events searched for hits, by what searched them.", counter, []string{"by"}, searched},
	{"drp_unsearched_total", "Events that could not be searched for hits.", counter, nil,
		func(s *Status, put put) { put(count(s.Hits.Unsearched)) }},
	{"drp_hits_total", "Hits among the events searched.", counter, nil, func(s *Status, put put) { put(count(s.Hits.Hits)) }},
	{"drp_passed_over_total", "Events not shown to the script, since they are no hits.", counter, nil,
		func(s *Status, put put) { put(count(s.Hits.Passed)) }},

	ofGPU("drp_gpu_up", "1 while the GPU works, 0 since it was given up.", gauge, func(g *GPU) float64 { return one(g.Lost == "") }),
	ofGPU("drp_gpu_frames_total", "Frames searched by the GPU.", counter, func(g *GPU) float64 { return float64(g.Frames) }),
	ofGPU("drp_gpu_batches_total", "Batches that these made.", counter, func(g *GPU) float64 { return float64(g.Batches) }),
	ofGPU("drp_gpu_busy_seconds_total", "Time during which batches were under way.", counter, func(g *GPU) float64 { return g.Busy }),

	{"drp_transition_slots", "Slots for transitions.", gauge, nil, func(s *Status, put put) { put(float64(s.Transitions.Slots)) }},
	{"drp_transition_slots_in_use", "Slots for transitions that are not free.", gauge, nil,
		func(s *Status, put put) { put(float64(s.Transitions.InUse)) }},
	{"drp_calibration_generation", "Counts the changes of constants in this process; 0 without any.", gauge, nil,
		func(s *Status, put put) { put(float64(s.Calibration.Generation)) }},

	{"drp_trigger_waiting", "Events and transitions that the trigger has not decided.", gauge, nil, func(s *Status, put put) {
		if s.Trigger != nil {
			put(count(s.Trigger.Waiting))
		}
	}},
	{"drp_trigger_decisions_total", "Decisions of the trigger, by reason.", counter, []string{"reason"}, func(s *Status, put put) {
		if s.Trigger != nil {
			for _, d := range s.Trigger.Decisions {
				put(float64(d.Count), d.Reason)
			}
		}
	}},
	{"drp_trigger_defaulted_total", "Events that the trigger did not decide in time.", counter, nil,
		func(s *Status, put put) { put(count(s.Events.Defaulted)) }},
	{"drp_trigger_unwanted_total", "Events recorded that the trigger did not want.", counter, nil,
		func(s *Status, put put) { put(count(s.Events.Unwanted)) }},

	{"drp_worker_state", "1 for the state that a worker is in, 0 for the others.", gauge, []string{"worker", "state"}, states},
	ofWorkers("drp_worker_events_total", "Events answered.", counter, func(w *Worker) float64 { return count(w.Events) }),
	ofWorkers("drp_worker_busy_seconds_total", "Time during which the worker had datagrams without an answer.", counter,
		func(w *Worker) float64 { return w.Busy }),
	ofWorkers("drp_worker_cpu_seconds_total", "CPU time of the worker's present process.", counter, func(w *Worker) float64 { return w.CPU }),
	ofWorkers("drp_worker_waiting", "Datagrams without an answer.", gauge, func(w *Worker) float64 { return float64(w.Waiting) }),
	ofWorkers("drp_worker_slots", "Event slots.", gauge, func(w *Worker) float64 { return float64(w.Slots.Slots) }),
	ofWorkers("drp_worker_slots_in_use", "Event slots that are not free.", gauge, func(w *Worker) float64 { return float64(w.Slots.InUse) }),
	ofWorkers("drp_worker_resident_bytes", "Memory of the worker's process, with the shared memory that it has touched.", gauge,
		func(w *Worker) float64 { return count(w.Resident) }),
	ofWorkers("drp_worker_proportional_bytes", "Memory of the worker's process, with its part of what it shares.", gauge,
		func(w *Worker) float64 { return count(w.Share) }),
	ofWorkers("drp_worker_restarts_total", "Processes that died.", counter, func(w *Worker) float64 { return count(w.Restarts) }),
	ofWorkers("drp_worker_recycled_total", "Processes that were replaced as planned.", counter, func(w *Worker) float64 { return count(w.Recycled) }),

	ofConsumers("drp_consumer_delivered_total", "Events that a consumer got.", func(c *Consumer) uint64 { return c.Delivered }),
	ofConsumers("drp_consumer_missed_total", "Events that a consumer had no room for.",
		func(c *Consumer) uint64 { return c.Missed }),
}

// commonFamilies are those of whatever is shown.
var commonFamilies = []family{
	{"drp_settings_generation", "Generation of the parameters' values that were accepted last; 0 without parameters.", gauge, nil,
		func(s *Status, put put) { put(float64(s.Settings.Generation)) }},
	{"drp_settings_applied", "Generation of the parameters' values that events have by now.", gauge, nil,
		func(s *Status, put put) { put(float64(s.Settings.Applied)) }},
	{"drp_settings_refused_total", "Changes of parameters that were refused.", counter, nil,
		func(s *Status, put put) { put(count(s.Settings.Refused)) }},

	ofProcess("process_cpu_seconds_total", "CPU time of drp itself.", counter, func(w *Worker) float64 { return w.CPU }),
	ofProcess("process_resident_memory_bytes", "Memory of drp itself, with the shared memory that it has touched.", gauge,
		func(w *Worker) float64 { return count(w.Resident) }),
	ofProcess("process_open_fds", "Open files of drp itself.", gauge, func(*Worker) float64 { return openFiles() }),
	ofProcess("go_goroutines", "Goroutines of drp itself.", gauge, func(*Worker) float64 { return float64(runtime.NumGoroutine()) }),
}

func outcomes(s *Status, put put) {
	e := &s.Events
	put(count(e.Recorded), "recorded")
	put(count(e.Rejected), "rejected")
	put(count(e.Vetoed), "vetoed")
	put(count(e.Quarantined), "quarantined")
	put(count(e.Dropped), "dropped")
	put(count(e.Failed), "failed")
}

func searched(s *Status, put put) {
	h := &s.Hits
	put(count(h.Searched-h.ByGPU-h.Instead), "cpu")
	put(count(h.ByGPU), "gpu")
	put(count(h.Instead), "cpu_instead")
}

// The states of a run, and of a worker.
var (
	runStates    = []string{"starting", "unconfigured", "configured", "running", "stepping", "enabled", "ended", "lost"}
	workerStates = []string{"idle", "working", "starting", "stopped", "retired", "ended"}
)

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func states(s *Status, put put) {
	s.EachWorker(func(name string, w *Worker) {
		for _, state := range workerStates {
			put(one(w.State == state), name, state)
		}
	})
}

// EachWorker gives all with their names: those of the second script are post-0 and so on.
func (s *Status) EachWorker(take func(name string, w *Worker)) {
	for i := range s.Workers {
		take(strconv.Itoa(s.Workers[i].Number), &s.Workers[i])
	}
	for i := range s.Post {
		take("post-"+strconv.Itoa(s.Post[i].Number), &s.Post[i])
	}
}

func ofWorkers(name, help string, kind string, value func(*Worker) float64) family {
	return family{name, help, kind, []string{"worker"}, func(s *Status, put put) {
		s.EachWorker(func(name string, w *Worker) { put(value(w), name) })
	}}
}

func ofGPU(name, help string, kind string, value func(*GPU) float64) family {
	return family{name, help, kind, nil, func(s *Status, put put) {
		if s.GPU != nil {
			put(value(s.GPU))
		}
	}}
}

func ofConsumers(name, help string, value func(*Consumer) uint64) family {
	return family{name, help, counter, []string{"consumer", "pid", "number"}, func(s *Status, put put) {
		for i := range s.Consumers {
			c := &s.Consumers[i]
			put(float64(value(c)), c.Name, strconv.Itoa(c.PID), strconv.FormatInt(c.Number, 10))
		}
	}}
}

// ofProcess tells of drp itself, under the names that other programs have for it.
func ofProcess(name, help, kind string, value func(*Worker) float64) family {
	return family{name, help, kind, nil, func(_ *Status, put put) {
		self := Worker{PID: os.Getpid()}
		lookQuickly(&self)
		put(value(&self))
	}}
}

func openFiles() float64 {
	all, _ := os.ReadDir("/proc/self/fd")
	return float64(len(all))
}

// distribution is histograms of one name.
type distribution struct {
	name, help string
	labels     []string
	read       func(s *Status, put func(l *Latency, labels ...string))
}

var runDistributions = []distribution{
	{"drp_stage_seconds", "Time that an event spends in a stage, of one in 64.", []string{"stage"},
		func(s *Status, put func(*Latency, ...string)) {
			for i := range s.Stages {
				put(&s.Stages[i].Latency, s.Stages[i].Name)
			}
		}},
	{"drp_worker_script_seconds", "Time from when an event was handed to the script until its answer, of one in 64.", []string{"worker"},
		func(s *Status, put func(*Latency, ...string)) {
			for i := range s.Workers {
				put(&s.Workers[i].Script, strconv.Itoa(s.Workers[i].Number))
			}
		}},
	{"drp_trigger_seconds", "Time from when the trigger was asked until it decided, of one in 64.", nil,
		func(s *Status, put func(*Latency, ...string)) {
			if s.Trigger != nil {
				put(&s.Trigger.Latency)
			}
		}},
}

// Metrics serves what ask gives, in the text format of Prometheus.
func Metrics(partition string, ask func() Status) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s := ask()
		w.Header().Set("Content-Type", exposition)
		_, _ = w.Write(expose(partition, &s))
	})
}

func expose(partition string, s *Status) []byte {
	t := text{}
	if partition != "" {
		t.common = pair("partition", partition)
	}
	families, distributions := runFamilies, runDistributions
	if s.Builder != nil && s.Trigger != nil {
		families, distributions = builderFamilies, builderDistributions
	}
	for _, some := range [][]family{families, commonFamilies} {
		for i := range some {
			f := &some[i]
			t.begin(f.name, f.help, f.kind)
			f.read(s, func(value float64, labels ...string) { t.sample("", value, f.labels, labels) })
		}
	}
	for i := range distributions {
		d := &distributions[i]
		t.begin(d.name, d.help, histogram)
		d.read(s, func(l *Latency, labels ...string) { t.histogram(l, d.labels, labels) })
	}
	return t.out
}

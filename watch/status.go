package watch

import "time"

// Status is a run at a moment. Counts are since the run began.
type Status struct {
	Version    string    `json:"version" doc:"of drp"`
	Host       string    `json:"host" doc:"name of the machine"`
	PID        int       `json:"pid" doc:"process id of drp"`
	Replay     bool      `json:"replay,omitempty" doc:"recorded files are shown again, and what is said of the run is of that time; absent in a run"`
	Partition  string    `json:"partition" doc:"as --partition says; may be empty"`
	Experiment string    `json:"experiment"`
	Run        int       `json:"run" doc:"number of the run that goes on"`
	Source     string    `json:"source" doc:"where the data come from"`
	Script     string    `json:"script" doc:"name of the user's script and its arguments"`
	Loaded     Loaded    `json:"loaded,omitzero" doc:"which text of the script is used; absent before the run begins, of a replay and of drp teb"`
	State      string    `json:"state" doc:"how far the run was begun; enabled is when events come; lost is only what drp monitor --http says of a run that does not answer" enum:"starting,unconfigured,configured,running,stepping,enabled,ended,lost"`
	Transition string    `json:"transition" doc:"the latest that all workers have taken; may be empty"`
	Time       time.Time `json:"time" doc:"of this status"`
	Seconds    float64   `json:"seconds" doc:"since the run began"`

	Events      Events      `json:"events"`
	Hits        Hits        `json:"hits"`
	GPU         *GPU        `json:"gpu,omitempty" doc:"absent where none is used"`
	Stages      []Stage     `json:"stages" doc:"in the order in which an event passes them; empty while the run starts"`
	Bounds      []float64   `json:"latency_bounds" doc:"of all latencies, in seconds"`
	Workers     []Worker    `json:"workers"`
	Post        []Worker    `json:"post_workers,omitempty" doc:"of the second script; absent where there is none"`
	Transitions Slots       `json:"transition_slots"`
	Trigger     *Trigger    `json:"trigger,omitempty" doc:"absent where there is none"`
	Builder     *Builder    `json:"builder,omitempty" doc:"of drp teb, which is no run: what is said of events, hits, workers and slots is empty then; absent in a run"`
	Calibration Calibration `json:"calibration"`
	Settings    Settings    `json:"settings"`
	Consumers   []Consumer  `json:"consumers" doc:"who gets copies of events while the run goes on"`
	Failures    []string    `json:"failures" doc:"of the script, a line for each kind"`
}

// Loaded is the text of the scripts that all workers run.
type Loaded struct {
	SHA256     string      `json:"sha256" doc:"of the text of the user's script"`
	PostSHA256 string      `json:"post_sha256,omitempty" doc:"of that of --post; absent where there is none"`
	Generation uint32      `json:"generation" doc:"of the texts, from 1 on"`
	Time       time.Time   `json:"time" doc:"since when"`
	Next       *NextScript `json:"next,omitempty" doc:"what was asked for and tried, and is not used yet; absent if nothing was"`
	Refused    string      `json:"refused,omitempty" doc:"why the last text that was asked for is not used; absent if it is, or waits to be"`
	Reloads    Reloads     `json:"reloads"`
}

// Reloads counts what became of texts that were asked for while the run went on.
type Reloads struct {
	Used     int64 `json:"used" doc:"by all workers"`
	Refused  int64 `json:"refused" doc:"with the reason for the last in the log, and in refused above"`
	FellBack int64 `json:"fell_back" doc:"used, until no process could begin with them any more, and the last worker went back"`
}

// NextScript is the text of the scripts that is used soon.
type NextScript struct {
	SHA256     string `json:"sha256"`
	PostSHA256 string `json:"post_sha256,omitempty" doc:"absent where there is no --post"`
	State      string `json:"state" doc:"when it is taken"`
}

// Events are the books: each event gets one outcome, so that received is the sum of those and in_flight.
type Events struct {
	Received    int64 `json:"received"`
	Recorded    int64 `json:"recorded"`
	Rejected    int64 `json:"rejected" doc:"by the script"`
	Vetoed      int64 `json:"vetoed" doc:"by the trigger"`
	Quarantined int64 `json:"quarantined" doc:"killed the script's processes"`
	Dropped     int64 `json:"dropped" doc:"by --policy drop"`
	Failed      int64 `json:"failed" doc:"could not be recorded"`
	InFlight    int64 `json:"in_flight" doc:"have no outcome yet"`

	Lost          int64   `json:"lost" doc:"should have been kept and were not"`
	Damaged       int64   `json:"damaged" doc:"recorded with a damage bit"`
	Altered       int64   `json:"altered" doc:"changed in memory since they came"`
	Late          int64   `json:"late_answers" doc:"for an event already decided"`
	Defaulted     int64   `json:"decided_by_default" doc:"since the trigger did not in time"`
	Posted        int64   `json:"posted" doc:"shown to the second script"`
	PostFailed    int64   `json:"post_failed" doc:"that it failed on, of these"`
	Unwanted      int64   `json:"kept_unwanted" doc:"not wanted by the trigger, and recorded since all are"`
	BytesReceived int64   `json:"bytes_received"`
	BytesRecorded int64   `json:"bytes_recorded"`
	Deadtime      float64 `json:"deadtime_seconds" doc:"that the source waited for a free slot"`
}

// Hits counts what hit finding did; all is 0 where nobody looks for any.
type Hits struct {
	Searched   int64 `json:"searched" doc:"events"`
	Hits       int64 `json:"hits" doc:"among these"`
	Passed     int64 `json:"passed_over" doc:"not shown to the script, since they are no hits"`
	Unsearched int64 `json:"unsearched" doc:"events that could not be searched"`
	ByGPU      int64 `json:"by_gpu" doc:"of those searched"`
	Instead    int64 `json:"by_cpu_instead" doc:"of those searched, since the GPU failed"`
}

// GPU is the device that looks for hits.
type GPU struct {
	Name     string  `json:"name"`
	Lost     string  `json:"lost" doc:"why it was given up; empty while it works"`
	Frames   uint64  `json:"frames" doc:"searched by it"`
	Batches  uint64  `json:"batches" doc:"that these made"`
	Busy     float64 `json:"busy_seconds" doc:"during which batches were under way"`
	Staged   uint64  `json:"staged" doc:"frames that the CPU copied before"`
	Overflow uint64  `json:"overflow" doc:"frames searched by the CPU, since a list of the device was too short"`
	Other    uint64  `json:"other" doc:"frames searched by the CPU, since they are nothing for a GPU"`
	Checked  uint64  `json:"checked" doc:"frames searched by both, and compared"`
}

// Stage is a part of an event's way.
type Stage struct {
	Name    string  `json:"name" doc:"see docs/metrics.md" enum:"fill,queue,prepare,script,order,post,record,total"`
	Latency Latency `json:"latency" doc:"of one event in 64, by chance"`
}

// Slots are places for datagrams.
type Slots struct {
	Slots int `json:"slots"`
	InUse int `json:"in_use"`
}

// Worker is one of those that run the script.
type Worker struct {
	Number   int     `json:"number"`
	State    string  `json:"state" doc:"starting: its process is being replaced; stopped: by a signal; retired: it gets no process any more; ended: as the run has" enum:"idle,working,starting,stopped,retired,ended"`
	PID      int     `json:"pid" doc:"of its process; 0 without one"`
	Slots    Slots   `json:"event_slots"`
	Waiting  int     `json:"waiting" doc:"datagrams without an answer"`
	Events   int64   `json:"events" doc:"answered"`
	Busy     float64 `json:"busy_seconds" doc:"during which it had datagrams without an answer"`
	CPU      float64 `json:"cpu_seconds" doc:"of its present process"`
	Resident int64   `json:"resident_bytes" doc:"of its present process, with the shared memory that it has touched"`
	Share    int64   `json:"proportional_bytes" doc:"of its present process, with its part of what it shares; looked at every few seconds"`
	Restarts int64   `json:"restarts" doc:"of processes that died"`
	Recycled int64   `json:"recycled" doc:"processes that were replaced as planned"`
	Script   Latency `json:"script" doc:"from when an event was handed to its process until the answer, of one event in 64"`
}

// Trigger is who decides what is recorded.
type Trigger struct {
	Waiting   int64      `json:"waiting" doc:"events and transitions that are not decided"`
	Latency   Latency    `json:"latency" doc:"from when one was asked for until it was decided, of one in 64"`
	Decisions []Decision `json:"decisions" doc:"by reason"`
}

// Decision counts those of one reason.
type Decision struct {
	Reason string `json:"reason"`
	Count  uint64 `json:"count"`
}

// Builder joins what several runs bring and decides; how long that takes, and for which reasons, is in Trigger.
type Builder struct {
	Rules        string        `json:"rules" doc:"file of the rules, or the script with its arguments"`
	Events       uint64        `json:"events" doc:"decided, or about to be"`
	Transitions  uint64        `json:"transitions"`
	Kept         uint64        `json:"kept" doc:"events"`
	Defaulted    uint64        `json:"decided_by_default" doc:"events that were not decided in time"`
	Complete     uint64        `json:"complete" doc:"events and transitions that have all contributions"`
	TimedOut     uint64        `json:"timed_out" doc:"those that lack one that was waited for in vain"`
	Absent       uint64        `json:"absent" doc:"those that lack one of a contributor that is gone"`
	Skipped      uint64        `json:"skipped" doc:"those that lack one of a contributor that was beyond them"`
	InWindow     uint64        `json:"in_window" doc:"those that wait for contributions"`
	Let          uint64        `json:"connections" doc:"let in"`
	Refused      uint64        `json:"connections_refused"`
	Unfit        uint64        `json:"connections_unfit" doc:"ended, since they said nonsense or were too slow"`
	Contributors []Contributor `json:"contributors"`
}

// Contributor is one of those that a Builder waits for.
type Contributor struct {
	Name    string `json:"name"`
	Present bool   `json:"present" doc:"it is there"`
	Rows    uint64 `json:"rows" doc:"contributions received"`
	Late    uint64 `json:"late" doc:"of these, for events that were decided before"`
	Missing uint64 `json:"missing" doc:"events and transitions that were decided without it, and that it should have contributed to"`
}

// Calibration is which constants are used.
type Calibration struct {
	Generation uint32 `json:"generation" doc:"counts changes in this process; 0 without constants"`
	Published  string `json:"published" doc:"detectors and the generations that were told of"`
}

// Settings is how far parameters of scripts and stages were changed; /v1/settings says which there are.
type Settings struct {
	Parameters int   `json:"parameters" doc:"that can be set; 0 where none is declared"`
	Generation int64 `json:"generation" doc:"of the values that were accepted last; 0 without parameters"`
	Applied    int64 `json:"applied" doc:"that events have by now; one less than generation until the next event"`
	Refused    int64 `json:"refused" doc:"changes that were refused"`
}

// Consumer gets copies of events.
type Consumer struct {
	Number    int64  `json:"number" doc:"among all that have watched this run, from 1 on"`
	Name      string `json:"name"`
	PID       int    `json:"pid"`
	Delivered uint64 `json:"delivered" doc:"events"`
	Missed    uint64 `json:"missed" doc:"events that it had no room for"`
	Newest    bool   `json:"newest,omitempty" doc:"it takes the newest event only, and misses the others by its own choice; absent if it does not"`
}

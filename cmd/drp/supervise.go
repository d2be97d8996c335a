package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"drp/drp"
	"drp/internal/rundir"
)

// recordFlags are those of the recorded files.
func recordFlags(fl *pflag.FlagSet, cfg *drp.Config) {
	bytesVar(fl, &cfg.ChunkBytes, "chunk-bytes", "largest size of a recorded data file: what does not fit goes on in another (0: any)")
	fl.DurationVar(&cfg.ChunkTime, "chunk-time", 0, "time after which the run goes on in another file (0: none)")
	fl.BoolVar(&cfg.CRC, "crc", false, "write checksums beside each data file, which drp xtc check compares")
	fl.BoolVar(&cfg.Verify, "verify", false, "look whether each event is still what the source wrote, before it is recorded; one that is not is marked Corrupted")
}

// supervisionFlags are those about the script's processes.
func supervisionFlags(fl *pflag.FlagSet, cfg *drp.Config, f *runFlags) {
	fl.DurationVar(&cfg.EventDeadline, "deadline", 30*time.Second, "longest silence of a worker that has events in hand; then its process is ended and replaced")
	fl.DurationVar(&cfg.SoftDeadline, "soft-deadline", 10*time.Second, "silence after which the script's stack is written to the log (0: none)")
	fl.IntVar(&cfg.Spares, "spares", 1, "processes kept warm, one of which takes the place of another that died")
	fl.IntVar(&cfg.Retries, "retries", 1, "how often an event that may have killed its process is tried again, 0 to 2, before it is quarantined")
	fl.StringVar(&cfg.QuarantineDir, "quarantine", "", "`folder` for events that killed their processes (default: quarantine in the output folder)")
	fl.Float64Var(&cfg.MaxQuarantine, "max-quarantine", 10, "percentage of quarantined events at which the run ends with exit code 5 (0: never)")
	fl.IntVar(&cfg.MaxRestarts, "max-restarts", 60, "how often a worker's process may be replaced within a minute (0: any number)")
	oneOfVar(fl, &f.onUnrest, "restart-policy", "after that: degrade goes on with fewer workers, abort ends the run with exit code 5", "degrade", "abort")
	fl.Var(size[int64]{&cfg.MaxResident, 1 << 20}, "max-rss", "memory in MB, or with another unit, that a worker's process may hold before it is replaced (0: any)")
	fl.Int64Var(&cfg.RecycleAfter, "recycle", 0, "replace a worker's process after so many events (0: never)")
}

func (f *runFlags) completeSupervision(cfg *drp.Config) error {
	cfg.AbortOnUnrest = f.onUnrest == "abort"
	if !(cfg.MaxQuarantine >= 0 && cfg.MaxQuarantine <= 100) {
		return fmt.Errorf("--max-quarantine %g: give a percentage from 0 to 100", cfg.MaxQuarantine)
	}
	return nil
}

// lock is what only one process may have: the partition, or its part in one that several share by their trigger or by run
// control.
func (f *runFlags) lock() string {
	switch {
	case f.partition == "":
	case f.control.at != "":
		return f.partition + "." + f.control.process
	case len(f.trigger.teb) > 0:
		return f.partition + "." + f.trigger.contributor
	}
	return f.partition
}

// lockPartition makes this process the only one of its partition.
func lockPartition(name string) (release func(), err error) {
	if name == "" {
		return func() {}, nil
	}
	if release, err = rundir.Lock(name); err != nil {
		return nil, &drp.Failure{Kind: drp.Configuration, Err: err}
	}
	return release, nil
}

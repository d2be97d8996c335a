package bench

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"drp/teb/script"
)

// What was promised of Python, in events per second of one process.
const (
	promisedBatches = 200e3
	promisedSingles = 50e3
)

// The scripts decide as tebRule does.
const (
	batchesScript = `import drp
ts = drp.TriggerSource()
hit = ts.reason("hit")
for batch in ts.batches():
    batch.accept[:] = (batch.sum("npeaks") >= 15) | batch.prescale(100)
    batch.reason[batch.accept] = hit
`
	singlesScript = `import drp
ts = drp.TriggerSource()
hit = ts.reason("hit")
for evt in ts.events():
    if evt.sum("npeaks") >= 15 or evt.prescale(100):
        ts.result(True, reason=hit)
    else:
        ts.result(False)
`
)

// tebScripts measures trigger scripts, each in one process, in turns.
func tebScripts(ctx context.Context, r *Report, o TEBOptions) error {
	for round := range o.Rounds + 1 {
		var rates [4]float64
		for i, load := range []struct {
			script       string
			contributors int
		}{{batchesScript, 1}, {batchesScript, 8}, {singlesScript, 1}, {singlesScript, 8}} {
			var err error
			if rates[i], err = scriptRate(ctx, o, load.script, load.contributors); err != nil {
				return err
			}
		}
		if round == 0 {
			continue
		}
		r.add("script_batches_1", "1/s", "events of one contributor that a script decides in batches, in one process of it", rates[0])
		r.add("script_batches_8", "1/s", "the same of eight contributors", rates[1])
		r.add("script_events_1", "1/s", "events of one contributor that a script decides one at a time, in one process of it", rates[2])
		r.add("script_events_8", "1/s", "the same of eight contributors", rates[3])
		r.add("promised_batches", "1/s", "what is promised for batches", promisedBatches)
		r.add("promised_events", "1/s", "what is promised for one at a time", promisedSingles)
	}
	return nil
}

// scriptRate gives the events that a script decides in a second, of which the start of Python is no part.
func scriptRate(ctx context.Context, o TEBOptions, text string, contributors int) (float64, error) {
	folder, err := os.MkdirTemp("", "drp-bench-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	path := filepath.Join(folder, "trigger.py")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return 0, err
	}
	l, err := newTEBLoad(contributors, script.New(script.Config{Python: o.Python, PythonPath: o.PythonPath, Script: path,
		Deadline: time.Minute, Log: slog.New(slog.DiscardHandler)}))
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := l.run(func(int) bool { return ctx.Err() != nil || time.Since(start).Seconds() >= o.Seconds }); err != nil {
		return 0, err
	}
	return float64(l.decided) / l.took.Seconds(), ctx.Err()
}

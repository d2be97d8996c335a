package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// watchingScript takes events for a while, and says how many a second, and what each took of the processor: of all threads
// of the process, but not before those that OpenBLAS starts when NumPy is imported have ceased to spin. They do so for some
// hundredths of a second, which would be divided among few large events.
const watchingScript = `
import json, sys, time
import drp
name, seconds = sys.argv[1], float(sys.argv[2])
mon = drp.monitor(name, wait=30)
n, begin = 0, time.perf_counter() + 0.2
for run in mon.runs():
    det = run.Detector("bench")
    for evt in run.events():
        raw = det.raw.raw(evt)
        pixel = raw[0, -1, -1]
        now = time.perf_counter()
        if now < begin:
            continue
        if n == 0:
            start, used = now, time.process_time()
        n += 1
        if now - start >= seconds and n > 1:
            break
    break
took, used = time.perf_counter() - start, time.process_time() - used
assert evt.intact
print(json.dumps({"rate": (n - 1) / took, "each": used / (n - 1)}))
`

// environment is that of processes of Python.
func (o *MonitorOptions) environment() []string {
	if o.PythonPath == "" { // drp is installed there
		return os.Environ()
	}
	return append(os.Environ(), "PYTHONPATH="+o.PythonPath)
}

// watched is what it says.
type watched struct{ Rate, Each float64 }

// python lets a process take small events, and then large ones, as fast as it can.
func (w *watching) python(ctx context.Context) error {
	small, err := w.watch(ctx, smallCamera(), 4096)
	if err != nil {
		return err
	}
	w.report.add("python_small", "1/s", "events of 4 KiB that a consumer in Python takes, and looks at one pixel", small.Rate)
	large, err := w.watch(ctx, frameCamera(), 16)
	if err != nil {
		return err
	}
	w.report.add("python_4m", "µs", "time of the processor that it takes for one of 4.3 MB", 1e6*large.Each)
	return nil
}

// watch publishes for a process until that has seen enough.
func (w *watching) watch(ctx context.Context, c camera, slots int) (seen watched, err error) {
	p, err := newPublished(c, slots)
	if err != nil {
		return seen, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	cmd := exec.CommandContext(ctx, w.o.Python, "-c", watchingScript, p.name, fmt.Sprint(w.o.Seconds))
	cmd.Env = w.o.environment()
	var said, complained bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &complained
	if err := cmd.Start(); err != nil {
		return seen, fmt.Errorf("bench: %w", err)
	}
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	for {
		select {
		case err = <-over:
			if err != nil {
				return seen, fmt.Errorf("bench: the consumer failed: %w\n%s", err, complained.String())
			}
			return seen, json.Unmarshal(said.Bytes(), &seen)
		default:
		}
		got := false
		for range 64 {
			got = p.one() || got
		}
		if !got { // nobody has room: let him work
			time.Sleep(20 * time.Microsecond)
		}
	}
}

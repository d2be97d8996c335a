// Command soak runs drp for hours on the simulated camera, at a large part of the rate it can do, kills and stops its
// children at random times, and looks from outside whether anything grows: memory, descriptors, threads, segments, and
// the time events wait. It writes a report, and exits with 1 when something grew beyond its bar or the books do not balance.
//
//	go run ./internal/soak -hours 24 -program bin/drp -report out/soak.md
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	hours   float64
	program string
	python  string
	report  string
	workers int
	seed    uint64
	rate    float64 // events per second; 0: a part of what is measured
	load    float64 // that part
}

func main() { os.Exit(run()) }

func run() int {
	var o options
	flag.Float64Var(&o.hours, "hours", 24, "how long, as a decimal fraction")
	flag.StringVar(&o.program, "program", filepath.Join("bin", "drp"), "the program")
	flag.StringVar(&o.python, "python", filepath.Join(".venv", "bin", "python"), "the interpreter")
	flag.StringVar(&o.report, "report", filepath.Join("out", "soak.md"), "the file for the report")
	flag.IntVar(&o.workers, "workers", 2, "worker processes")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()%1e9), "of the faults")
	flag.Float64Var(&o.rate, "rate", 0, "events per second (0: as -load says)")
	flag.Float64Var(&o.load, "load", 0.8, "part of the highest rate, which is measured first")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := soak(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		return 2
	}
	fmt.Println(r.text())
	if len(r.failed()) > 0 {
		return 1
	}
	return 0
}

// soak measures the highest rate, runs, judges and writes the report.
func soak(ctx context.Context, o options) (*report, error) {
	if !(o.hours > 0 && o.hours <= 10000) || o.workers < 1 || !(o.load > 0 && o.load <= 1) || !(o.rate >= 0) {
		return nil, fmt.Errorf("-hours %g -workers %d -load %g -rate %g make no sense", o.hours, o.workers, o.load, o.rate)
	}
	dir, err := os.MkdirTemp("", "drp-soak-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if o.program, err = filepath.Abs(o.program); err != nil {
		return nil, err
	}
	if o.python, err = filepath.Abs(o.python); err != nil {
		return nil, err
	}
	length := time.Duration(o.hours * float64(time.Hour))
	r := &report{options: o, length: length, begun: time.Now(), commit: commit()}
	if o.rate == 0 {
		if r.highest, err = highestRate(ctx, o, dir); err != nil {
			return nil, err
		}
		o.rate = o.load * r.highest
	}
	r.rate = o.rate
	j, err := start(o, filepath.Join(dir, "long"), length)
	if err != nil {
		return nil, err
	}
	r.samples, r.faults = j.watch(ctx, length, o.seed)
	r.end = j.end()
	r.judge()
	if err := os.MkdirAll(filepath.Dir(o.report), 0o750); err != nil {
		return nil, err
	}
	return r, os.WriteFile(o.report, []byte(r.text()), 0o640)
}

// highestRate runs without faults and as fast as it goes for a few seconds.
func highestRate(ctx context.Context, o options, dir string) (float64, error) {
	length := min(15*time.Second, max(3*time.Second, time.Duration(o.hours*float64(time.Hour)/10)))
	o.rate = 0
	j, err := start(o, filepath.Join(dir, "fast"), length)
	if err != nil {
		return 0, err
	}
	select {
	case <-time.After(length):
	case <-j.done:
	case <-ctx.Done():
	}
	e := j.end()
	if e.books == nil || e.books.EventsPerSecond < 1 {
		return 0, fmt.Errorf("the highest rate could not be measured; drp said:\n%s", e.said)
	}
	return e.books.EventsPerSecond, ctx.Err()
}
